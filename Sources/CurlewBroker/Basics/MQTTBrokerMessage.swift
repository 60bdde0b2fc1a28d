public import CurlewCore
public import NIOCore

/// An application message, as the program that embeds the broker sees it.
public struct MQTTBrokerMessage: Sendable, Hashable {
    /// The topic name.
    public var topic: TopicName
    /// The payload.
    public var payload: ByteBuffer
    /// The QoS that it was published with, or at which it was delivered.
    public var qos: QoS
    /// Whether the broker stores the message for later subscribers. In a delivered message: whether it was stored.
    public var retain: Bool
    /// Content type, user properties and others (MQTT 5.0 section 3.3.2.3).
    public var properties: MessageProperties

    /// Creates a message.
    ///
    /// - Parameters:
    ///   - topic: The topic name.
    ///   - payload: The payload.
    ///   - qos: The QoS. Default: 0.
    ///   - retain: Whether the broker stores the message for later subscribers. Default: `false`.
    ///   - properties: Content type, user properties and others. Default: none.
    public init(
        topic: TopicName, payload: ByteBuffer, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: MessageProperties = MessageProperties()
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties
    }

    /// The payload as text; bytes that are not UTF-8 become U+FFFD.
    public var text: String { String(buffer: self.payload) }
}

extension Publish {
    /// The packet of a message that comes from no client.
    init(_ message: MQTTBrokerMessage) {
        self.init(
            topic: message.topic, payload: message.payload, qos: message.qos, retain: message.retain,
            packetID: message.qos == .atMostOnce ? nil : PacketID(1), properties: message.properties)
    }
}
