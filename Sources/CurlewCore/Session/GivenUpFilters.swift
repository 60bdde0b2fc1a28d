import DequeModule

/// Filters that were given up on this connection a short while ago. A server still sends what it has in hand for them
/// (section 3.10.4), which nobody is to keep for another subscription.
struct GivenUpFilters {
    struct Filter: Equatable {
        let filter: TopicFilter
        /// Its subscription identifier; `nil` where an earlier run of the program has subscribed.
        let identifier: UInt32?
    }

    /// For how long a late message is expected after the UNSUBSCRIBE.
    private static let grace = Duration.seconds(60)
    /// How many filters are remembered, the latest.
    private static let maximumCount = 64

    private var filters = Deque<(Filter, until: Timestamp)>()

    /// Nobody wants the filter any more.
    mutating func gaveUp(_ filter: Filter, at now: Timestamp) {
        if self.filters.count == Self.maximumCount { self.filters.removeFirst() }
        self.filters.append((filter, now + Self.grace))
    }

    /// Somebody wants the filter again.
    mutating func wanted(_ filter: TopicFilter) {
        if !self.filters.isEmpty { self.filters.removeAll { $0.0.filter == filter } }
    }

    /// Whether a message that nobody wants came too late.
    ///
    /// - Parameters:
    ///   - identifiers: Its subscription identifiers.
    ///   - knowsAll: Whether the server has no filter but those that this run has subscribed to. One that an earlier run has
    ///     left may match as well, and its messages are not late.
    mutating func expectsNobody(
        for topic: TopicName, _ identifiers: [UInt32], knowsAll: Bool, at now: Timestamp
    ) -> Bool {
        while let first = self.filters.first, first.until <= now { self.filters.removeFirst() }
        guard !self.filters.isEmpty else { return false }
        let matching = self.filters.lazy.map(\.0).filter { $0.filter.matches(topic) }
        if knowsAll || matching.contains(where: { $0.identifier == nil }) { return !matching.isEmpty }
        return !identifiers.isEmpty
            && identifiers.allSatisfy { identifier in matching.contains { $0.identifier == identifier } }
    }

    /// Another connection begins: what comes on it may have waited unacknowledged for another subscription.
    mutating func connected() { self.filters.removeAll() }
}
