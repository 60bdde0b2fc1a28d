public import CurlewCore
public import NIOCore

/// A received message.
///
/// A value of one word with one allocation: a message that waits in a queue does not keep the whole receive buffer in
/// memory.
public struct MQTTMessage: Sendable {
    /// Written once by `init`, then only read, which makes it safe to share.
    nonisolated(unsafe) private let storage: Storage

    /// Precedes the payload in the single allocation.
    private struct Header {
        let topic: TopicName
        let payloadCount: Int
        /// The payload, if copying it costs more than keeping its receive buffer.
        let slice: ByteBuffer?
        let qos: QoS
        let isRetained: Bool
        let isDuplicate: Bool
        let packetID: PacketID?
        let properties: MessageProperties
        let token: DeliveryToken?
        /// When the message expires, by the client's clock.
        let expiry: Timestamp?

        /// An estimate: many small properties take far more memory than bytes on the network.
        var propertiesFootprint: Int {
            self.properties.isEmpty ? 0 : 64 * self.properties.list.count + 2 * self.properties.byteCount
        }
    }

    private final class Storage: ManagedBuffer<Header, UInt8> {}

    /// A payload of at least this size is not copied if it fills at least half of its receive buffer.
    private static let copyLimit = 4096

    /// Fails for a packet without a topic; the session lets none pass.
    ///
    /// - Parameter now: The time of its arrival.
    init?(_ packet: consuming Publish, token: DeliveryToken?, now: Timestamp) {
        guard let topic = packet.topic else { return nil }
        self.init(
            topic: topic, payload: packet.payload, qos: packet.qos, isRetained: packet.retain, isDuplicate: packet.dup,
            packetID: packet.packetID, properties: packet.properties, token: token,
            expiry: packet.properties.messageExpiryInterval.map { now + .seconds(Int64($0)) })
    }

    /// Creates a message as if it had been received, for tests of code that consumes messages.
    ///
    /// - Parameters:
    ///   - topic: The topic name.
    ///   - payload: The payload.
    ///   - qos: The QoS of the delivery. Default: 0.
    ///   - isRetained: Whether it is a retained message. Default: `false`.
    ///   - properties: The properties. Default: none.
    public init(
        topic: TopicName, payload: ByteBuffer, qos: QoS = .atMostOnce, isRetained: Bool = false,
        properties: MessageProperties = MessageProperties()
    ) {
        self.init(
            topic: topic, payload: payload, qos: qos, isRetained: isRetained, isDuplicate: false, packetID: nil,
            properties: properties, token: nil, expiry: nil)
    }

    private init(
        topic: TopicName, payload: ByteBuffer, qos: QoS, isRetained: Bool, isDuplicate: Bool, packetID: PacketID?,
        properties: MessageProperties, token: DeliveryToken?, expiry: Timestamp?
    ) {
        let count = payload.readableBytes
        let keepsSlice = count >= Self.copyLimit && count >= payload.storageCapacity / 2
        let storage = Storage.create(minimumCapacity: keepsSlice ? 0 : count) { _ in
            Header(
                topic: topic, payloadCount: count, slice: keepsSlice ? payload : nil, qos: qos, isRetained: isRetained,
                isDuplicate: isDuplicate, packetID: packetID, properties: properties, token: token, expiry: expiry)
        }
        if !keepsSlice {
            payload.withUnsafeReadableBytes { bytes in
                storage.withUnsafeMutablePointerToElements { elements in
                    UnsafeMutableRawBufferPointer(start: elements, count: count).copyMemory(from: bytes)
                }
            }
        }
        self.storage = unsafeDowncast(storage, to: Storage.self)
    }

    /// The topic name.
    public var topic: TopicName { self.storage.header.topic }

    /// The QoS at which the broker delivered it: the lower of the publisher's QoS and the subscription's maximum QoS.
    public var qos: QoS { self.storage.header.qos }

    /// Whether the broker sends it as a retained message because of a new subscription (MQTT 5.0 section 3.3.1.3). With
    /// `retainAsPublished` in the subscription options: whether the publisher set the flag.
    public var isRetained: Bool { self.storage.header.isRetained }

    /// Whether the broker sends the message again because an earlier delivery was not acknowledged (section 3.3.1.1).
    public var isDuplicate: Bool { self.storage.header.isDuplicate }

    /// The packet identifier of the delivery; `nil` at QoS 0.
    public var packetID: PacketID? { self.storage.header.packetID }

    /// Content type, response topic, user properties and others. Empty before MQTT 5.0.
    public var properties: MessageProperties { self.storage.header.properties }

    /// The size of the payload in bytes.
    public var byteCount: Int { self.storage.header.payloadCount }

    /// Whether it is the same delivery, not only an equal one.
    func isSame(as other: MQTTMessage) -> Bool { self.storage === other.storage }

    /// The size that counts towards the limits of a queue: payload, topic and properties.
    var weight: Int {
        let header = self.storage.header
        return header.payloadCount + header.topic.string.utf8.count + header.propertiesFootprint
    }

    /// The maximum number of bytes of memory that it may keep: its own, and those of its receive buffer if it keeps
    /// that. An estimate.
    package var footprint: Int {
        let header = self.storage.header
        return 256 + header.topic.string.utf8.count + (header.slice == nil ? 1 : 2) * header.payloadCount
            + header.propertiesFootprint
    }

    /// Whether the message needs an acknowledgement.
    package var isToBeAcknowledged: Bool { self.storage.header.token != nil }

    /// When the message expires, by the client's clock: its expiry interval counts from its arrival. `nil` if it has
    /// none.
    var expiry: Timestamp? { self.storage.header.expiry }

    /// Identifies this delivery in an acknowledgement.
    var token: DeliveryToken? { self.storage.header.token }

    /// Reads the payload in place, without copying it. The pointer is valid only during the call.
    @inlinable
    public func withPayload<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(self.payloadBytes)
    }

    /// The payload in memory. The storage never changes or moves, so the pointer is valid while the message exists.
    @usableFromInline var payloadBytes: UnsafeRawBufferPointer {
        if let slice = self.storage.header.slice { return slice.withUnsafeReadableBytes { $0 } }
        let count = self.storage.header.payloadCount
        return self.storage.withUnsafeMutablePointerToElements { UnsafeRawBufferPointer(start: $0, count: count) }
    }

    /// The payload as a buffer.
    public var payload: ByteBuffer {
        self.storage.header.slice ?? self.withPayload { ByteBuffer(bytes: $0) }
    }

    /// The payload as bytes.
    public var bytes: [UInt8] { self.withPayload { [UInt8]($0) } }

    /// The payload as text; bytes that are not UTF-8 become U+FFFD.
    public var text: String { self.withPayload { String(decoding: $0, as: UTF8.self) } }
}

extension MQTTMessage: CustomStringConvertible {
    /// The topic and the size, but not the payload, which may be a secret.
    public var description: String { "\(self.topic) (\(self.byteCount) bytes, QoS \(self.qos.rawValue))" }
}
