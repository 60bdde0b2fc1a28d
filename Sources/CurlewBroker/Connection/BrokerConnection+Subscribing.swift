import CurlewCore
import NIOCore
import Synchronization

// Subscriptions, and the retained messages that come with them (MQTT 5.0 sections 3.8 and 3.10).
extension BrokerConnection {
    func receivedSubscribe(_ packet: Subscribe, now: Timestamp) {
        guard let session else { return }
        let identifier = packet.properties.subscriptionIdentifiers.first
        var codes: [ReasonCode] = []
        var deliveries: [RetainedDelivery] = []
        for subscription in packet.subscriptions {  // [MQTT-3.8.4-5]
            let (code, isNew) = self.subscribe(session, subscription, identifier: identifier)
            codes.append(code)
            guard !code.isFailure, self.sendsRetained(subscription, isNew: isNew) else { continue }
            deliveries.append(
                RetainedDelivery(
                    cursor: self.engine.retained.withLock { $0.matching(subscription.filter) },
                    qos: min(subscription.options.qos, self.rules.terms.maximumQoS), identifier: identifier))
        }
        self.reply(.suback(SubAck(packet.packetID, codes)))  // [MQTT-3.8.4-1] [MQTT-3.8.4-6]
        guard !deliveries.isEmpty else { return }
        self.retained += deliveries
        self.flushSoon()
    }

    private func subscribe(
        _ session: HostedSession, _ subscription: Subscribe.Subscription, identifier: UInt32?
    ) -> (ReasonCode, isNew: Bool) {
        let filter = subscription.filter
        guard self.rules.allows(self.client, .subscribe(filter)) else { return (.notAuthorized, false) }
        var options = subscription.options
        options.qos = min(options.qos, self.rules.terms.maximumQoS)
        let grant = SubscriptionIndex<Subscriber>.Grant(options, identifier: identifier)
        let maximum = self.engine.configuration.limits.maximumSubscriptionsPerClient
        let hasRoom = session.state.withLock { state in
            guard state.subscriptions[filter] != nil || state.subscriptions.count < maximum else { return false }
            state.subscriptions[filter] = grant
            return true
        }
        guard hasRoom else { return (.quotaExceeded, false) }
        let isNew = self.engine.changeSubscriptions { $0.insert(filter, .session(session), grant) }
        self.engine.events.tell(.subscriptions, .subscribed(self.client, filter, options))
        return (ReasonCode(rawValue: options.qos.rawValue), isNew)  // [MQTT-3.8.4-7]
    }

    /// Whether a subscription brings the retained messages [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]; a shared one never does
    /// (section 4.8.2).
    private func sendsRetained(_ subscription: Subscribe.Subscription, isNew: Bool) -> Bool {
        guard !subscription.filter.isShared else { return false }
        switch subscription.options.retainHandling {
        case .sendAtSubscribe: return true
        case .sendIfNew: return isNew
        case .doNotSend: return false
        }
    }

    func receivedUnsubscribe(_ packet: Unsubscribe) {
        guard let session else { return }
        var codes: [ReasonCode] = []
        for filter in packet.filters {
            let (had, orphans) = session.state.withLock { state in
                let had = state.subscriptions.removeValue(forKey: filter) != nil
                let orphans = had && filter.isShared ? state.session.left(filter) : []
                self.engine.account(&state)
                return (had, orphans)
            }
            guard had else {
                codes.append(.noSubscriptionExisted)
                continue
            }
            self.engine.changeSubscriptions { index in _ = index.remove(filter, .session(session)) }
            self.engine.redeliver(orphans.map { (filter, $0) }, on: self.worker)
            self.engine.events.tell(.subscriptions, .unsubscribed(self.client, filter))
            codes.append(.success)
        }
        self.reply(.unsuback(UnsubAck(packet.packetID, codes)))  // [MQTT-3.10.4-4]
    }

    // MARK: Retained messages

    /// Hands retained messages to the session, a slice at a time and as fast as the client takes them: there may be a million.
    func continueRetained(now: Timestamp) {
        guard !self.retained.isEmpty, let session else { return }
        var slice = Self.slice
        while slice > 0, var delivery = self.retained.first {
            guard session.state.withLock({ $0.session.queuedMessages < Self.slice }) else { return }
            guard let entry = delivery.cursor.next() else {
                self.retained.removeFirst()
                continue
            }
            self.retained[0] = delivery
            slice -= 1
            self.deliver(entry, delivery, to: session, now: now)
        }
    }

    private static let slice = 256

    private func deliver(
        _ entry: RetainedMessages.Entry, _ delivery: RetainedDelivery, to session: HostedSession, now: Timestamp
    ) {
        let message = entry.message
        // A newer one has been sent as it came.
        guard !message.isExpired(at: now), self.engine.retained.withLock({ $0.isCurrent(message) }) else { return }
        guard self.rules.allowsReceiving(self.client, message.topic), self.mayStillPublish(entry) else { return }
        var publication = Publication(message, isFromStore: true)
        let qos =
            self.engine.configuration.behaviour.upgradesOutgoingQoS ? delivery.qos : min(delivery.qos, message.qos)
        let terms = DeliveryTerms(qos: qos, retain: true, identifiers: delivery.identifier.map { [$0] } ?? [])  // [MQTT-3.3.1-8]
        let (delivered, _) = session.deliver(&publication, terms, now: now, engine: self.engine)
        switch delivered {
        case .written: self.worker.counters.publishesSent.count()
        case .queued, .notKept: break
        case .queueFull: self.engine.dropped(message.topic, .queueFull, for: self.client.identifier, on: self.worker)
        case .tooLarge: self.engine.dropped(message.topic, .tooLarge, for: self.client.identifier, on: self.worker)
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

/// Retained messages on their way to a new subscription.
struct RetainedDelivery {
    var cursor: RetainedMessages.Cursor
    let qos: QoS
    let identifier: UInt32?
}
