import DequeModule

/// Filters that were recently given up on this connection. A server may still send messages that it had already taken
/// up for them (section 3.10.4); these must not be kept for another subscription.
struct GivenUpFilters {
    struct Filter: Equatable {
        let filter: TopicFilter
        /// Its subscription identifier; `nil` if an earlier run of the program subscribed.
        let identifier: UInt32?
    }

    /// How long after the UNSUBSCRIBE a late message is expected.
    private static let grace = Duration.seconds(60)
    /// How many filters are remembered; the oldest is forgotten first.
    private static let maximumCount = 64

    private var filters = Deque<(Filter, until: Timestamp)>()

    /// The last subscriber of the filter has ended.
    mutating func gaveUp(_ filter: Filter, at now: Timestamp) {
        if self.filters.count == Self.maximumCount { self.filters.removeFirst() }
        self.filters.append((filter, now + Self.grace))
    }

    /// The filter has a subscriber again.
    mutating func wanted(_ filter: TopicFilter) {
        if !self.filters.isEmpty { self.filters.removeAll { $0.0.filter == filter } }
    }

    /// Whether a message without a subscriber is a late one.
    ///
    /// - Parameters:
    ///   - identifiers: Its subscription identifiers.
    ///   - knowsAll: Whether the server has only filters that this run of the program has subscribed to. A filter of an
    ///     earlier run may match as well, and its messages are not late.
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

    /// Another connection begins: messages on it may have waited unacknowledged for another subscription.
    mutating func connected() { self.filters.removeAll() }
}
