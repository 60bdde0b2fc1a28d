// Who gets a message.
extension SubscriptionTable {
    struct RouteKey: Hashable {
        let topic: TopicName
        /// 0: none.
        let identifier: UInt32
        let retain: Bool
    }

    /// How many routes are remembered at the most, and of topics of how many bytes: topics come from the peer.
    private static let maximumRoutes = 4096
    private static let longestTopic = 256

    mutating func forgetRoutes() {
        if !self.routes.isEmpty { self.routes.removeAll(keepingCapacity: true) }
    }

    /// The subscribers of a message, each once. `identifiers` are its subscription identifiers.
    ///
    /// A server may send one copy with the identifiers of all our filters that match [MQTT-3.3.4-4], or a copy for each
    /// of them [MQTT-3.3.4-5]; the identifier tells for which one, so that each subscriber gets the message once. A
    /// message whose identifiers tell nothing goes to all who match.
    mutating func route(_ topic: TopicName, _ identifiers: [UInt32], retain: Bool) -> [SubscriberID] {
        guard identifiers.count < 2, topic.string.utf8.count <= Self.longestTopic else {
            return self.findRoute(topic, identifiers, retain)
        }
        let key = RouteKey(topic: topic, identifier: identifiers.first ?? 0, retain: retain && !identifiers.isEmpty)
        if let route = self.routes[key] { return route }
        let route = self.findRoute(topic, identifiers, retain)
        if self.routes.count >= Self.maximumRoutes { self.forgetRoutes() }
        self.routes[key] = route
        return route
    }

    private mutating func findRoute(_ topic: TopicName, _ identifiers: [UInt32], _ retain: Bool) -> [SubscriberID] {
        var route = Route()
        var isKnown = false
        // Where somebody listens to filters of an earlier run of the program, an identifier may be of that run.
        if self.local.isEmpty {
            // A server that repeats one must not have the topic matched again for it.
            var seen: Set<UInt32> = []
            for identifier in identifiers where identifiers.count == 1 || seen.insert(identifier).inserted {
                let repetition = self.repetitions[identifier]
                let identifier = repetition?.identifier ?? identifier
                guard let entry = self.entries[identifier], entry.filter.matches(topic) else { continue }
                isKnown = true
                if retain, !entry.options.retainAsPublished {
                    // Retained messages are sent for the sake of one SUBSCRIBE: another may have brought them long ago,
                    // for this filter or one that overlaps.
                    let askedFor = repetition?.subscribers ?? entry.standing.askedFor
                    route.add(entry.subscribers.filter(askedFor.contains))
                } else if retain || identifiers.count > 1 {
                    route.add(entry.subscribers)
                } else {
                    route.add(entry.subscribers.filter { self.isChosen(identifier, entry, for: $0, topic) })
                    self.noteCopy(identifier, entry, topic)
                }
            }
        }
        guard !isKnown else { return route.subscribers }
        self.tree.forEachMatch(of: topic) { _, matches in
            for identifier in matches { route.add(self.entries[identifier]?.subscribers ?? []) }
        }
        if route.subscribers.isEmpty, let remainder { return [remainder] }
        return route.subscribers
    }

    /// Whether the copy for this filter is the one that the subscriber gets. If several filters of its own match, the
    /// server sends a copy for each that it knows, save that it keeps our own messages from those with No Local, and
    /// gives a shared one to any member of the group: the copy that surely comes, at the highest QoS, is the one.
    ///
    /// A message that the server had in hand when it granted a filter has no copy for that one, and may come any time
    /// later. So the copy for an older filter is left out only when copies for the younger one have come: it is better
    /// to hand on one message twice than one never.
    private func isChosen(
        _ identifier: UInt32, _ entry: Entry, for subscriber: SubscriberID, _ topic: TopicName
    ) -> Bool {
        guard entry.filter.shareName == nil, let own = self.filters[subscriber], own.count > 1 else { return true }
        func rank(_ options: SubscriptionOptions) -> UInt8 { (options.noLocal ? 0 : 4) + options.qos.rawValue }
        let mine = rank(entry.options)
        let grantNumber = entry.standing.knowledge == .granted ? entry.standing.grantNumber : .max
        for other in own where other != identifier {
            guard let rival = self.entries[other], rival.standing.knowledge == .granted, rival.filter.shareName == nil
            else {
                continue
            }
            let theirs = rank(rival.options)
            let isOlder = rival.standing.grantNumber < grantNumber
            guard
                theirs > mine ? isOlder || rival.standing.copiedBeside.contains(identifier) : theirs == mine && isOlder
            else { continue }
            if rival.filter.matches(topic) { return false }
        }
        return true
    }

    /// A copy for this filter has come: from now on those for others of the same subscribers may be left out.
    private mutating func noteCopy(_ identifier: UInt32, _ entry: Entry, _ topic: TopicName) {
        guard entry.standing.knowledge == .granted, entry.filter.shareName == nil else { return }
        var beside: [UInt32] = []
        for subscriber in entry.subscribers {
            guard let own = self.filters[subscriber], own.count > 1 else { continue }
            beside += own.filter { other in
                other != identifier && !entry.standing.copiedBeside.contains(other)
                    && self.entries[other]?.filter.matches(topic) == true
            }
        }
        guard !beside.isEmpty else { return }
        self.entries[identifier]?.standing.copiedBeside.formUnion(beside)
        self.forgetRoutes()
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
