import CurlewCore
import NIOCore
import Synchronization

// Subscriptions, and the retained messages that come with them (MQTT 5.0 sections 3.8 and 3.10).
extension BrokerConnection {
    func receivedSubscribe(_ packet: Subscribe, now: Timestamp) {
        guard let session else { return }
        let identifier = packet.properties.subscriptionIdentifiers.first
        let version = self.engine.authorizationVersion.load(ordering: .acquiring)
        var granted: [Granted] = []
        // [MQTT-3.8.4-5]
        let codes = packet.subscriptions.enumerated().map { index, subscription in
            guard index < self.engine.configuration.limits.maximumFiltersPerSubscribe else {
                return ReasonCode.quotaExceeded
            }
            return self.grant(session, subscription, identifier: identifier, &granted)
        }
        let areNew = self.insert(granted, of: session)
        if self.engine.authorizationVersion.load(ordering: .acquiring) != version {
            // The rules have changed meanwhile, and who looked at the subscriptions may not have seen these.
            let refused = granted.map(\.filter).filter { !self.rules.allows(self.client, .subscribe($0)) }
            self.engine.unsubscribe(session, Set(refused), on: self.worker)
        }
        for (subscription, isNew) in zip(granted, areNew) {
            self.engine.events.tell(
                .subscriptions, .subscribed(self.client, subscription.filter, subscription.options))
            guard self.sendsRetained(subscription, isNew: isNew) else { continue }
            self.retained.add(
                PendingRetained.Delivery(
                    filter: subscription.filter,
                    cursor: self.engine.retained.withLock { $0.matching(subscription.filter) },
                    qos: subscription.options.qos, identifier: identifier))
        }
        self.reply(.suback(SubAck(packet.packetID, codes)))  // [MQTT-3.8.4-1] [MQTT-3.8.4-6]
    }

    /// A subscription that the client may have.
    private struct Granted: Sendable {
        let filter: TopicFilter
        let options: SubscriptionOptions
        let grant: SubscriptionIndex<Subscriber>.Grant
    }

    private func grant(
        _ session: HostedSession, _ subscription: Subscribe.Subscription, identifier: UInt32?,
        _ granted: inout [Granted]
    ) -> ReasonCode {
        let filter = subscription.filter
        guard self.rules.allows(self.client, .subscribe(filter)) else { return .notAuthorized }
        guard self.retained.hasRoom,
            granted.count < Self.mostWithRetained || subscription.options.retainHandling == .doNotSend
        else { return .quotaExceeded }
        var options = subscription.options
        options.qos = min(options.qos, self.rules.terms.maximumQoS)
        if self.isBridge {
            // So that messages do not go in circles, and retained ones stay retained on the other side, as mosquitto does it.
            options.noLocal = true
            options.retainAsPublished = true
        }
        let grant = SubscriptionIndex<Subscriber>.Grant(options, identifier: identifier)
        let limits = self.engine.configuration.limits
        let hasRoom = session.state.withLock { state in
            let room = self.engine.budget.room(holding: state.weight + session.connectionBytes.value)
            guard state.remember(filter, grant, limits: limits, room: room) else { return false }
            self.engine.account(&state, of: session)
            if state.session.isKept {
                self.engine.record(
                    .subscribed(
                        clientIdentifier: session.clientIdentifier, MQTTBrokerSnapshot.Subscription(filter, grant)),
                    on: self.worker)
            }
            return true
        }
        guard hasRoom else { return .quotaExceeded }
        granted.append(Granted(filter: filter, options: options, grant: grant))
        return ReasonCode(rawValue: options.qos.rawValue)  // [MQTT-3.8.4-7]
    }

    /// Of one packet, so many may ask for retained messages.
    private static let mostWithRetained = 10_000

    /// Puts subscriptions into force. Returns which of them are new.
    private func insert(_ granted: [Granted], of session: HostedSession) -> [Bool] {
        guard !granted.isEmpty else { return [] }
        let subscriber = Subscriber.session(session)
        return self.engine.changeSubscriptions { index in
            granted.map { index.insert($0.filter, subscriber, $0.grant) }
        }
    }

    /// Whether a subscription brings the retained messages [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]; a shared one never does
    /// (section 4.8.2).
    private func sendsRetained(_ subscription: Granted, isNew: Bool) -> Bool {
        guard !subscription.filter.isShared else { return false }
        switch subscription.options.retainHandling {
        case .sendAtSubscribe: return true
        case .sendIfNew: return isNew
        case .doNotSend: return false
        }
    }

    func receivedUnsubscribe(_ packet: Unsubscribe) {
        guard let session else { return }
        let filters = Set(packet.filters)
        self.retained.remove(filters)
        var ended = self.engine.unsubscribe(session, filters, on: self.worker)
        for filter in ended { self.engine.events.tell(.subscriptions, .unsubscribed(self.client, filter)) }
        // A filter that stands twice has ended at its first place.
        let codes = packet.filters.map { ended.remove($0) == nil ? ReasonCode.noSubscriptionExisted : .success }
        self.reply(.unsuback(UnsubAck(packet.packetID, codes)))  // [MQTT-3.10.4-4] [MQTT-3.10.4-5]
    }

    // MARK: Retained messages

    /// Hands retained messages to the session, a slice at a time and as fast as the client takes them: there may be a million.
    ///
    /// - Returns: Whether the slice is at its end, and there may be more that can be sent at once.
    func continueRetained(now: Timestamp) -> Bool {
        guard !self.retained.isEmpty, let session else { return false }
        var steps = Self.slice
        while session.takesMore {
            guard let (entry, qos, identifier) = self.retained.next(steps: &steps) else { return steps == 0 }
            self.deliver(entry, qos, identifier, to: session, now: now)
        }
        return false
    }

    /// So many nodes of the tree are looked at in one turn.
    private static let slice = 512

    private func deliver(
        _ entry: RetainedMessages.Entry, _ subscribed: QoS, _ identifier: UInt32?, to session: HostedSession,
        now: Timestamp
    ) {
        let message = entry.message
        guard !message.isExpired(at: now), self.rules.allowsReceiving(self.client, message.topic),
            self.mayStillPublish(entry)
        else { return }
        var publication = Publication(message)
        let qos = self.engine.configuration.behaviour.upgradesOutgoingQoS ? subscribed : min(subscribed, message.qos)
        // With RETAIN, since it is an earlier one (section 3.3.1.3).
        let terms = DeliveryTerms(qos: qos, retain: true, identifiers: identifier.map { [$0] } ?? [])
        // Under both locks, so that no newer message of the topic can come between. Nobody takes them the other way round.
        let outcome = self.engine.retained.withLock { retained in
            retained.isCurrent(message) ? session.deliver(&publication, terms, now: now, engine: self.engine) : nil
        }
        if let outcome {
            self.engine.count(outcome.outcome, of: message.topic, for: self.client.identifier, on: self.worker)
        }
    }

    /// Whether who published a retained message might still do so.
    private func mayStillPublish(_ entry: RetainedMessages.Entry) -> Bool {
        guard self.engine.configuration.behaviour.checksRetainSource, let source = entry.source,
            !self.rules.authorizers.isEmpty
        else { return true }
        let client = MQTTBrokerClient(identifier: source.clientIdentifier, username: source.username)
        return self.rules.allows(client, .publish(entry.message.topic))
    }
}
