package import NIOCore

/// One application message that the broker holds: retained, in a queue or in flight, and shared by all whom it waits for.
///
/// Immutable. It holds its own bytes, unless those that they came in are mostly its payload.
package final class BrokerMessage: Sendable {
    package let topic: TopicName
    package let payload: ByteBuffer
    /// The QoS that it was published with.
    package let qos: QoS
    /// Whether it was published with RETAIN.
    package let retain: Bool
    /// All but those that belong to one hop: topic alias and subscription identifiers.
    package let properties: Properties
    /// When it expires, if it does (MQTT 5.0 section 3.3.2.3.3).
    package let expiresAt: Timestamp?
    /// Roughly what it weighs in memory, for the bounds on what waits.
    package let byteCount: Int
    /// What a store knows it by, whoever it waits for; 0 where nothing is stored.
    package let number: UInt64
    /// Counts the message while anybody holds it.
    private let ledger: (any MessageLedger)?
    /// What it holds more than it weighs: the rest of the buffer that its payload came in.
    let slack: Int

    /// The object and the heads of its buffers.
    private static let overhead = 160

    package init(
        topic: TopicName, payload: ByteBuffer, qos: QoS, retain: Bool, properties: Properties, expiresAt: Timestamp?,
        number: UInt64 = 0, ledger: (any MessageLedger)? = nil
    ) {
        self.topic = topic
        let count = payload.readableBytes
        self.payload = payload.withoutUnusedStorage
        self.qos = qos
        self.retain = retain
        self.properties = properties
        self.expiresAt = expiresAt
        self.number = number
        self.byteCount = count + topic.string.utf8.count + properties.byteCount + Self.overhead
        self.slack = payload.fillsItsStorage ? payload.storageCapacity - count : 0
        self.ledger = ledger
        ledger?.added(self.byteCount + self.slack)
    }

    deinit { self.ledger?.removed(self.byteCount + self.slack) }

    /// Whether its time is over.
    package func isExpired(at now: Timestamp) -> Bool { self.expiresAt.map { $0 <= now } ?? false }
}
