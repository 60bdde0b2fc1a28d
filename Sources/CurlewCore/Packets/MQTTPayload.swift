public import NIOCore

/// What can be published: text, bytes and buffers. For JSON there is `publish(json:to:)`.
public protocol MQTTPayload: Sendable {
    /// The bytes to send.
    var mqttPayload: ByteBuffer { get }
}

extension ByteBuffer: MQTTPayload {
    /// The buffer itself.
    public var mqttPayload: ByteBuffer { self }
}

extension String: MQTTPayload {
    /// The text as UTF-8.
    public var mqttPayload: ByteBuffer { ByteBuffer(string: self) }
}

extension Substring: MQTTPayload {
    /// The text as UTF-8.
    public var mqttPayload: ByteBuffer { ByteBuffer(substring: self) }
}

extension Array: MQTTPayload where Element == UInt8 {
    /// The bytes.
    public var mqttPayload: ByteBuffer { ByteBuffer(bytes: self) }
}

extension ArraySlice: MQTTPayload where Element == UInt8 {
    /// The bytes.
    public var mqttPayload: ByteBuffer { ByteBuffer(bytes: self) }
}
