public import CurlewCore
import CurlewTransport
import Synchronization

extension MQTTClient {
    /// Publishes a message and waits until it is written (QoS 0) or acknowledged by the broker (QoS 1 and 2).
    ///
    /// If the connection is lost, the client sends an unacknowledged message again on the next one. It stops only if
    /// the message seems to be the reason why the broker ends connections: at least three in a row ended while the
    /// message was unanswered, and one without it did not. Then the call throws `packetAbandoned`.
    ///
    /// The call waits, even at QoS 0, while there is no connection or while `queues.unsentBytes` are waiting to be
    /// written. A loop that publishes readings therefore pauses while the broker is unreachable. To fail immediately
    /// instead, pass a `timeout` of `.zero` at QoS 0 (it throws `timedOut`, and the message is not sent), or use
    /// `enqueue(_:to:)`, which never waits. The call never drops a message and never blocks a thread.
    ///
    /// Before ``connect(retrying:timeout:)`` is called, it waits for up to `connection.connectTimeout`, then throws `notConnected`.
    /// After the client was disconnected or has given up, it throws immediately until ``connect(retrying:timeout:)`` is called again.
    ///
    /// - Parameters:
    ///   - payload: Text, bytes or a buffer.
    ///   - topic: The topic name, without wildcards (MQTT 5.0 section 4.7).
    ///   - qos: The QoS. Default: `nil`, that of ``MQTTConfiguration/publishing``, which is at most once by default.
    ///   - retain: Whether the broker stores the message for later subscribers, in place of the topic's previous
    ///     retained message. Default: `nil`, that of ``MQTTConfiguration/publishing``, which is `false` by default.
    ///   - properties: Content type, user properties and others. Ignored before MQTT 5.0. Default: none.
    ///   - timeout: How long to wait. Default: `connection.acknowledgementTimeout`, which is `nil` by default: no
    ///     limit.
    /// - Returns: The broker's reason code: success, or no matching subscribers.
    /// - Throws: ``MQTTError``, whose ``MQTTError/delivery`` says whether the message was sent.
    @discardableResult
    public nonisolated(nonsending) func publish(
        _ payload: some MQTTPayload, to topic: String, qos: QoS? = nil, retain: Bool? = nil,
        properties: MessageProperties = MessageProperties(), timeout: Duration? = nil
    ) async throws -> ReasonCode {
        let message = try self.engine.makeMessage(payload.mqttPayload, topic, qos, retain, properties)
        return try await self.engine.publish(message, timeout: timeout)
    }

    /// Publishes a value as JSON; otherwise the same as `publish(_:to:)`.
    ///
    /// The content type is `application/json`, unless `properties` contains another one.
    @discardableResult
    public nonisolated(nonsending) func publish(
        json value: some Encodable, to topic: String, qos: QoS? = nil, retain: Bool? = nil,
        properties: MessageProperties = MessageProperties(), timeout: Duration? = nil
    ) async throws -> ReasonCode {
        try await self.publish(
            encoding: value, to: topic, with: .json, qos: qos, retain: retain, properties: properties, timeout: timeout)
    }

    /// Publishes a value that a coder encodes; otherwise the same as `publish(_:to:)`.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - topic: The topic name, without wildcards.
    ///   - coder: Encodes the value. Default: `payloadCoder` of the configuration, which is JSON by default.
    ///   - qos: The QoS. Default: `nil`, that of ``MQTTConfiguration/publishing``, which is at most once by default.
    ///   - retain: Whether the broker stores the message for later subscribers. Default: `nil`, that of
    ///     ``MQTTConfiguration/publishing``, which is `false` by default.
    ///   - properties: Content type, user properties and others; the content type is that of the coder, unless they
    ///     contain another one. Ignored before MQTT 5.0. Default: none.
    ///   - timeout: How long to wait. Default: `connection.acknowledgementTimeout`.
    /// - Throws: ``MQTTError``: `invalidArgument` if the value cannot be encoded, or what `publish(_:to:)` throws.
    @discardableResult
    public nonisolated(nonsending) func publish(
        encoding value: some Encodable, to topic: String, with coder: (any MQTTPayloadCoder)? = nil,
        qos: QoS? = nil, retain: Bool? = nil, properties: MessageProperties = MessageProperties(),
        timeout: Duration? = nil
    ) async throws -> ReasonCode {
        let coder = coder ?? self.configuration.payloadCoder
        var properties = properties
        properties.contentType = properties.contentType ?? coder.contentType
        return try await self.publish(
            coder.payload(of: value), to: topic, qos: qos, retain: retain, properties: properties, timeout: timeout)
    }

    /// Puts a message in the outbox and returns immediately, to publish many messages and await some or none of them.
    ///
    /// ```swift
    /// let publishes = try readings.map { try client.enqueue($0.text, to: "readings", qos: .atLeastOnce) }
    /// for publish in publishes { try await publish.outcome() }
    /// ```
    ///
    /// - Throws: ``MQTTError`` with code `queueFull` if the messages that wait reach `queues.outboxCount` or
    ///   `queues.outboxBytes`, because no message is dropped to make room; `invalidTopic`; what the broker's limits
    ///   forbid; and what `publish` throws after the client has stopped.
    @discardableResult
    public func enqueue(
        _ payload: some MQTTPayload, to topic: String, qos: QoS? = nil, retain: Bool? = nil,
        properties: MessageProperties = MessageProperties()
    ) throws(MQTTError) -> PendingPublish {
        let message = try self.engine.makeMessage(payload.mqttPayload, topic, qos, retain, properties)
        return PendingPublish(self.engine, try self.engine.accept(message, isAwaited: false))
    }

    /// Puts a value as JSON in the outbox and returns immediately; otherwise the same as `enqueue(_:to:)`.
    ///
    /// The content type is `application/json`, unless `properties` contains another one.
    ///
    /// - Throws: ``MQTTError``: `invalidArgument` if the value cannot be encoded, or what `enqueue(_:to:)` throws.
    @discardableResult
    public func enqueue(
        json value: some Encodable, to topic: String, qos: QoS? = nil, retain: Bool? = nil,
        properties: MessageProperties = MessageProperties()
    ) throws(MQTTError) -> PendingPublish {
        let coder = MQTTJSONCoder()
        var properties = properties
        properties.contentType = properties.contentType ?? coder.contentType
        return try self.enqueue(
            coder.payload(of: value), to: topic, qos: qos, retain: retain, properties: properties)
    }
}
