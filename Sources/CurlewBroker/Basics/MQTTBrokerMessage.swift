public import CurlewCore
public import NIOCore

/// An application message, as the program that embeds the broker sees it.
public struct MQTTBrokerMessage: Sendable, Hashable {
    /// Where it is published to.
    public var topic: TopicName
    /// The application's bytes.
    public var payload: ByteBuffer
    /// The QoS that it was published with, or at which it was delivered.
    public var qos: QoS
    /// Whether the broker keeps it for those who subscribe later; in a delivered message, whether it was kept.
    public var retain: Bool
    /// What the publisher said besides (MQTT 5.0 section 3.3.2.3).
    public var properties: MessageProperties

    /// Makes a message.
    ///
    /// - Parameters:
    ///   - topic: Where to publish it.
    ///   - payload: The application's bytes.
    ///   - qos: Default: 0.
    ///   - retain: Whether the broker shall keep it. Default: `false`.
    ///   - properties: Default: none.
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

    /// The payload as text; what is not UTF-8 is replaced by U+FFFD.
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
