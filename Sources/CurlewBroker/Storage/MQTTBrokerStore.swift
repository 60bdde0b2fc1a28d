/// Keeps what outlives the broker: sessions with their subscriptions and messages, wills, and retained messages (MQTT
/// 5.0 section 4.1).
///
/// The broker commits changes in batches: while one batch is committed, the next one collects, so that a store makes
/// many changes durable at once. Until its batch is committed, nothing that depends on a change is sent: a PUBLISH is
/// not acknowledged, a SUBSCRIBE not answered, and a message at QoS 1 or 2 not delivered. Whatever a client was told is
/// therefore still true after a crash.
///
/// Only sessions that outlive their connection are stored, with their messages at QoS 1 and 2; of other sessions, only
/// the will is. Other traffic does not wait for the store. A message of a shared subscription is not stored if it goes
/// to a member whose session is not stored. Retained messages that are still on their way to a new subscription are not
/// stored as such: after a restart, the client receives the rest of them when it subscribes again.
public protocol MQTTBrokerStore: Sendable {
    /// Returns everything that is stored. Called once, before the broker listens.
    ///
    /// - Throws: Why the store cannot be read. The broker then does not start.
    func load() async throws -> MQTTBrokerSnapshot

    /// Makes a batch of changes durable, in their order, and all or none of them: what ``MQTTBrokerSnapshot/apply(_:)``
    /// does to a snapshot in memory. Only one batch is committed at a time. The task is cancelled if the broker stops
    /// without waiting any longer.
    ///
    /// - Throws: Why the batch was not committed. The same batch is then committed again a second later, while clients
    ///   wait. If it had been committed after all, committing it again changes nothing.
    func commit(_ changes: [MQTTBrokerChange]) async throws
}
