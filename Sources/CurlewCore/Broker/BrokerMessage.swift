package import NIOCore

/// One application message that the broker holds: retained, queued or in flight, and shared by all its receivers.
///
/// Immutable. It owns its bytes, unless the buffer in which they arrived consists mostly of its payload.
package final class BrokerMessage: Sendable {
    package let topic: TopicName
    package let payload: ByteBuffer
    /// The QoS at which it was published.
    package let qos: QoS
    /// Whether it was published with RETAIN.
    package let retain: Bool
    /// All properties except those of one hop: topic alias and subscription identifiers.
    package let properties: Properties
    /// When it expires, if it does (MQTT 5.0 section 3.3.2.3.3).
    package let expiresAt: Timestamp?
    /// The approximate size in memory, for the limits.
    package let byteCount: Int
    /// Identifies the message in a store, for all its receivers; 0 if nothing is stored.
    package let number: UInt64
    /// Counts the message while it is held.
    private let ledger: (any MessageLedger)?
    /// Memory that `byteCount` does not contain: the rest of the buffer in which the payload arrived.
    let slack: Int

    /// The object and the headers of its buffers.
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

    /// Whether the message has expired.
    package func isExpired(at now: Timestamp) -> Bool { self.expiresAt.map { $0 <= now } ?? false }
}
