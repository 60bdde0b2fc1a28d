import CurlewCore

/// Who gets the messages of the topics that came last, found once for many messages; of one event loop.
struct RouteCache {
    /// The route of one topic, and whose turn it is in its shared subscriptions.
    final class Entry {
        let route: SubscriptionIndex<Receiver>.Route
        var turn: Int
        /// Roughly what it takes in memory, its topic included.
        fileprivate let byteCount: Int

        fileprivate init(_ route: SubscriptionIndex<Receiver>.Route, turn: Int, byteCount: Int) {
            self.route = route
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

    /// How many routes a generation holds, and how many bytes these take; there are two generations.
    private static let maximumCount = 1024
    private static let maximumBytes = 8 << 20
    /// The object, and its place in the table.
    private static let overhead = 128

    private var index = SubscriptionIndex<Receiver>()
    /// That of the subscriptions by which all routes here were found.
    private(set) var version: UInt64 = 0
    /// When the recent routes are full they take the place of the former ones: a flood of new topics pushes out what is no longer used, and
    /// what is used comes back.
    private var recent = Generation()
    private var former = Generation()
    /// Shared subscriptions that occur in routes.
    private var groups: [TopicFilter: SubscriptionIndex<Receiver>.Group] = [:]
    /// Where the next route begins in its shared subscriptions.
    private var turns = 0

    /// Roughly how many bytes the routes take.
    var byteCount: Int { self.recent.byteCount + self.former.byteCount }

    /// The route of a topic, by the subscriptions of that version, which `refresh` gets where ours are older. Receivers that are not
    /// allowed to have the topic are left out, if that `isAsked`.
    ///
    /// - Parameter work: What finding it has cost is added.
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
                // What differs from the group is the route's own.
                guard allowed.count < members.count else { continue }
                bytes += allowed.count * MemoryLayout.stride(ofValue: members[0])
                route.groups[index].members = allowed
            }
        }
        self.turns &+= 1
        return Entry(route, turn: self.turns, byteCount: bytes)
    }
}
