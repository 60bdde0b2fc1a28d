import CurlewCore

/// Where a client may publish, as it was decided of late; of one connection.
struct PermissionCache {
    private static let maximumCount = 64
    /// Longer topics are asked about each time, so that what they take stays small.
    private static let longestTopic = 256

    private var decisions: [TopicName: Bool] = [:]
    private var version = 0

    /// What the topics take, at the most.
    var byteCount: Int { self.decisions.count * (Self.longestTopic + 64) }

    /// The decision about a topic, made anew where it is not known by that version of the rules.
    mutating func allows(_ topic: TopicName, version: Int, _ decide: () -> Bool) -> Bool {
        if version != self.version {
            self.decisions.removeAll()
            self.version = version
        }
        if let decision = self.decisions[topic] { return decision }
        guard topic.string.utf8.count <= Self.longestTopic else { return decide() }
        if self.decisions.count >= Self.maximumCount { self.decisions.removeAll(keepingCapacity: true) }
        let decision = decide()
        self.decisions[topic] = decision
        return decision
    }
}
