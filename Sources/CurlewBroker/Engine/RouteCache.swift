import CurlewCore

/// The receivers of recent topics, found once for many messages; of one event loop.
struct RouteCache {
    /// The route of one topic, and the turn of its shared subscriptions.
    final class Entry {
        let route: SubscriptionIndex<Receiver>.Route
        /// Whether there are no receivers.
        let isEmpty: Bool
        var turn: Int
        /// Roughly how much memory it takes, including its topic.
        fileprivate let byteCount: Int

        fileprivate init(_ route: SubscriptionIndex<Receiver>.Route, turn: Int, byteCount: Int) {
            self.route = route
            self.isEmpty = route.targets.isEmpty && route.groups.isEmpty
            self.turn = turn
            self.byteCount = byteCount
        }
    }

    private struct Generation {
        var entries: [TopicName: Entry] = [:]
        var byteCount = 0

        func hasRoom(for entry: Entry) -> Bool {
            self.entries.count < RouteCache.maximumCount && self.byteCount <= RouteCache.maximumBytes - entry.byteCount
        }

        mutating func insert(_ entry: Entry, _ topic: TopicName) {
            self.entries[topic] = entry
            self.byteCount += entry.byteCount
        }
    }

    /// The limits of a generation; there are two generations.
    private static let maximumCount = 1024
    private static let maximumBytes = 8 << 20
    /// The object, and its place in the table.
    private static let overhead = 128

    private var index = SubscriptionIndex<Receiver>()
    /// That of the subscriptions by which all routes here were found.
    private(set) var version: UInt64 = 0
    /// When the recent routes are full, they replace the former ones: a flood of new topics evicts routes that are no
    /// longer used, while routes in use move to the recent ones again.
    private var recent = Generation()
    private var former = Generation()
    /// Shared subscriptions that occur in routes.
    private var groups: [TopicFilter: SubscriptionIndex<Receiver>.Group] = [:]
    /// The turn at which the next route begins in its shared subscriptions.
    private var turns = 0

    /// Roughly how many bytes the routes take.
    var byteCount: Int { self.recent.byteCount + self.former.byteCount }

    /// The route of a topic.
    ///
    /// - Parameters:
    ///   - version: The current version of the subscriptions.
    ///   - work: The cost of finding the route is added to it.
    ///   - refresh: Returns the current subscriptions, if the cached ones are outdated.
    ///   - allows: Whether a receiver may have the topic; only called if `isAsked`.
    mutating func entry(
        for topic: TopicName, version: UInt64, work: inout Int,
        refresh: () -> (SubscriptionIndex<Receiver>, UInt64), allows: (Receiver, TopicName) -> Bool, isAsked: Bool
    ) -> Entry {
        if version != self.version {
            (self.index, self.version) = refresh()
            self.recent = Generation()
            self.former = Generation()
            self.groups = [:]
        }
        if let entry = self.recent.entries[topic] { return entry }
        let entry = self.former.entries[topic] ?? self.makeEntry(topic, &work, allows: allows, isAsked: isAsked)
        guard entry.byteCount <= Self.maximumBytes else { return entry }
        if !self.recent.hasRoom(for: entry) {
            self.former = self.recent
            self.recent = Generation()
        }
        self.recent.insert(entry, topic)
        return entry
    }

    private mutating func makeEntry(
        _ topic: TopicName, _ work: inout Int, allows: (Receiver, TopicName) -> Bool, isAsked: Bool
    ) -> Entry {
        var route = self.index.route(topic, groups: &self.groups)
        var bytes = Self.overhead + topic.string.utf8.count + route.byteCount
        work += 4 + route.matchCount
        if isAsked {
            route.targets.removeAll { !allows($0.subscriber, topic) }
            for index in route.groups.indices {
                let members = route.groups[index].members
                work += members.count
                let allowed = members.filter { allows($0.subscriber, topic) }
                // A list that differs from the group's takes memory of its own.
                guard allowed.count < members.count else { continue }
                bytes += allowed.count * MemoryLayout.stride(ofValue: members[0])
                route.groups[index].members = allowed
            }
        }
        self.turns &+= 1
        return Entry(route, turn: self.turns, byteCount: bytes)
    }
}
