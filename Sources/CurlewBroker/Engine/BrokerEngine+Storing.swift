import CurlewCore
import Synchronization

// What a store is told (``MQTTBrokerStore``). Each change is told under the lock of what has changed, so that the store sees them in their
// order; nothing is told, and nothing of this costs anything, where there is no store.
extension BrokerEngine {
    /// Has what `body` changes be stored all at once, or not at all.
    func group<Result>(on worker: Worker, _ body: () -> Result) -> Result {
        guard let journal else { return body() }
        return journal.group(on: worker, body)
    }

    /// Tells of a change, which what this loop answers now has to wait for.
    func record(_ change: @autoclosure () -> MQTTBrokerChange, on worker: Worker) {
        guard let journal else { return }
        worker.onLoop.waitForCommit(of: journal.append(CollectionOfOne(change())))
    }

    /// Tells what has changed of a session's messages; under the session's lock. What is written to the client waits for that.
    func recordMessages(_ state: inout HostedSession.State) {
        guard let journal else { return }
        let changes = state.session.takeChanges()
        guard !changes.isEmpty else { return }
        let client = state.client.identifier
        state.lastChange = journal.append(
            changes.map { change in
                switch change {
                case .added(let kept): .deliveryAdded(clientIdentifier: client, self.delivery(kept))
                case .sent(let number, let id): .deliverySent(clientIdentifier: client, number: number, id)
                case .received(let number): .deliveryReceived(clientIdentifier: client, number: number)
                case .removed(let number): .deliveryRemoved(clientIdentifier: client, number: number)
                }
            })
    }

    /// Tells what is said of a session, if it is stored at all; under its lock.
    func recordSession(_ state: inout HostedSession.State, on worker: Worker) {
        guard self.journal != nil, !state.isOver else { return }
        guard state.expiry != .atDisconnect || state.will != nil else {
            // A session that was stored for a while is over with its connection now.
            return self.recordEnd(&state, on: worker)
        }
        state.session.isKept = state.expiry != .atDisconnect
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

    func timeOfDay(_ time: Timestamp) -> Duration { self.epoch + (time - .start) }

    func timestamp(_ timeOfDay: Duration) -> Timestamp { .start + (timeOfDay - self.epoch) }

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
