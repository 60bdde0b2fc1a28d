/// Decides which local subscribers get a message.
///
/// ``SubscriptionTable`` reports every change to a filter. Lives longer than connection and session; what it remembers
/// of messages only prevents duplicates.
struct SubscriptionRouter {
    /// What routing has to know of one topic filter.
    struct Filter: Equatable {
        let filter: TopicFilter
        var options: SubscriptionOptions
        var subscribers: [SubscriberID]
        /// Orders the filters by the time of the server's grant; `nil` if the server may not have this one.
        var grantNumber: UInt64?
        /// The subscribers that caused the last SUBSCRIBE with the filter's own identifier, and get the retained
        /// messages that it brings.
        var requesters: [SubscriberID]
    }

    private struct Entry {
        var current: Filter
        /// Filters that overlap this one: since the server granted it, a message that both match has come with its
        /// identifier.
        var knownOverlaps: Set<UInt32> = []
        /// The identifiers of repeated SUBSCRIBEs, the latest last.
        var repetitions: [UInt32] = []
    }

    /// A SUBSCRIBE for a filter that the server has already, sent to get the retained messages for later subscribers.
    private struct Repetition {
        /// The key of the filter.
        let identifier: UInt32
        let subscribers: [SubscriberID]
    }

    struct RouteKey: Hashable {
        let topic: TopicName
        /// 0: none.
        let identifier: UInt32
        let retain: Bool
    }

    /// Limits of the cache: topics come from the peer.
    private static let maximumRoutes = 4096
    private static let longestTopic = 256
    /// How many repetitions of a filter are remembered. Retained messages for an older one go to all its subscribers.
    private static let maximumRepetitions = 8

    /// The key is the subscription identifier.
    private var entries: [UInt32: Entry] = [:]
    /// The identifiers of the filters that match a topic. Several filters may differ only in the share name.
    private var tree = TopicTree<[UInt32]>()
    /// The filters of each subscriber, in the order in which it joined them.
    private var filters: [SubscriberID: [UInt32]] = [:]
    /// The key is the subscription identifier of the repeated SUBSCRIBE.
    private var repetitions: [UInt32: Repetition] = [:]
    /// The subscriber that gets the messages that match no filter.
    private var remainder: SubscriberID?
    /// Whether subscription identifiers in messages are certainly ours, and not those of an earlier run of the program.
    private var trustsIdentifiers = true
    /// Cached decisions; any change invalidates them.
    private var routes: [RouteKey: [SubscriberID]] = [:]

    var cachedRoutes: Int { self.routes.count }
    var repetitionCount: Int { self.repetitions.count }

    /// The filters of a subscriber, in the order in which it joined them.
    func filters(of subscriber: SubscriberID) -> [UInt32] { self.filters[subscriber] ?? [] }

    /// Whether a repeated SUBSCRIBE uses this subscription identifier.
    func hasRepetition(_ identifier: UInt32) -> Bool { self.repetitions[identifier] != nil }

    // MARK: Changes

    /// A filter is new, or has changed.
    mutating func update(_ identifier: UInt32, _ filter: Filter) {
        guard var entry = self.entries[identifier] else {
            self.entries[identifier] = Entry(current: filter)
            self.tree.withValue(for: filter.filter, default: []) { $0.append(identifier) }
            self.updateSubscribers(of: identifier, from: [], to: filter.subscribers)
            self.invalidateRoutes()
            return
        }
        guard entry.current != filter else { return }
        if let number = filter.grantNumber, number != entry.current.grantNumber { entry.knownOverlaps = [] }
        self.updateSubscribers(of: identifier, from: entry.current.subscribers, to: filter.subscribers)
        entry.current = filter
        self.entries[identifier] = entry
        self.invalidateRoutes()
    }

    /// A filter is gone.
    mutating func remove(_ identifier: UInt32) {
        self.forgetRepetitions(of: identifier)
        guard let entry = self.entries.removeValue(forKey: identifier) else { return }
        let filter = entry.current.filter
        self.tree.withValue(for: filter, default: []) { $0.removeAll { $0 == identifier } }
        if self.tree[filter]?.isEmpty == true { self.tree.remove(filter) }
        self.updateSubscribers(of: identifier, from: entry.current.subscribers, to: [])
        self.invalidateRoutes()
    }

    private mutating func updateSubscribers(
        of identifier: UInt32, from old: [SubscriberID], to new: [SubscriberID]
    ) {
        guard old != new else { return }
        for subscriber in old where !new.contains(subscriber) {
            self.filters[subscriber]?.removeAll { $0 == identifier }
            if self.filters[subscriber]?.isEmpty == true { self.filters[subscriber] = nil }
        }
        for subscriber in new where !old.contains(subscriber) {
            self.filters[subscriber, default: []].append(identifier)
        }
    }

    /// A SUBSCRIBE repeats the filter under another identifier, for these subscribers.
    mutating func repeats(_ identifier: UInt32, as repetition: UInt32, for subscribers: [SubscriberID]) {
        self.repetitions[repetition] = Repetition(identifier: identifier, subscribers: subscribers)
        self.entries[identifier]?.repetitions.append(repetition)
        if let count = self.entries[identifier]?.repetitions.count, count > Self.maximumRepetitions,
            let oldest = self.entries[identifier]?.repetitions.removeFirst()
        {
            self.repetitions[oldest] = nil
        }
        self.invalidateRoutes()
    }

    /// The server has lost the filter.
    mutating func forgetRepetitions(of identifier: UInt32) {
        for repetition in self.entries[identifier]?.repetitions ?? [] { self.repetitions[repetition] = nil }
        self.entries[identifier]?.repetitions = []
        self.invalidateRoutes()
    }

    /// A subscriber gets all messages that match no filter.
    mutating func takeRemainder(_ subscriber: SubscriberID) {
        self.remainder = subscriber
        self.invalidateRoutes()
    }

    /// A subscriber has ended.
    mutating func ended(_ subscriber: SubscriberID) {
        guard self.remainder == subscriber else { return }
        self.remainder = nil
        self.invalidateRoutes()
    }

    /// Whether subscription identifiers in messages are certainly ours has changed.
    mutating func trustIdentifiers(_ isTrusted: Bool) {
        guard self.trustsIdentifiers != isTrusted else { return }
        self.trustsIdentifiers = isTrusted
        self.invalidateRoutes()
    }

    private mutating func invalidateRoutes() {
        if !self.routes.isEmpty { self.routes.removeAll(keepingCapacity: true) }
    }

    // MARK: Routing

    /// The subscribers of a message, each once. `identifiers` are its subscription identifiers.
    ///
    /// A server may send one copy with the identifiers of all our filters that match [MQTT-3.3.4-4], or one copy for
    /// each of them [MQTT-3.3.4-5]. The identifier tells which filter a copy is for, so that each subscriber gets the
    /// message once. A message without known identifiers goes to all subscribers with a matching filter.
    mutating func subscribers(for topic: TopicName, _ identifiers: [UInt32], retain: Bool) -> [SubscriberID] {
        guard identifiers.count < 2, topic.string.utf8.count <= Self.longestTopic else {
            return self.findRoute(topic, identifiers, retain)
        }
        let key = RouteKey(topic: topic, identifier: identifiers.first ?? 0, retain: retain && !identifiers.isEmpty)
        if let route = self.routes[key] { return route }
        let route = self.findRoute(topic, identifiers, retain)
        if self.routes.count >= Self.maximumRoutes { self.invalidateRoutes() }
        self.routes[key] = route
        return route
    }

    private mutating func findRoute(_ topic: TopicName, _ identifiers: [UInt32], _ retain: Bool) -> [SubscriberID] {
        var route = Route()
        var isKnown = false
        if self.trustsIdentifiers {
            // A server that repeats an identifier must not cause the topic to be matched again each time.
            var seen: Set<UInt32> = []
            for identifier in identifiers where identifiers.count == 1 || seen.insert(identifier).inserted {
                let repetition = self.repetitions[identifier]
                let identifier = repetition?.identifier ?? identifier
                guard let filter = self.entries[identifier]?.current, filter.filter.matches(topic) else { continue }
                isKnown = true
                if retain, !filter.options.retainAsPublished {
                    // A retained message answers one SUBSCRIBE. Other subscribers may have received it long ago,
                    // through this filter or one that overlaps.
                    let requesters = repetition?.subscribers ?? filter.requesters
                    route.add(filter.subscribers.filter(requesters.contains))
                } else if retain || identifiers.count > 1 {
                    route.add(filter.subscribers)
                } else {
                    route.add(filter.subscribers.filter { self.isChosen(identifier, filter, for: $0, topic) })
                    self.noteOverlaps(of: identifier, filter, topic)
                }
            }
        }
        guard !isKnown else { return route.subscribers }
        self.tree.forEachMatch(of: topic) { _, matches in
            for identifier in matches { route.add(self.entries[identifier]?.current.subscribers ?? []) }
        }
        if route.subscribers.isEmpty, let remainder { return [remainder] }
        return route.subscribers
    }

    /// Whether the copy for this filter is the one that the subscriber gets. If several of its filters match, the
    /// server sends a copy for each one that it has, except that it withholds our own messages from filters with No
    /// Local, and sends a shared one to any member of the group. The copy that is certain to come, at the highest QoS,
    /// is chosen.
    ///
    /// If the server had already taken up the message when it granted a filter, there is no copy for that filter, and
    /// the others may come any time later. So the copy for an older filter is suppressed only once copies for the
    /// younger one have come: delivering one message twice is better than losing one.
    private func isChosen(
        _ identifier: UInt32, _ filter: Filter, for subscriber: SubscriberID, _ topic: TopicName
    ) -> Bool {
        guard filter.filter.shareName == nil, let own = self.filters[subscriber], own.count > 1 else { return true }
        func rank(_ options: SubscriptionOptions) -> UInt8 { (options.noLocal ? 0 : 4) + options.qos.rawValue }
        let mine = rank(filter.options)
        let grantNumber = filter.grantNumber ?? .max
        for other in own where other != identifier {
            guard let entry = self.entries[other], let rivalGrantNumber = entry.current.grantNumber,
                entry.current.filter.shareName == nil
            else { continue }
            let theirs = rank(entry.current.options)
            let isOlder = rivalGrantNumber < grantNumber
            guard theirs > mine ? isOlder || entry.knownOverlaps.contains(identifier) : theirs == mine && isOlder
            else { continue }
            if entry.current.filter.matches(topic) { return false }
        }
        return true
    }

    /// A copy for this filter has come: from now on those for overlapping filters of the same subscribers may be
    /// suppressed.
    private mutating func noteOverlaps(of identifier: UInt32, _ filter: Filter, _ topic: TopicName) {
        guard filter.grantNumber != nil, filter.filter.shareName == nil, let entry = self.entries[identifier] else {
            return
        }
        var overlaps: [UInt32] = []
        for subscriber in filter.subscribers {
            guard let own = self.filters[subscriber], own.count > 1 else { continue }
            overlaps += own.filter { other in
                other != identifier && !entry.knownOverlaps.contains(other)
                    && self.entries[other]?.current.filter.matches(topic) == true
            }
        }
        guard !overlaps.isEmpty else { return }
        self.entries[identifier]?.knownOverlaps.formUnion(overlaps)
        self.invalidateRoutes()
    }

    /// Subscribers in order, each once.
    private struct Route {
        private(set) var subscribers: [SubscriberID] = []
        private var known: Set<SubscriberID> = []

        mutating func add(_ more: [SubscriberID]) {
            guard !self.subscribers.isEmpty else {
                self.subscribers = more
                return
            }
            if self.known.isEmpty { self.known = Set(self.subscribers) }
            for subscriber in more where self.known.insert(subscriber).inserted { self.subscribers.append(subscriber) }
        }
    }
}
