public import CurlewCore
public import NIOCore

/// Connects, does one thing and disconnects: for scripts, tests and cron jobs.
///
/// ```swift
/// try await MQTT.publish("on", to: "home/lamp", at: "mqtt://localhost")
/// ```
///
/// The broker is a URL (see ``MQTTURL``) or an ``MQTTConfiguration``, which can have a user name, a password and
/// certificates.
///
/// A program that does more than one thing keeps an ``MQTTClient``: connecting takes several round trips.
public enum MQTT {
    /// Connects, publishes a message, and disconnects when the broker has it.
    ///
    /// - Parameters:
    ///   - payload: Text, bytes or a buffer.
    ///   - topic: The topic name, without wildcards.
    ///   - broker: The URL of the broker, or a configuration.
    ///   - qos: The QoS. Default: at least once, so that the call knows that the broker has the message.
    ///   - retain: Whether the broker stores the message for later subscribers. Default: `false`.
    ///   - properties: Content type, user properties and others. Ignored before MQTT 5.0. Default: none.
    /// - Returns: The broker's reason code: success, or no matching subscribers.
    /// - Throws: ``MQTTError``: what connecting and publishing throw.
    @discardableResult
    public static nonisolated(nonsending) func publish(
        _ payload: some MQTTPayload, to topic: String, at broker: some MQTTAddress, qos: QoS = .atLeastOnce,
        retain: Bool = false, properties: MessageProperties = MessageProperties()
    ) async throws -> ReasonCode {
        try await MQTTClient.withConnection(broker.mqttConfiguration()) { client in
            try await client.publish(payload, to: topic, qos: qos, retain: retain, properties: properties)
        }
    }

    /// Connects, publishes several messages in their order, and disconnects when the broker has them.
    ///
    /// ```swift
    /// try await MQTT.publish([("home/lamp", "on"), ("home/fan", "off")], at: "mqtt://localhost")
    /// ```
    ///
    /// - Parameters:
    ///   - messages: Topics and payloads.
    ///   - broker: The URL of the broker, or a configuration.
    ///   - qos: The QoS. Default: at least once, so that the call knows that the broker has the messages.
    ///   - retain: Whether the broker stores the messages for later subscribers. Default: `false`.
    /// - Throws: ``MQTTError``: what connecting and publishing throw. The messages before the one that failed are
    ///   published.
    public static nonisolated(nonsending) func publish(
        _ messages: [(topic: String, payload: any MQTTPayload)], at broker: some MQTTAddress, qos: QoS = .atLeastOnce,
        retain: Bool = false
    ) async throws {
        try await MQTTClient.withConnection(broker.mqttConfiguration()) { client in
            for message in messages {
                try await client.publish(message.payload.mqttPayload, to: message.topic, qos: qos, retain: retain)
            }
        }
    }

    /// Connects, publishes several messages in their order, each with its own QoS and properties, and disconnects when
    /// the broker has them.
    ///
    /// - Parameters:
    ///   - messages: The messages.
    ///   - broker: The URL of the broker, or a configuration.
    /// - Throws: ``MQTTError``: what connecting and publishing throw. The messages before the one that failed are
    ///   published.
    public static nonisolated(nonsending) func publish(
        _ messages: [MQTTPublication], at broker: some MQTTAddress
    ) async throws {
        try await MQTTClient.withConnection(broker.mqttConfiguration()) { client in
            for message in messages {
                try await client.publish(
                    message.payload, to: message.topic, qos: message.qos, retain: message.retain,
                    properties: message.properties)
            }
        }
    }

    /// Connects, returns the first `count` messages or those that arrived in time, and disconnects.
    ///
    /// ```swift
    /// for message in try await MQTT.collect(3, from: "home/#", at: "mqtt://localhost", within: .seconds(10)) {
    ///     print(message.topic, message.text)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - count: The maximum number of messages to return, at least 1.
    ///   - filter: The topic filter.
    ///   - broker: The URL of the broker, or a configuration.
    ///   - includingRetained: Whether retained messages count. Default: `true`.
    ///   - limit: How long to wait for the messages, not counting the time to connect.
    /// - Returns: The messages in the order of their arrival; empty if none arrived in time.
    /// - Throws: ``MQTTError``: what connecting and ``MQTTClient/collect(_:from:includingRetained:within:until:)``
    ///   throw.
    public static nonisolated(nonsending) func collect(
        _ count: Int, from filter: String, at broker: some MQTTAddress, includingRetained: Bool = true,
        within limit: Duration
    ) async throws -> [MQTTMessage] {
        try await self.collect(count, from: [filter], at: broker, includingRetained: includingRetained, within: limit)
    }

    /// Connects, returns the first `count` messages for several topic filters or those that arrived in time, and
    /// disconnects; otherwise the same as `collect(_:from:at:within:)`.
    public static nonisolated(nonsending) func collect(
        _ count: Int, from filters: [String], at broker: some MQTTAddress, includingRetained: Bool = true,
        within limit: Duration
    ) async throws -> [MQTTMessage] {
        try await MQTTClient.withConnection(broker.mqttConfiguration()) { client in
            try await client.collect(
                count, from: filters.map { TopicSubscription($0) }, includingRetained: includingRetained, within: limit)
        }
    }

    /// Connects, sends a request, returns the first reply, and disconnects.
    ///
    /// - Parameters:
    ///   - payload: Text, bytes or a buffer.
    ///   - topic: The topic that responders have subscribed to.
    ///   - broker: The URL of the broker, or a configuration.
    ///   - responseTopic: The topic on which the reply arrives. Default: `nil`, a topic of this client, which requires
    ///     MQTT 5.0.
    ///   - timeout: How long to wait for the reply. Default: 5 seconds.
    /// - Throws: ``MQTTError``: what connecting and `request` throw.
    public static nonisolated(nonsending) func request(
        _ payload: some MQTTPayload, to topic: String, at broker: some MQTTAddress, responseTopic: String? = nil,
        timeout: Duration = .seconds(5)
    ) async throws -> MQTTMessage {
        try await MQTTClient.withConnection(broker.mqttConfiguration()) { client in
            try await client.request(payload, to: topic, responseTopic: responseTopic, timeout: timeout)
        }
    }
}

/// Says how to reach a broker: a URL, such as `"mqtts://broker.example.com"`, or a configuration.
public protocol MQTTAddress: Sendable {
    /// The configuration of a client of the broker.
    ///
    /// - Throws: ``MQTTError`` with code `invalidURL` or `invalidConfiguration`.
    func mqttConfiguration() throws(MQTTError) -> MQTTConfiguration
}

extension String: MQTTAddress {
    /// The configuration of ``MQTTConfiguration/init(url:)``.
    public func mqttConfiguration() throws(MQTTError) -> MQTTConfiguration { try MQTTConfiguration(url: self) }
}

extension MQTTConfiguration: MQTTAddress {
    /// The configuration itself.
    public func mqttConfiguration() -> MQTTConfiguration { self }
}

/// A message to publish; see ``MQTT/publish(_:at:)``.
public struct MQTTPublication: Sendable {
    /// The topic name, without wildcards.
    public var topic: String
    /// The payload.
    public var payload: ByteBuffer
    /// The QoS.
    public var qos: QoS
    /// Whether the broker stores the message for later subscribers.
    public var retain: Bool
    /// Content type, user properties and others. Ignored before MQTT 5.0.
    public var properties: MessageProperties

    /// Creates a message to publish.
    ///
    /// - Parameters:
    ///   - payload: Text, bytes or a buffer.
    ///   - topic: The topic name, without wildcards.
    ///   - qos: The QoS. Default: at least once.
    ///   - retain: Whether the broker stores the message for later subscribers. Default: `false`.
    ///   - properties: Content type, user properties and others. Default: none.
    public init(
        _ payload: some MQTTPayload, to topic: String, qos: QoS = .atLeastOnce, retain: Bool = false,
        properties: MessageProperties = MessageProperties()
    ) {
        self.topic = topic
        self.payload = payload.mqttPayload
        self.qos = qos
        self.retain = retain
        self.properties = properties
    }
}
