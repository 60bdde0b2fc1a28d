public import CurlewCore
import CurlewTransport
import Synchronization

extension MQTTClient {
    /// Publishes a message and waits until the server has taken it: at QoS 0 until it is on its way, at QoS 1 and 2 until it is
    /// acknowledged. It is sent again after the loss of a connection, as often as necessary; unless the server ends each connection
    /// on which it is sent, and not one without it: then the call throws `brokeConnections` after the third.
    ///
    /// While there is no connection, or more is waiting than `queues.unsentBytes` allows, the call waits, at QoS 0 as well: a loop
    /// that publishes readings rests for as long as the server is away. To fail at once instead, give a `timeout` of `.zero` (at
    /// QoS 0; it throws `timedOut`, and the message is not sent), or use `enqueue(_:to:)`, which never waits. The call never drops a
    /// message and never blocks a thread.
    ///
    /// Before ``connect()`` it waits no longer than `connection.connectTimeout`, and throws `notConnected`. Once the client has been disconnected, or has given
    /// up for good, the call throws at once, until ``connect()`` is called again.
    ///
    /// - Parameters:
    ///   - payload: Text, bytes or a buffer.
    ///   - topic: The topic name, without wildcards (MQTT 5.0 section 4.7).
    ///   - qos: How hard to try. Default: at most once.
    ///   - retain: Whether the server keeps it for later subscribers, in place of the one before. Default: `false`.
    ///   - properties: What else to say about it; left out before MQTT 5.0. Default: nothing.
    ///   - timeout: How long to wait. Default: `connection.acknowledgementTimeout`, which is `nil`: as long as it takes.
    /// - Returns: The server's reason code: success, or that nobody has subscribed to the topic.
    /// - Throws: ``MQTTError``, whose ``MQTTError/delivery`` says whether the message was sent.
    @discardableResult
    public nonisolated(nonsending) func publish(
        _ payload: some MQTTPayload, to topic: String, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: MessageProperties = MessageProperties(), timeout: Duration? = nil
    ) async throws -> ReasonCode {
        let message = try self.engine.makeMessage(payload.mqttPayload, topic, qos, retain, properties)
        return try await self.engine.publish(message, timeout: timeout)
    }

    /// Publishes a value as JSON, with content type `application/json`; otherwise like `publish(_:to:)`.
    @discardableResult
    public nonisolated(nonsending) func publish(
        json value: some Encodable, to topic: String, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: MessageProperties = MessageProperties(), timeout: Duration? = nil
    ) async throws -> ReasonCode {
        var properties = properties
        if properties.contentType == nil { properties.contentType = "application/json" }
        return try await self.publish(
            encodeJSON(value), to: topic, qos: qos, retain: retain, properties: properties, timeout: timeout)
    }

    /// Puts a message in the outbox and returns at once: to send many and wait for some, or for none.
    ///
    /// ```swift
    /// let publishes = try readings.map { try client.enqueue($0.text, to: "readings", qos: .atLeastOnce) }
    /// for publish in publishes { try await publish.outcome() }
    /// ```
    ///
    /// - Throws: ``MQTTError`` with code `queueFull` when more waits than `queues.outboxCount` or `queues.outboxBytes` allow,
    ///   for nothing is ever dropped to make room; and as `publish` does, once the client has stopped.
    @discardableResult
    public func enqueue(
        _ payload: some MQTTPayload, to topic: String, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: MessageProperties = MessageProperties()
    ) throws(MQTTError) -> PendingPublish {
        let message = try self.engine.makeMessage(payload.mqttPayload, topic, qos, retain, properties)
        return PendingPublish(self.engine, try self.engine.accept(message, isAwaited: false))
    }
}
