import CurlewCore
import NIOCore
import Synchronization

/// A packet with many filters, which is processed a slice at a time. The reason codes are those of the filters
/// processed so far.
enum OngoingPacket {
    case subscribe(Subscribe, [ReasonCode])
    case unsubscribe(Unsubscribe, [ReasonCode])
}

// Subscriptions, and the retained messages that come with them (MQTT 5.0 sections 3.8 and 3.10).
extension BrokerConnection {
    /// How many filters are processed at a time: the subscriptions of all clients are locked meanwhile.
    private static let filtersPerSlice = 256

    /// Processes the next filters of the current packet, and answers it after the last ones.
    func continuePacket() {
        guard let packet = exchange(&self.ongoing, with: nil), let session else { return }
        switch packet {
        case .subscribe(let packet, var codes):
            let slice = packet.subscriptions[codes.count...].prefix(Self.filtersPerSlice)
            codes += self.subscribe(slice, packet.properties.subscriptionIdentifiers.first, session)
            guard codes.count == packet.subscriptions.count else {
                self.ongoing = .subscribe(packet, codes)
                return
            }
            self.reply(.suback(SubAck(packet.packetID, codes)))  // [MQTT-3.8.4-1] [MQTT-3.8.4-5] [MQTT-3.8.4-6]
        case .unsubscribe(let packet, var codes):
            codes += self.unsubscribe(packet.filters[codes.count...].prefix(Self.filtersPerSlice), session)
            guard codes.count == packet.filters.count else {
                self.ongoing = .unsubscribe(packet, codes)
                return
            }
            self.reply(.unsuback(UnsubAck(packet.packetID, codes)))  // [MQTT-3.10.4-4] [MQTT-3.10.4-5]
        }
    }

    // MARK: SUBSCRIBE

    func receivedSubscribe(_ packet: Subscribe) {
        var codes: [ReasonCode] = []
        codes.reserveCapacity(packet.subscriptions.count)
        self.ongoing = .subscribe(packet, codes)
        self.continuePacket()
    }

    private func subscribe(
        _ subscriptions: ArraySlice<Subscribe.Subscription>, _ identifier: UInt32?, _ session: HostedSession
    ) -> [ReasonCode] {
        let version = self.engine.authorizationVersion.load(ordering: .acquiring)
        let limit = self.engine.configuration.limits.maximumFiltersPerSubscribe
        var granted: [Granted] = []
        let codes = subscriptions.indices.map { index in
            guard index < limit else { return ReasonCode.quotaExceeded }
            return self.grant(session, subscriptions[index], identifier: identifier, &granted)
        }
        let areNew = self.insert(granted, of: session)
        var refused: Set<TopicFilter> = []
        if self.engine.authorizationVersion.load(ordering: .acquiring) != version {
            // The rules have changed in the meantime, and their check of subscriptions may have missed these.
            refused = Set(granted.map(\.filter).filter { !self.rules.allows(self.client, .subscribe($0)) })
            self.holdReplies(for: self.engine.unsubscribe(session, refused, on: self.worker).position)
        }
        let latest = self.engine.retained.withLock { $0.latest }
        for (subscription, isNew) in zip(granted, areNew) {
            self.engine.events.tell(
                .subscriptions, .subscribed(self.client, subscription.filter, subscription.options))
            guard self.sendsRetained(subscription, isNew: isNew), !refused.contains(subscription.filter) else {
                continue
            }
            self.retained.add(
                PendingRetained.Delivery(
                    filter: subscription.filter, qos: subscription.options.qos, identifier: identifier, latest: latest))
        }
        self.worker.onLoop.work += subscriptions.count * LoopState.workPerSubscription
        return codes
    }

    /// A subscription that the client may have.
    private struct Granted: Sendable {
        let filter: TopicFilter
        let options: SubscriptionOptions
        let grant: SubscriptionGrant
    }

    private func grant(
        _ session: HostedSession, _ subscription: Subscribe.Subscription, identifier: UInt32?,
        _ granted: inout [Granted]
    ) -> ReasonCode {
        let filter = subscription.filter
        guard self.rules.allows(self.client, .subscribe(filter)) else { return .notAuthorized }
        var options = subscription.options
        options.qos = min(options.qos, self.rules.terms.maximumQoS)
        if self.admitted?.isBridge == true {
            // As mosquitto does it: messages must not circulate, and retained messages stay retained on the other side.
            options.noLocal = true
            options.retainAsPublished = true
        }
        let grant = SubscriptionGrant(options, identifier: identifier)
        let limits = self.engine.configuration.limits
        let position = session.state.withLock { state -> JournalPosition? in
            let room = self.engine.budget.room(holding: state.weight + session.connectionBytes.value)
            guard state.remember(filter, grant, limits: limits, room: room) else { return nil }
            session.account(&state)
            guard state.session.isKept else { return JournalPosition.none }
            return self.engine.recorder.record(
                .subscribed(clientIdentifier: session.clientIdentifier, MQTTBrokerSnapshot.Subscription(filter, grant)))
        }
        guard let position else { return .quotaExceeded }
        self.holdReplies(for: position)
        granted.append(Granted(filter: filter, options: options, grant: grant))
        return ReasonCode(rawValue: options.qos.rawValue)  // [MQTT-3.8.4-7]
    }

    /// Adds subscriptions to the index. Returns which of them are new.
    private func insert(_ granted: [Granted], of session: HostedSession) -> [Bool] {
        guard !granted.isEmpty else { return [] }
        let subscriber = Receiver.session(session)
        return self.engine.changeSubscriptions { index in
            granted.map { index.insert($0.filter, subscriber, $0.grant) }
        }
    }

    /// Whether a subscription brings the retained messages [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]; a shared one
    /// never does (section 4.8.2).
    private func sendsRetained(_ subscription: Granted, isNew: Bool) -> Bool {
        guard !subscription.filter.isShared else { return false }
        switch subscription.options.retainHandling {
        case .sendAtSubscribe: return true
        case .sendIfNew: return isNew
        case .doNotSend: return false
        }
    }

    // MARK: UNSUBSCRIBE

    func receivedUnsubscribe(_ packet: Unsubscribe) {
        self.ongoing = .unsubscribe(packet, [])
        self.continuePacket()
    }

    private func unsubscribe(_ slice: ArraySlice<TopicFilter>, _ session: HostedSession) -> [ReasonCode] {
        let filters = Set(slice)
        self.removeRetained(filters)
        let unsubscribed = self.engine.unsubscribe(session, filters, on: self.worker)
        self.holdReplies(for: unsubscribed.position)
        var ended = unsubscribed.filters
        for filter in ended { self.engine.events.tell(.subscriptions, .unsubscribed(self.client, filter)) }
        self.worker.onLoop.work += slice.count * LoopState.workPerSubscription
        // If a filter occurs twice, its subscription ends with the first one.
        return slice.map { ended.remove($0) == nil ? ReasonCode.noSubscriptionExisted : .success }
    }

    // MARK: Retained messages

    /// Offers retained messages to the session, a slice at a time and as fast as the client takes them: there may be a
    /// million.
    ///
    /// - Returns: Whether the slice is used up and there may be more that could be sent immediately.
    func continueRetained(now: Timestamp) -> Bool {
        guard !self.retained.isEmpty, let session else { return false }
        var steps = Self.slice
        defer {
            self.worker.onLoop.work += Self.slice - steps
            self.noteRetained(session)
        }
        while session.takesMore {
            let next = self.retained.next(steps: &steps) { filter in
                self.engine.retained.withLock { $0.matching(filter) }
            }
            guard let (entry, delivery) = next else { return steps <= 0 }
            self.sendRetained(entry, delivery, to: session, now: now)
        }
        return false
    }

    func removeRetained(_ filters: Set<TopicFilter>, of session: HostedSession) {
        if self.session === session { self.removeRetained(filters) }
    }

    private func removeRetained(_ filters: Set<TopicFilter>) {
        self.retained.remove(filters)
        if let session { self.noteRetained(session) }
    }

    /// Notes since when the connection keeps retained messages alive, including those that were replaced since.
    private func noteRetained(_ session: HostedSession) {
        session.retainedBegan.withLock { $0 = self.retained.began }
    }

    /// How many nodes of the tree are visited in one turn.
    private static let slice = 512

    private func sendRetained(
        _ entry: RetainedMessages.Entry, _ delivery: PendingRetained.Delivery, to session: HostedSession, now: Timestamp
    ) {
        let message = entry.message
        guard !message.isExpired(at: now), self.rules.allowsReceiving(self.client, message.topic),
            self.mayStillPublish(entry)
        else { return }
        var publication = Publication(message)
        let qos =
            self.engine.configuration.behavior.upgradesOutgoingQoS ? delivery.qos : min(delivery.qos, message.qos)
        // With RETAIN, since the message was published before the subscription was made (section 3.3.1.3).
        let terms = DeliveryTerms(qos: qos, retain: true, identifiers: delivery.identifier.map { [$0] } ?? [])
        // Under both locks, so that no newer message of the topic can come between. They are always taken in this
        // order.
        let delivery = self.engine.retained.withLock { retained in
            retained.isCurrent(message) ? session.offer(&publication, terms, now: now) : nil
        }
        guard let delivery else { return }
        var effects = Effects()
        self.engine.count(
            delivery.outcome, of: message.topic, for: self.client.identifier, on: self.worker, &effects)
        self.engine.complete(effects, on: self.worker)
    }

    /// Whether the publisher of a retained message would still be allowed to publish it.
    private func mayStillPublish(_ entry: RetainedMessages.Entry) -> Bool {
        guard self.engine.configuration.behavior.checksRetainSource, let source = entry.source,
            !self.rules.authorizers.isEmpty
        else { return true }
        let client = MQTTBrokerClient(identifier: source.clientIdentifier, username: source.username)
        return self.rules.allows(client, .publish(entry.message.topic))
    }
}
