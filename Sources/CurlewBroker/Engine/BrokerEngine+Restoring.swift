import CurlewCore
import CurlewTransport
import Logging
import Synchronization

// Restoring what a store has kept, before the broker listens.
extension BrokerEngine {
    /// Restores what was stored; on the worker's loop.
    ///
    /// - Parameters:
    ///   - rules: The rules of all listeners. A session is subject to those of the listener that its client last
    ///     connected through, or to the first ones if that listener does not exist any more.
    ///   - end: Called at the end.
    func restore(
        _ snapshot: MQTTBrokerSnapshot, rules: [ClientRules], on worker: Worker, then end: @escaping () -> Void
    ) {
        guard let first = rules.first else { return end() }
        var messages: [UInt64: BrokerMessage] = [:]
        for retained in snapshot.retained.values { self.restore(retained, &messages) }
        var sessions: [(HostedSession, MQTTBrokerSnapshot.Session.About)] = []
        var known: [HostedSession] = []
        for stored in snapshot.sessions.values {
            let own = rules.first { $0.name.hasSameBytes(as: stored.about.client.listener) }
            let session = self.restore(stored, own ?? first, &messages)
            sessions.append((session, stored.about))
            if own != nil { known.append(session) }
        }
        self.journal?.begin(after: messages.keys.max() ?? 0)
        // If the listener does not exist any more, it is unknown which rules will apply when the client is back.
        self.rulesChanged()
        self.recheckSessions(known, on: worker) {
            // Only now that all sessions exist: a will is delivered to those that have subscribed to it.
            for (session, about) in sessions { self.waitForClient(of: session, about, on: worker) }
            end()
        }
    }

    private func restore(
        _ retained: MQTTBrokerSnapshot.Retained, _ messages: inout [UInt64: BrokerMessage]
    ) {
        let message = self.message(retained.message, &messages)
        let source = retained.clientIdentifier.map {
            RetainedMessages.Source(clientIdentifier: $0, username: retained.username)
        }
        let outcome = self.retained.withLock { retained in
            let before = retained.count
            defer { self.countRetained(retained.count - before) }
            return retained.store(message, from: source)
        }
        if outcome == .full {
            _ = self.recorder.record(.retainedRemoved(message.topic))
            self.clientLog.write(
                .storedRetainedFull, self.clientLog.isDetailed ? ["topic": "\(message.topic.string.printable)"] : [:])
        }
    }

    private func restore(
        _ stored: MQTTBrokerSnapshot.Session, _ rules: ClientRules, _ messages: inout [UInt64: BrokerMessage]
    ) -> HostedSession {
        let session = self.makeSession(for: stored.about.client, rules)
        let deliveries = stored.deliveries.values.map { delivery in
            BrokerSession.Kept(
                number: delivery.number, message: delivery.message.map { self.message($0, &messages) },
                terms: DeliveryTerms(
                    qos: delivery.qos, retain: delivery.retain, identifiers: delivery.subscriptionIdentifiers,
                    group: delivery.sharedSubscription),
                packetID: delivery.packetID)
        }
        let grants = stored.subscriptions.values.map { ($0.filter, SubscriptionGrant($0)) }
        session.state.withLock { state in
            state.session.restore(deliveries)
            state.session.isKept = stored.about.expiryInterval > 0
            state.isStored = true
            state.hasBeenUsed = true
            state.incoming = BrokerIncoming(received: stored.received)
            state.expiry = SessionExpiry(seconds: stored.about.expiryInterval)
            state.will = stored.about.will.map(PendingWill.init)
            // Subscriptions that were granted stay granted even if the limits are lower now.
            for (filter, grant) in grants { _ = state.remember(filter, grant, limits: nil) }
            state.countNames()
            session.account(&state, isExact: true)
        }
        _ = self.sessions.findOrInsert(session.clientIdentifier, maximum: .max) { session }
        self.changeSubscriptions { index in
            for (filter, grant) in grants { index.insert(filter, .session(session), grant) }
        }
        return session
    }

    /// Schedules the will and the end of the session, counted from when the client disconnected. After a crash, the
    /// time begins now.
    private func waitForClient(of session: HostedSession, _ about: MQTTBrokerSnapshot.Session.About, on worker: Worker)
    {
        let now = self.recorder.timeOfDay(self.clock.now())
        let disconnectedAt = about.disconnectedAt ?? now
        session.state.withLock { state in
            state.disconnectedAt = disconnectedAt
            if about.disconnectedAt == nil { session.recordSession(&state) }
        }
        self.detached(session, since: max(.zero, now - disconnectedAt), on: worker)
    }

    /// The message, shared by all clients that it waits for.
    private func message(
        _ stored: MQTTBrokerSnapshot.Message, _ messages: inout [UInt64: BrokerMessage]
    ) -> BrokerMessage {
        if let message = messages[stored.number] { return message }
        let message = BrokerMessage(
            topic: stored.content.topic, payload: stored.content.payload, qos: stored.content.qos,
            retain: stored.content.retain, properties: stored.content.properties,
            expiresAt: stored.expiresAt.map(self.recorder.timestamp), number: stored.number, ledger: self.budget)
        messages[stored.number] = message
        return message
    }
}

extension SubscriptionGrant {
    fileprivate init(_ stored: MQTTBrokerSnapshot.Subscription) {
        var options = SubscriptionOptions(qos: stored.qos)
        options.noLocal = stored.noLocal
        options.retainAsPublished = stored.retainAsPublished
        self.init(options, identifier: stored.identifier)
    }
}

extension PendingWill {
    fileprivate init(_ will: MQTTBrokerSnapshot.Will) {
        self.init(message: will.message, delay: will.delay)
    }
}
