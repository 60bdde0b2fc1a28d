/// Where a broker keeps what shall outlive it: sessions with their subscriptions and messages, wills, and retained messages (MQTT 5.0
/// section 4.1).
///
/// The broker hands over what has changed in batches: while one batch is being stored, the next one gathers, so that a store pays for making
/// changes last once for many of them. Until a batch is stored, nobody is told of what it holds: a PUBLISH is not acknowledged, a
/// SUBSCRIBE not answered, and a message at QoS 1 or 2 not sent. What a client was told is therefore true after a crash as well.
///
/// Only sessions that outlive their connection are stored, and of their messages those at QoS 1 and 2; of others the will alone. The rest
/// of the traffic neither costs nor waits. So a message of a shared subscription that goes to a member whose session is not stored is
/// not stored either. Nor are retained messages that are still on their way to a new subscription: after a restart, their rest comes when
/// the client subscribes again.
public protocol MQTTBrokerStore: Sendable {
    /// Returns all that is stored. Called once, before the broker listens.
    ///
    /// - Throws: Why it cannot be read; then the broker does not start.
    func load() async throws -> MQTTBrokerSnapshot

    /// Makes changes last, all or none of them, in their order: what ``MQTTBrokerSnapshot/apply(_:)`` does to a snapshot in memory. Called with
    /// one batch at a time.
    ///
    /// - Throws: Why it did not; then it is called again with the same changes a second later, and clients wait. If they had been made all
    ///   the same, making them once more changes nothing.
    func commit(_ changes: [MQTTBrokerChange]) async throws
}
