import HashTreeCollections

/// Who gets the messages of which topic: all subscriptions of all clients.
///
/// A value that is copied for nothing, so that each event loop matches topics in a copy of its own without a lock.
package struct SubscriptionIndex<Subscriber: Hashable & Sendable>: Sendable {
    /// What a subscription grants its client.
    package struct Grant: Equatable, Sendable {
        package var qos: QoS
        package var noLocal: Bool
        package var retainAsPublished: Bool
        /// Of the SUBSCRIBE that made it, if that had one.
        package var identifier: UInt32?

        package init(_ options: SubscriptionOptions, identifier: UInt32? = nil) {
            self.qos = options.qos
            self.noLocal = options.noLocal
            self.retainAsPublished = options.retainAsPublished
            self.identifier = identifier
        }
    }

    /// By filter: whose subscriptions there are. Persistent, so that a change of a filter with many costs as little as of one with few.
    private var tree = TopicTree<TreeDictionary<Subscriber, Grant>>()

    /// How many subscriptions there are.
    package private(set) var count = 0

    package init() {}

    /// Makes a subscription, or replaces what it grants [MQTT-3.8.4-3]. Returns whether it is new.
    @discardableResult
    package mutating func insert(_ filter: TopicFilter, _ subscriber: Subscriber, _ grant: Grant) -> Bool {
        let former = self.tree.withValue(for: filter, default: [:]) { $0.updateValue(grant, forKey: subscriber) }
        if former == nil { self.count += 1 }
        return former == nil
    }

    /// Ends a subscription. Returns whether there was one.
    @discardableResult
    package mutating func remove(_ filter: TopicFilter, _ subscriber: Subscriber) -> Bool {
        guard self.tree[filter]?[subscriber] != nil else { return false }
        let isEmpty = self.tree.withValue(for: filter, default: [:]) { subscribers in
            subscribers.removeValue(forKey: subscriber)
            return subscribers.isEmpty
        }
        if isEmpty { self.tree.remove(filter) }
        self.count -= 1
        return true
    }

    /// Who gets a message of `topic`.
    package func route(_ topic: TopicName) -> Route {
        var route = Route()
        /// Where subscribers are in the route; needed once a second filter matches.
        var places: [Subscriber: Int]?
        self.tree.forEachMatch(of: topic) { filter, subscribers in
            guard !filter.isShared else {
                route.groups.append(Group(filter: filter, members: subscribers.map { ($0.key, $0.value) }))
                return
            }
            if route.targets.isEmpty {
                route.targets.reserveCapacity(subscribers.count)
                for (subscriber, grant) in subscribers { route.targets.append(Target(subscriber, grant)) }
                return
            }
            var known = places ?? Dictionary(uniqueKeysWithValues: zip(route.targets.map(\.subscriber), 0...))
            for (subscriber, grant) in subscribers {
                if let place = known[subscriber] {
                    route.targets[place].grants.append(grant)
                } else {
                    known[subscriber] = route.targets.count
                    route.targets.append(Target(subscriber, grant))
                }
            }
            places = known
        }
        return route
    }

    /// Who gets the messages of one topic.
    package struct Route: Sendable {
        package var targets: [Target] = []
        package var groups: [Group] = []

        package var isEmpty: Bool { self.targets.isEmpty && self.groups.isEmpty }
    }

    /// A client that gets the message once, however many of its subscriptions match.
    package struct Target: Sendable {
        package let subscriber: Subscriber
        package internal(set) var grants: [Grant]

        init(_ subscriber: Subscriber, _ grant: Grant) {
            self.subscriber = subscriber
            self.grants = [grant]
        }

        /// How the message goes to the client; `nil` when only subscriptions match that leave out what the client itself publishes
        /// [MQTT-3.8.3-3].
        package func terms(
            publishedAt qos: QoS, retain: Bool, isOwn: Bool, upgrades: Bool
        ) -> DeliveryTerms? {
            Self.terms(self.grants, publishedAt: qos, retain: retain, isOwn: isOwn, upgrades: upgrades)
        }

        static func terms(
            _ grants: [Grant], publishedAt qos: QoS, retain: Bool, isOwn: Bool, upgrades: Bool
        ) -> DeliveryTerms? {
            var granted: QoS?
            var keepsRetain = false
            var identifiers: [UInt32] = []
            for grant in grants where !(isOwn && grant.noLocal) {
                granted = max(granted ?? .atMostOnce, grant.qos)
                keepsRetain = keepsRetain || grant.retainAsPublished
                if let identifier = grant.identifier { identifiers.append(identifier) }
            }
            // [MQTT-3.3.4-2]: the highest of the matching subscriptions; [MQTT-3.8.4-8]: and no higher than published.
            guard let granted else { return nil }
            // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
            return DeliveryTerms(
                qos: upgrades ? granted : min(qos, granted), retain: retain && keepsRetain, identifiers: identifiers)
        }
    }

    /// The clients that share a subscription, one of which gets the message [MQTT-4.8.2-4].
    package struct Group: Sendable {
        package let filter: TopicFilter
        package let members: [(subscriber: Subscriber, grant: Grant)]

        /// How the message goes to one of the members.
        package func terms(_ grant: Grant, publishedAt qos: QoS, retain: Bool, upgrades: Bool) -> DeliveryTerms? {
            var terms = Target.terms([grant], publishedAt: qos, retain: retain, isOwn: false, upgrades: upgrades)
            terms?.group = self.filter
            return terms
        }
    }
}
