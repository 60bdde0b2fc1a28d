import CurlewCore

/// Who gets the messages of the topics that came last, found once for many messages; of one event loop.
struct RouteCache {
    /// The route of one topic, and whose turn it is in its shared subscriptions.
    final class Entry {
        let route: SubscriptionIndex<Subscriber>.Route
        var turn: Int

        init(_ route: SubscriptionIndex<Subscriber>.Route, turn: Int) {
            self.route = route
            self.turn = turn
        }
    }

    private static let maximumCount = 1024
    /// A route to more is not kept: finding it costs little beside following it.
    private static let longestRoute = 1024

    private var index = SubscriptionIndex<Subscriber>()
    private var version: UInt64 = 0
    private var entries: [TopicName: Entry] = [:]
    /// Where the next route begins in its shared subscriptions.
    private var turns = 0

    /// The route of a topic, by the subscriptions of that version, which `refresh` gets where ours are older.
    mutating func route(
        of topic: TopicName, version: UInt64, refresh: () -> (SubscriptionIndex<Subscriber>, UInt64),
        allows: (Subscriber, TopicName) -> Bool
    ) -> Entry {
        if version != self.version {
            (self.index, self.version) = refresh()
            self.entries.removeAll(keepingCapacity: true)
        }
        if let entry = self.entries[topic] { return entry }
        var route = self.index.route(topic)
        route.targets.removeAll { !allows($0.subscriber, topic) }
        self.turns &+= 1
        let entry = Entry(route, turn: self.turns)
        if route.targets.count <= Self.longestRoute {
            if self.entries.count >= Self.maximumCount { self.entries.removeAll(keepingCapacity: true) }
            self.entries[topic] = entry
        }
        return entry
    }
}
