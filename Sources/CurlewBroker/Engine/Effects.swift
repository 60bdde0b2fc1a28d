import CurlewCore

/// What an operation of the engine leaves to do once its locks are released, and its group of changes is over.
///
/// Steps that run under a lock put things in; the operation hands them to ``BrokerEngine/complete(_:on:)`` at its end.
struct Effects: Sendable {
    /// The position in the journal that an answer to the operation waits for.
    private(set) var position = JournalPosition.none
    /// What observers are told, in this order.
    private(set) var events: [MQTTBrokerEvent] = []
    /// Messages of shared subscriptions whose members have left, for other members.
    private(set) var orphans: [Orphan] = []

    /// A message of a shared subscription whose member has left.
    typealias Orphan = (filter: TopicFilter, message: BrokerMessage)

    /// Whether there is nothing to do.
    var isEmpty: Bool { self.events.isEmpty && self.orphans.isEmpty }

    /// The answer waits for that position as well.
    mutating func wait(for position: JournalPosition) { self.position.advance(to: position) }

    mutating func add(_ event: MQTTBrokerEvent) { self.events.append(event) }

    mutating func add(_ orphan: Orphan) { self.orphans.append(orphan) }
}
