public import CurlewCore
public import NIOCore

/// A message that was received.
///
/// One word in size and one allocation, however large: a message that waits in a queue holds its own bytes and not the buffer
/// that they came in.
public struct MQTTMessage: Sendable {
    /// Written once by `init`, and then only read: that is what makes it safe to share.
    nonisolated(unsafe) private let storage: Storage

    /// What stands before the payload in the one allocation.
    private struct Header {
        let topic: TopicName
        let payloadCount: Int
        /// The payload where copying it would cost more than holding on to what it came in.
        let slice: ByteBuffer?
        let qos: QoS
        let isRetained: Bool
        let isDuplicate: Bool
        let packetID: PacketID?
        let properties: MessageProperties
        let token: DeliveryToken?

        /// In memory, where many small ones take far more than the bytes in which they came.
        var propertiesFootprint: Int {
            self.properties.isEmpty ? 0 : 64 * self.properties.list.count + 2 * self.properties.byteCount
        }
    }

    private final class Storage: ManagedBuffer<Header, UInt8> {}

    /// A payload of this size or more is not copied if it fills a good part of the buffer that it came in.
    private static let copyLimit = 4096

    /// `nil` for a packet without a topic, of which none gets so far.
    init?(_ packet: consuming Publish, token: DeliveryToken?) {
        guard let topic = packet.topic else { return nil }
        self.init(
            topic: topic, payload: packet.payload, qos: packet.qos, isRetained: packet.retain, isDuplicate: packet.dup,
            packetID: packet.packetID, properties: packet.properties, token: token)
    }

    /// Makes a message as if it had been received: for tests of code that takes messages.
    ///
    /// - Parameters:
    ///   - topic: The topic that it was published to.
    ///   - payload: The payload.
    ///   - qos: The QoS at which it was delivered. Default: 0.
    ///   - isRetained: Whether the server had kept it. Default: `false`.
    ///   - properties: Its properties. Default: none.
    public init(
        topic: TopicName, payload: ByteBuffer, qos: QoS = .atMostOnce, isRetained: Bool = false,
        properties: MessageProperties = MessageProperties()
    ) {
        self.init(
            topic: topic, payload: payload, qos: qos, isRetained: isRetained, isDuplicate: false, packetID: nil,
            properties: properties, token: nil)
    }

    private init(
        topic: TopicName, payload: ByteBuffer, qos: QoS, isRetained: Bool, isDuplicate: Bool, packetID: PacketID?,
        properties: MessageProperties, token: DeliveryToken?
    ) {
        let count = payload.readableBytes
        let keepsSlice = count >= Self.copyLimit && count >= payload.storageCapacity / 2
        let storage = Storage.create(minimumCapacity: keepsSlice ? 0 : count) { _ in
            Header(
                topic: topic, payloadCount: count, slice: keepsSlice ? payload : nil, qos: qos, isRetained: isRetained,
                isDuplicate: isDuplicate, packetID: packetID, properties: properties, token: token)
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

    /// The topic that the message was published to.
    public var topic: TopicName { self.storage.header.topic }

    /// The QoS at which the server delivered it: the lower of what it was published with and what was subscribed to.
    public var qos: QoS { self.storage.header.qos }

    /// Whether the server had kept the message and sends it because of a new subscription (MQTT 5.0 section 3.3.1.3); with
    /// `retainAsPublished` in the subscription's options, whether it was published so.
    public var isRetained: Bool { self.storage.header.isRetained }

    /// Whether the server sends the message again because an earlier sending was not acknowledged (section 3.3.1.1).
    public var isDuplicate: Bool { self.storage.header.isDuplicate }

    /// The packet identifier of its delivery; `nil` at QoS 0.
    public var packetID: PacketID? { self.storage.header.packetID }

    /// What the publisher said about it: content type, response topic, user properties and more. Empty before MQTT 5.0.
    public var properties: MessageProperties { self.storage.header.properties }

    /// The size of the payload in bytes.
    public var byteCount: Int { self.storage.header.payloadCount }

    /// Whether it is the same delivery, not merely one that is equal.
    func isSame(as other: MQTTMessage) -> Bool { self.storage === other.storage }

    /// What it counts for against the bounds of a queue: payload, topic and properties.
    var weight: Int {
        let header = self.storage.header
        return header.payloadCount + header.topic.string.utf8.count + header.propertiesFootprint
    }

    /// How many bytes of memory it may hold: its own, and those of what it came in where that is kept. An estimate from above.
    package var footprint: Int {
        let header = self.storage.header
        return 256 + header.topic.string.utf8.count + (header.slice == nil ? 1 : 2) * header.payloadCount
            + header.propertiesFootprint
    }

    /// Whether the server waits for its acknowledgement.
    package var isToBeAcknowledged: Bool { self.storage.header.token != nil }

    /// What an acknowledgement of this delivery names.
    var token: DeliveryToken? { self.storage.header.token }

    /// Reads the payload in place, without copying it. The pointer is valid during the call alone.
    @inlinable
    public func withPayload<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(self.payloadBytes)
    }

    /// Where the payload is. Neither the storage nor what it holds on to ever changes or moves: valid while the message lives.
    @usableFromInline var payloadBytes: UnsafeRawBufferPointer {
        if let slice = self.storage.header.slice { return slice.withUnsafeReadableBytes { $0 } }
        let count = self.storage.header.payloadCount
        return self.storage.withUnsafeMutablePointerToElements { UnsafeRawBufferPointer(start: $0, count: count) }
    }

    /// The payload as a buffer of its own.
    public var payload: ByteBuffer {
        self.storage.header.slice ?? self.withPayload { ByteBuffer(bytes: $0) }
    }

    /// The payload as bytes.
    public var bytes: [UInt8] { self.withPayload { [UInt8]($0) } }

    /// The payload as text; bytes that are not UTF-8 become U+FFFD.
    public var text: String { self.withPayload { String(decoding: $0, as: UTF8.self) } }
}

extension MQTTMessage: CustomStringConvertible {
    /// The topic and the size: a payload may be a secret.
    public var description: String { "\(self.topic) (\(self.byteCount) bytes, QoS \(self.qos.rawValue))" }
}
