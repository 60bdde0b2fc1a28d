public import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

extension MQTTClient {
    /// Sends a request and returns the first reply.
    ///
    /// With MQTT 5.0, the request carries a response topic of this client and correlation data, and all requests share
    /// one subscription (section 4.10). The topic is `reply/` and a random name, or begins with the broker's response
    /// information if the configuration requests it. With an older version, or if the responder has its own convention, pass the
    /// topic that it replies to as `responseTopic`. The first message on that topic is then the reply, unless it is a
    /// retained message or its correlation data belongs to another request.
    ///
    /// If the request times out or is cancelled before it could be sent, it is not sent.
    ///
    /// - Parameters:
    ///   - payload: Text, bytes or a buffer.
    ///   - topic: The topic that responders have subscribed to.
    ///   - qos: The QoS of the request and, with `responseTopic`, of the subscription to the replies. Default: at least
    ///     once, so that the broker can report immediately that there is no responder.
    ///   - properties: The properties of the request. A response topic and correlation data in them are sent only with
    ///     `responseTopic`; otherwise they are replaced. Default: none.
    ///   - responseTopic: The topic on which the reply arrives. Default: `nil`, a topic of this client.
    ///   - timeout: How long to wait for the reply. Default: 5 seconds.
    /// - Returns: The reply.
    /// - Throws: ``MQTTError``: `timedOut`, `notConnected`, `noMatchingSubscribers`, `requestFailed` if the responder
    ///   answered with an error, or what `publish` and `subscribe` throw.
    public nonisolated(nonsending) func request(
        _ payload: some MQTTPayload, to topic: String, qos: QoS = .atLeastOnce,
        properties: MessageProperties = MessageProperties(),
        responseTopic: String? = nil, timeout: Duration = .seconds(5)
    ) async throws -> MQTTMessage {
        let replies = try await self.engine.ask(payload.mqttPayload, topic, qos, properties, responseTopic, 1, timeout)
        guard let reply = try await replies.next() else { throw ClientEngine.noReply(topic, timeout) }
        if let error = reply.replyError {
            throw MQTTError(.requestFailed, "The responder on \"\(topic)\" answered with an error: \(error)")
        }
        return reply
    }

    /// Sends a request and returns the first `count` replies, or those that arrived in time.
    ///
    /// They include error replies; see ``MQTTMessage/replyError``.
    ///
    /// - Throws: What `request(_:to:)` throws, except `requestFailed`, and `timedOut` only if no reply arrived.
    public nonisolated(nonsending) func request(
        _ payload: some MQTTPayload, to topic: String, count: Int, qos: QoS = .atLeastOnce,
        properties: MessageProperties = MessageProperties(), responseTopic: String? = nil,
        timeout: Duration = .seconds(5)
    ) async throws -> [MQTTMessage] {
        guard count > 0 else { throw MQTTError(.invalidArgument, "`count` must be at least 1.") }
        let replies = try await self.engine.ask(
            payload.mqttPayload, topic, qos, properties, responseTopic, count, timeout)
        var found: [MQTTMessage] = []
        while let reply = try await replies.next() {
            found.append(reply)
            if found.count == count { break }
        }
        guard !found.isEmpty else { throw ClientEngine.noReply(topic, timeout) }
        return found
    }

    /// Sends a request and returns the first `count` replies, or those that arrived in time, from topics of the
    /// responders' choice.
    ///
    /// For responders with a convention of their own, with any protocol version: every message that arrives on the
    /// topics after the request is a reply, except retained ones.
    ///
    /// - Parameters:
    ///   - payload: Text, bytes or a buffer.
    ///   - topic: The topic that responders have subscribed to.
    ///   - filters: The topic filters of the replies.
    ///   - count: The maximum number of replies, at least 1. Default: 1.
    ///   - qos: The QoS of the request and of the subscription to the replies. Default: at least once.
    ///   - properties: The properties of the request. Default: none.
    ///   - timeout: How long to wait for the replies. Default: 5 seconds.
    /// - Throws: What `request(_:to:)` throws, except `requestFailed`, and `timedOut` only if no reply arrived.
    public nonisolated(nonsending) func request(
        _ payload: some MQTTPayload, to topic: String, repliesOn filters: [String], count: Int = 1,
        qos: QoS = .atLeastOnce, properties: MessageProperties = MessageProperties(), timeout: Duration = .seconds(5)
    ) async throws -> [MQTTMessage] {
        guard count > 0 else { throw MQTTError(.invalidArgument, "`count` must be at least 1.") }
        let replies = try await self.engine.ask(
            payload.mqttPayload, topic, qos, properties, repliesOn: filters, count, timeout)
        var found: [MQTTMessage] = []
        while let reply = try await replies.next() {
            found.append(reply)
            if found.count == count { break }
        }
        guard !found.isEmpty else { throw ClientEngine.noReply(topic, timeout) }
        return found
    }

    /// Sends a request and returns a sequence of the replies that arrive within `timeout`.
    ///
    /// - Throws: What `publish` and `subscribe` throw.
    public nonisolated(nonsending) func replies(
        _ payload: some MQTTPayload, to topic: String, qos: QoS = .atLeastOnce,
        properties: MessageProperties = MessageProperties(),
        responseTopic: String? = nil, timeout: Duration
    ) async throws -> MQTTReplies {
        try await self.engine.ask(payload.mqttPayload, topic, qos, properties, responseTopic, nil, timeout)
    }
}
