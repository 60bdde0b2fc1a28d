import CurlewCore
import Synchronization

// What a store is told (``MQTTBrokerStore``). Each change is recorded under the lock of what has changed, so that the store sees the changes in
// their order. Without a store, nothing is recorded and nothing of this costs anything.
//
// Each step returns the position in the journal that an answer to it waits for.
extension BrokerEngine {
    /// Makes the changes in `body` a group, which is stored as a whole or not at all. Must not call user code, for other groups wait meanwhile,
    /// and must not begin another group.
    ///
    /// - Parameter isGroup: Whether it is to be a group at all.
    func group<Result: Sendable>(if isGroup: Bool = true, _ body: () -> Result) -> Result {
        guard isGroup, let journal else { return body() }
        return journal.group(body)
    }

    /// Records a change.
    func record(_ change: @autoclosure () -> MQTTBrokerChange) -> JournalPosition {
        guard let journal else { return .none }
        return journal.append(CollectionOfOne(change()))
    }

    /// Records what has changed of a session's messages; under the session's lock. What is written to the client waits for that.
    func recordMessages(_ state: inout HostedSession.State) {
        guard let journal else { return }
        let changes = state.session.takeChanges()
        guard !changes.isEmpty else { return }
        let client = state.client.identifier
        // Nothing that a client is told depends on a message having been removed.
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
        if isAwaited { state.messagesPosition = position }
    }

    /// Records what is known of a session, if it is stored at all; under its lock.
    @discardableResult
    func recordSession(_ state: inout HostedSession.State) -> JournalPosition {
        guard self.journal != nil, !state.isOver else { return .none }
        // A session that was kept once is kept to its end, even if that is now the end of the connection: other members of shared subscriptions
        // may get its messages.
        if state.expiry != .atDisconnect { state.session.isKept = true }
        guard state.session.isKept || state.will != nil else { return self.recordEnd(&state) }
        state.isStored = true
        return self.record(
            .session(
                MQTTBrokerSnapshot.Session.About(
                    state.client, expiryInterval: state.expiry.seconds, disconnectedAt: state.disconnectedAt,
                    will: state.will.map(MQTTBrokerSnapshot.Will.init))))
    }

    /// Records that a session is over, if it was stored; under its lock.
    @discardableResult
    func recordEnd(_ state: inout HostedSession.State) -> JournalPosition {
        state.session.isKept = false
        guard exchange(&state.isStored, with: false) else { return .none }
        return self.record(.sessionEnded(clientIdentifier: state.client.identifier))
    }

    /// The number of a new message; 0 where nothing is stored.
    var messageNumber: UInt64 { self.journal?.makeMessageNumber() ?? 0 }

    // MARK: Times

    // Read each time: the clock of the machine may be adjusted while the broker runs.

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
    init(_ filter: TopicFilter, _ grant: SubscriptionIndex<Receiver>.Grant) {
        self.init(
            filter, qos: grant.qos, noLocal: grant.noLocal, retainAsPublished: grant.retainAsPublished,
            identifier: grant.identifier)
    }
}
