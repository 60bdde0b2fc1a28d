/// Which levels of a topic filter are wildcards, and how many levels it has.
///
/// Two filters with the same pattern match no topic together unless they are equal: where neither has a wildcard, both
/// say what the level of the topic is. So the number of different patterns bounds how many filters one topic matches.
package struct WildcardPattern: Hashable, Sendable {
    /// Of the pattern's bytes, with a secret of the process: a pattern of 65,535 levels takes as little room as any
    /// other.
    private let hash: Int

    /// The pattern of a filter; `nil` for one without wildcards, of which a topic matches only one.
    ///
    /// Of shared subscriptions, each share name has patterns of its own.
    package init?(of filter: TopicFilter) {
        guard filter.hasWildcards else { return nil }
        var hasher = Hasher()
        if let name = filter.shareName { name.hashBytes(into: &hasher) }
        filter.withFilterBytes { bytes in
            for byte in bytes {
                switch byte {
                case TopicByte.separator, TopicByte.singleLevelWildcard, TopicByte.multiLevelWildcard:
                    hasher.combine(byte)
                default: continue
                }
            }
        }
        self.hash = hasher.finalize()
    }
}
