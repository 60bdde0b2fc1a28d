import CurlewCore
import Synchronization

// What a store is told (``MQTTBrokerStore``). Each change is told under the lock of what has changed, so that the store sees them in their
// order; nothing is told, and nothing of this costs anything, where there is no store.
extension BrokerEngine {
    /// Has what `body` changes be stored all at once, or not at all.
    func group<Result: Sendable>(on worker: Worker, _ body: () -> Result) -> Result {
        guard let journal else { return body() }
        return journal.group(on: worker, body)
    }

    /// Tells of a change.
    func record(_ change: @autoclosure () -> MQTTBrokerChange, on worker: Worker) {
        guard let journal else { return }
        worker.onLoop.note(journal.append(CollectionOfOne(change())))
    }

    /// Tells what has changed of a session's messages; under the session's lock. What is written to the client waits for that.
    func recordMessages(_ state: inout HostedSession.State) {
        guard let journal else { return }
        let changes = state.session.takeChanges()
        guard !changes.isEmpty else { return }
        let client = state.client.identifier
        // Nothing that a client is told depends on a message's being forgotten.
        var isAwaited = false
        let position = journal.append(
            changes.map { change in
                if case .removed = change {} else { isAwaited = true }
                return switch change {
                case .added(let kept): .deliveryAdded(clientIdentifier: client, self.delivery(kept))
                case .sent(let number, let id): .deliverySent(clientIdentifier: client, number: number, id)
                case .received(let number): .deliveryReceived(clientIdentifier: client, number: number)
                case .removed(let number): .deliveryRemoved(clientIdentifier: client, number: number)
                }
            })
        if isAwaited { state.lastChange = position }
    }

    /// Tells what is said of a session, if it is stored at all; under its lock.
    func recordSession(_ state: inout HostedSession.State, on worker: Worker) {
        guard self.journal != nil, !state.isOver else { return }
        // What was kept once is kept to its end, also when that will be the end of the connection: others may get what is left of it.
        if state.expiry != .atDisconnect { state.session.isKept = true }
        guard state.session.isKept || state.will != nil else { return self.recordEnd(&state, on: worker) }
        state.isStored = true
        self.record(
            .session(
                MQTTBrokerSnapshot.Session.About(
                    state.client, expiryInterval: state.expiry.seconds, disconnectedAt: state.disconnectedAt,
                    will: state.will.map(MQTTBrokerSnapshot.Will.init))), on: worker)
    }

    /// Tells that a session is over, if it was stored; under its lock.
    func recordEnd(_ state: inout HostedSession.State, on worker: Worker) {
        state.session.isKept = false
        guard exchange(&state.isStored, with: false) else { return }
        self.record(.sessionEnded(clientIdentifier: state.client.identifier), on: worker)
    }

    /// The number of a new message; 0 where nothing is stored.
    var messageNumber: UInt64 { self.journal?.makeMessageNumber() ?? 0 }

    // MARK: Times

    // The time of day is asked for each time: it may be set right while the broker runs.

    func timeOfDay(_ time: Timestamp) -> Duration { self.configuration.timeOfDay() + (time - self.clock.now()) }

    func timestamp(_ timeOfDay: Duration) -> Timestamp {
        self.clock.now() + (timeOfDay - self.configuration.timeOfDay())
    }

    // MARK: Values

    private func delivery(_ kept: BrokerSession.Kept) -> MQTTBrokerSnapshot.Delivery {
        MQTTBrokerSnapshot.Delivery(
            number: kept.number, message: kept.message.map(self.stored), qos: kept.terms.qos, retain: kept.terms.retain,
            subscriptionIdentifiers: kept.terms.identifiers, sharedSubscription: kept.terms.group,
            packetID: kept.packetID)
    }

    func stored(_ message: BrokerMessage) -> MQTTBrokerSnapshot.Message {
        MQTTBrokerSnapshot.Message(
            number: message.number,
            content: MQTTBrokerMessage(
                topic: message.topic, payload: message.payload, qos: message.qos, retain: message.retain,
                properties: message.properties),
            expiresAt: message.expiresAt.map(self.timeOfDay))
    }
}

extension MQTTBrokerSnapshot.Will {
    fileprivate init(_ will: PendingWill) {
        self.init(will.message, delay: will.delay)
    }
}

extension MQTTBrokerSnapshot.Subscription {
    init(_ filter: TopicFilter, _ grant: SubscriptionIndex<Subscriber>.Grant) {
        self.init(
            filter, qos: grant.qos, noLocal: grant.noLocal, retainAsPublished: grant.retainAsPublished,
            identifier: grant.identifier)
    }
}
