import CurlewCore
import CurlewTransport

/// Records in the journal what the store is told (``MQTTBrokerStore``). Without a store, it records nothing and costs
/// nothing.
///
/// Each change is recorded under the lock of what has changed, so that the store sees the changes in their order. Each
/// step returns the position in the journal that an answer to it waits for.
final class ChangeRecorder: Sendable {
    /// Commits changes to the store, if there is one.
    let journal: Journal?
    private let clock: MonotonicClock
    private let readTimeOfDay: @Sendable () -> Duration

    /// - Parameter timeOfDay: The time since 1970. Read each time: the clock of the machine may be adjusted while the
    ///   broker runs.
    init(_ journal: Journal?, clock: MonotonicClock, timeOfDay: @escaping @Sendable () -> Duration) {
        self.journal = journal
        self.clock = clock
        self.readTimeOfDay = timeOfDay
    }

    /// Makes the changes in `body` a group, which is stored as a whole or not at all. Must not call user code, for
    /// other groups wait meanwhile, and must not begin another group.
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

    /// Records what has changed of the messages in a client's session.
    ///
    /// - Returns: The position that what is written to the client waits for; `nil` if it need not wait.
    func recordMessages(of session: inout BrokerSession, _ client: @autoclosure () -> String) -> JournalPosition? {
        guard let journal else { return nil }
        let changes = session.takeChanges()
        guard !changes.isEmpty else { return nil }
        let client = client()
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
        return isAwaited ? position : nil
    }

    /// The number of a new message; 0 where nothing is stored.
    var messageNumber: UInt64 { self.journal?.makeMessageNumber() ?? 0 }

    // MARK: Times

    func timeOfDay(_ time: Timestamp) -> Duration { self.readTimeOfDay() + (time - self.clock.now()) }

    func timestamp(_ timeOfDay: Duration) -> Timestamp { self.clock.now() + (timeOfDay - self.readTimeOfDay()) }

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
