import CurlewCore

/// Where a client may publish, as it was decided of late; of one connection.
struct PermissionCache {
    private static let maximumCount = 64

    private var decisions: [TopicName: Bool] = [:]
    private var version = 0

    /// The decision about a topic, made anew where it is not known by that version of the rules.
    mutating func allows(_ topic: TopicName, version: Int, _ decide: () -> Bool) -> Bool {
        if version != self.version {
            self.decisions.removeAll()
            self.version = version
        }
        if let decision = self.decisions[topic] { return decision }
        if self.decisions.count >= Self.maximumCount { self.decisions.removeAll(keepingCapacity: true) }
        let decision = decide()
        self.decisions[topic] = decision
        return decision
    }
}
