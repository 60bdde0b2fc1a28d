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
    /// How many receivers all routes may have together that are kept.
    private static let maximumReceivers = 1 << 17

    private var index = SubscriptionIndex<Subscriber>()
    private var version: UInt64 = 0
    private var entries: [TopicName: Entry] = [:]
    private var receivers = 0
    /// Where the next route begins in its shared subscriptions.
    private var turns = 0

    /// The route of a topic, by the subscriptions of that version, which `refresh` gets where ours are older. Receivers that are not
    /// allowed to have the topic are left out, if that `isAsked`.
    mutating func route(
        of topic: TopicName, version: UInt64, refresh: () -> (SubscriptionIndex<Subscriber>, UInt64),
        allows: (Subscriber, TopicName) -> Bool, isAsked: Bool
    ) -> Entry {
        if version != self.version {
            (self.index, self.version) = refresh()
            self.clear()
        }
        if let entry = self.entries[topic] { return entry }
        var route = self.index.route(topic)
        if isAsked {
            route.targets.removeAll { !allows($0.subscriber, topic) }
            for index in route.groups.indices {
                route.groups[index].members.removeAll { !allows($0.subscriber, topic) }
            }
        }
        self.turns &+= 1
        let entry = Entry(route, turn: self.turns)
        let receivers = 1 + route.targets.count + route.groups.reduce(0) { $0 + $1.members.count }
        if receivers <= Self.maximumReceivers {
            if self.entries.count >= Self.maximumCount || self.receivers + receivers > Self.maximumReceivers {
                self.clear()
            }
            self.entries[topic] = entry
            self.receivers += receivers
        }
        return entry
    }

    private mutating func clear() {
        self.entries.removeAll(keepingCapacity: true)
        self.receivers = 0
    }
}
