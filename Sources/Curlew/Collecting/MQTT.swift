public import CurlewCore

/// Connects, does one thing and disconnects: for scripts, tests and cron jobs.
///
/// ```swift
/// try await MQTT.publish("on", to: "home/lamp", at: "mqtt://localhost")
/// ```
///
/// A program that does more than one thing keeps an ``MQTTClient``: connecting takes several round trips.
public enum MQTT {
    /// Connects, publishes a message, and disconnects when the broker has it.
    ///
    /// - Parameters:
    ///   - payload: Text, bytes or a buffer.
    ///   - topic: The topic name, without wildcards.
    ///   - url: The URL of the broker; see ``MQTTURL``.
    ///   - qos: The QoS. Default: at least once, so that the call knows that the broker has the message.
    ///   - retain: Whether the broker stores the message for later subscribers. Default: `false`.
    ///   - properties: Content type, user properties and others. Ignored before MQTT 5.0. Default: none.
    /// - Returns: The broker's reason code: success, or no matching subscribers.
    /// - Throws: ``MQTTError``: what connecting and publishing throw.
    @discardableResult
    public static nonisolated(nonsending) func publish(
        _ payload: some MQTTPayload, to topic: String, at url: String, qos: QoS = .atLeastOnce, retain: Bool = false,
        properties: MessageProperties = MessageProperties()
    ) async throws -> ReasonCode {
        try await MQTTClient.withConnection(url) { client in
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
    ///   - url: The URL of the broker; see ``MQTTURL``.
    ///   - qos: The QoS. Default: at least once, so that the call knows that the broker has the messages.
    ///   - retain: Whether the broker stores the messages for later subscribers. Default: `false`.
    /// - Throws: ``MQTTError``: what connecting and publishing throw. The messages before the one that failed are
    ///   published.
    public static nonisolated(nonsending) func publish(
        _ messages: [(topic: String, payload: any MQTTPayload)], at url: String, qos: QoS = .atLeastOnce,
        retain: Bool = false
    ) async throws {
        try await MQTTClient.withConnection(url) { client in
            for message in messages {
                try await client.publish(message.payload.mqttPayload, to: message.topic, qos: qos, retain: retain)
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
    ///   - url: The URL of the broker; see ``MQTTURL``.
    ///   - includingRetained: Whether retained messages count. Default: `true`.
    ///   - limit: How long to wait for the messages, not counting the time to connect.
    /// - Returns: The messages in the order of their arrival; empty if none arrived in time.
    /// - Throws: ``MQTTError``: what connecting and ``MQTTClient/collect(_:from:includingRetained:within:until:)``
    ///   throw.
    public static nonisolated(nonsending) func collect(
        _ count: Int, from filter: String, at url: String, includingRetained: Bool = true, within limit: Duration
    ) async throws -> [MQTTMessage] {
        try await self.collect(count, from: [filter], at: url, includingRetained: includingRetained, within: limit)
    }

    /// Connects, returns the first `count` messages for several topic filters or those that arrived in time, and
    /// disconnects; otherwise the same as ``collect(_:from:at:includingRetained:within:)-(Int,String,_,_,_)``.
    public static nonisolated(nonsending) func collect(
        _ count: Int, from filters: [String], at url: String, includingRetained: Bool = true, within limit: Duration
    ) async throws -> [MQTTMessage] {
        try await MQTTClient.withConnection(url) { client in
            try await client.collect(
                count, from: filters.map { TopicSubscription($0) }, includingRetained: includingRetained, within: limit)
        }
    }

    /// Connects, sends a request, returns the first reply, and disconnects.
    ///
    /// - Parameters:
    ///   - payload: Text, bytes or a buffer.
    ///   - topic: The topic that responders have subscribed to.
    ///   - url: The URL of the broker; see ``MQTTURL``.
    ///   - responseTopic: The topic on which the reply arrives. Default: `nil`, a topic of this client, which requires
    ///     MQTT 5.0.
    ///   - timeout: How long to wait for the reply. Default: 5 seconds.
    /// - Throws: ``MQTTError``: what connecting and `request` throw.
    public static nonisolated(nonsending) func request(
        _ payload: some MQTTPayload, to topic: String, at url: String, responseTopic: String? = nil,
        timeout: Duration = .seconds(5)
    ) async throws -> MQTTMessage {
        try await MQTTClient.withConnection(url) { client in
            try await client.request(payload, to: topic, responseTopic: responseTopic, timeout: timeout)
        }
    }
}
