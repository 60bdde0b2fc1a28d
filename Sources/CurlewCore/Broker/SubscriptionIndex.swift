import HashTreeCollections

/// Finds the receivers of a message among all subscriptions of all clients.
///
/// A value that is cheap to copy, so that each event loop routes with a copy of its own without a lock.
package struct SubscriptionIndex<Subscriber: Hashable & Sendable>: Sendable {
    /// What a subscription grants its client.
    package struct Grant: Equatable, Sendable {
        package var qos: QoS
        package var noLocal: Bool
        package var retainAsPublished: Bool
        /// From the SUBSCRIBE, if it had one.
        package var identifier: UInt32?

        package init(_ options: SubscriptionOptions, identifier: UInt32? = nil) {
            self.qos = options.qos
            self.noLocal = options.noLocal
            self.retainAsPublished = options.retainAsPublished
            self.identifier = identifier
        }
    }

    /// The subscriptions by filter. Persistent, so that a change to a filter with many subscribers costs no more than
    /// to one with few.
    private var tree = TopicTree<TreeDictionary<Subscriber, Grant>>()

    /// The number of subscriptions.
    package private(set) var count = 0
    /// Counts the changes that invalidate routes.
    package private(set) var changes: UInt64 = 0

    package init() {}

    /// Adds a subscription, or replaces its options [MQTT-3.8.4-3]. Returns whether it is new.
    @discardableResult
    package mutating func insert(_ filter: TopicFilter, _ subscriber: Subscriber, _ grant: Grant) -> Bool {
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
                    route.targets[place].add(grant)
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

        package var isEmpty: Bool { self.targets.isEmpty && self.groups.isEmpty }

        /// The approximate size in memory. All routes of the index share the members of groups.
        package var byteCount: Int {
            self.targets.reduce(0) { $0 + MemoryLayout<Target>.stride + $1.identifierBytes }
                + self.groups.count * MemoryLayout<Group>.stride
        }
    }

    /// The combined effect of one client's subscriptions that match the same topic.
    private struct Merged: Sendable {
        /// The highest of the matching subscriptions [MQTT-3.3.4-2].
        var qos: QoS
        var keepsRetain: Bool
        /// The identifiers of those that have one [MQTT-3.3.4-3].
        var identifiers: [UInt32]

        init(_ grant: Grant) {
            self.qos = grant.qos
            self.keepsRetain = grant.retainAsPublished
            self.identifiers = grant.identifier.map { [$0] } ?? []
        }

        mutating func add(_ grant: Grant) {
            self.qos = max(self.qos, grant.qos)
            self.keepsRetain = self.keepsRetain || grant.retainAsPublished
            if let identifier = grant.identifier { self.identifiers.append(identifier) }
        }

        func terms(publishedAt qos: QoS, retain: Bool, upgrades: Bool) -> DeliveryTerms {
            // [MQTT-3.8.4-8]: no higher than the published QoS. [MQTT-3.3.1-12] [MQTT-3.3.1-13]
            DeliveryTerms(
                qos: upgrades ? self.qos : min(qos, self.qos), retain: retain && self.keepsRetain,
                identifiers: self.identifiers)
        }
    }

    /// A client that gets the message once, even if several of its subscriptions match.
    package struct Target: Sendable {
        package let subscriber: Subscriber
        private var merged: Merged
        /// The subscriptions without No Local, if others have it.
        private var mergedForOwn: Merged?
        private var hasNoLocal: Bool

        init(_ subscriber: Subscriber, _ grant: Grant) {
            self.subscriber = subscriber
            self.merged = Merged(grant)
            self.hasNoLocal = grant.noLocal
        }

        mutating func add(_ grant: Grant) {
            if grant.noLocal, !self.hasNoLocal {
                self.hasNoLocal = true
                self.mergedForOwn = self.merged
            } else if self.hasNoLocal, !grant.noLocal {
                if self.mergedForOwn == nil { self.mergedForOwn = Merged(grant) } else { self.mergedForOwn?.add(grant) }
            }
            self.merged.add(grant)
        }

        /// How the message is delivered to the client; `nil` when only No Local subscriptions match and the client
        /// itself published it [MQTT-3.8.3-3].
        package func terms(
            publishedAt qos: QoS, retain: Bool, isOwn: Bool, upgrades: Bool
        ) -> DeliveryTerms? {
            guard isOwn, self.hasNoLocal else {
                return self.merged.terms(publishedAt: qos, retain: retain, upgrades: upgrades)
            }
            return self.mergedForOwn?.terms(publishedAt: qos, retain: retain, upgrades: upgrades)
        }

        fileprivate var identifierBytes: Int {
            let count = self.merged.identifiers.count + (self.mergedForOwn?.identifiers.count ?? 0)
            return count == 0 ? 0 : count * MemoryLayout<UInt32>.stride + 64
        }
    }

    /// The clients that share a subscription; one of them gets each message [MQTT-4.8.2-4].
    package struct Group: Sendable {
        package let filter: TopicFilter
        package var members: [(subscriber: Subscriber, grant: Grant)]

        /// How the message is delivered to one of the members.
        package func terms(_ grant: Grant, publishedAt qos: QoS, retain: Bool, upgrades: Bool) -> DeliveryTerms {
            var terms = Merged(grant).terms(publishedAt: qos, retain: retain, upgrades: upgrades)
            terms.group = self.filter
            return terms
        }
    }
}
