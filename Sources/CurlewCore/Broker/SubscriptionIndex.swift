import HashTreeCollections

/// Finds the receivers of a message among all subscriptions of all clients.
///
/// A value that is cheap to copy, so that each event loop routes with a copy of its own without a lock.
package struct SubscriptionIndex<Subscriber: Hashable & Sendable>: Sendable {
    /// The subscriptions by filter. Persistent, so that a change to a filter with many subscribers costs no more than
    /// to one with few.
    private var tree = TopicTree<TreeDictionary<Subscriber, SubscriptionGrant>>()

    /// The number of subscriptions.
    package private(set) var count = 0
    /// Counts the changes that invalidate routes.
    package private(set) var changes: UInt64 = 0

    package init() {}

    /// Adds a subscription, or replaces its options [MQTT-3.8.4-3]. Returns whether it is new.
    @discardableResult
    package mutating func insert(_ filter: TopicFilter, _ subscriber: Subscriber, _ grant: SubscriptionGrant) -> Bool {
        // Most repeated subscriptions are unchanged, and must not invalidate routes.
        guard self.tree[filter]?[subscriber] != grant else { return false }
        let former = self.tree.withValue(for: filter, default: [:]) { $0.updateValue(grant, forKey: subscriber) }
        self.changes &+= 1
        if former == nil { self.count += 1 }
        return former == nil
    }

    /// Removes a subscription. Returns whether there was one.
    @discardableResult
    package mutating func remove(_ filter: TopicFilter, _ subscriber: Subscriber) -> Bool {
        guard self.tree[filter]?[subscriber] != nil else { return false }
        let isEmpty = self.tree.withValue(for: filter, default: [:]) { subscribers in
            subscribers.removeValue(forKey: subscriber)
            return subscribers.isEmpty
        }
        if isEmpty { self.tree.remove(filter) }
        self.changes &+= 1
        self.count -= 1
        return true
    }

    /// Whether any of a subscriber's filters matches `topic`.
    package func hasMatch(of topic: TopicName, for subscriber: Subscriber) -> Bool {
        var isFound = false
        self.tree.forEachMatch(of: topic) { _, subscribers in
            if subscribers[subscriber] != nil { isFound = true }
        }
        return isFound
    }

    /// The receivers of a message on `topic`.
    ///
    /// - Parameter groups: Groups found earlier in this index, and those that this route adds: a group may have many
    ///   members, and match many topics.
    package func route(_ topic: TopicName, groups: inout [TopicFilter: Group]) -> Route {
        var route = Route()
        /// Positions of the subscribers in the route; needed once a second filter matches.
        var places: [Subscriber: Int]?
        self.tree.forEachMatch(of: topic) { filter, subscribers in
            guard !filter.isShared else {
                route.matchCount += 1
                if let group = groups[filter] { return route.groups.append(group) }
                let group = Group(filter: filter, members: subscribers.map { ($0.key, $0.value) })
                groups[filter] = group
                return route.groups.append(group)
            }
            route.matchCount += subscribers.count
            if route.targets.isEmpty {
                route.targets.reserveCapacity(subscribers.count)
                for (subscriber, grant) in subscribers { route.targets.append(Target(subscriber, grant)) }
                return
            }
            // Moved out temporarily: with two owners, each filter would copy it.
            var known =
                exchange(&places, with: nil)
                ?? Dictionary(uniqueKeysWithValues: zip(route.targets.lazy.map(\.subscriber), 0...))
            for (subscriber, grant) in subscribers {
                if let place = known[subscriber] {
                    route.targets[place].grants.add(grant)
                } else {
                    known[subscriber] = route.targets.count
                    route.targets.append(Target(subscriber, grant))
                }
            }
            places = known
        }
        return route
    }

    /// The receivers of a message on `topic`.
    package func route(_ topic: TopicName) -> Route {
        var groups: [TopicFilter: Group] = [:]
        return self.route(topic, groups: &groups)
    }

    /// The receivers of the messages on one topic.
    package struct Route: Sendable {
        package var targets: [Target] = []
        package var groups: [Group] = []
        /// The number of subscriptions examined, a group counted as one.
        package fileprivate(set) var matchCount = 0

        /// The approximate size in memory. All routes of the index share the members of groups.
        package var byteCount: Int {
            self.targets.reduce(0) { $0 + MemoryLayout<Target>.stride + $1.grants.identifierBytes }
                + self.groups.count * MemoryLayout<Group>.stride
        }
    }

    /// A client that gets the message once, even if several of its subscriptions match.
    package struct Target: Sendable {
        package let subscriber: Subscriber
        package fileprivate(set) var grants: MatchingGrants

        init(_ subscriber: Subscriber, _ grant: SubscriptionGrant) {
            self.subscriber = subscriber
            self.grants = MatchingGrants(grant)
        }
    }

    /// The clients that share a subscription; one of them gets each message [MQTT-4.8.2-4].
    package struct Group: Sendable {
        package let filter: TopicFilter
        package var members: [(subscriber: Subscriber, grant: SubscriptionGrant)]
    }
}
