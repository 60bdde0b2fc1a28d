import DequeModule

/// Filters that were given up on this connection a short while ago. A server still sends what it has in hand for them
/// (section 3.10.4), which nobody is to keep for another subscription.
struct GivenUpFilters {
    /// For how long a late message is expected after the UNSUBSCRIBE.
    private static let grace = Duration.seconds(60)
    /// How many filters are remembered, the latest.
    private static let maximumCount = 64

    private var filters = Deque<(filter: TopicFilter, until: Timestamp)>()

    /// Nobody wants the filter any more.
    mutating func gaveUp(_ filter: TopicFilter, at now: Timestamp) {
        if self.filters.count == Self.maximumCount { self.filters.removeFirst() }
        self.filters.append((filter, now + Self.grace))
    }

    /// Somebody wants the filter again.
    mutating func wanted(_ filter: TopicFilter) {
        if !self.filters.isEmpty { self.filters.removeAll { $0.filter == filter } }
    }

    /// Whether a message that nobody wants came too late.
    mutating func expectsNobody(for topic: TopicName, at now: Timestamp) -> Bool {
        while let first = self.filters.first, first.until <= now { self.filters.removeFirst() }
        return self.filters.contains { $0.filter.matches(topic) }
    }

    /// Another connection begins: what comes on it may have waited unacknowledged for another subscription.
    mutating func connected() { self.filters.removeAll() }
}
