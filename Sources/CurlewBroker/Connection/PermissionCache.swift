import CurlewCore

/// Recent decisions about where a client may publish; of one connection.
struct PermissionCache {
    private static let maximumCount = 64
    /// Longer topics are not cached, so that the cache stays small.
    private static let longestTopic = 256

    private var decisions: [TopicName: Bool] = [:]
    private var version = 0

    /// The maximum memory of the cached topics.
    var byteCount: Int { self.decisions.count * (Self.longestTopic + 64) }

    /// The decision about a topic. Calls `decide` if there is none by that version of the rules.
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
