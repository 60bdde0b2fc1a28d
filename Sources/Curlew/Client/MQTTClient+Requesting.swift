public import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

extension MQTTClient {
    /// Sends a request and returns the first reply.
    ///
    /// With MQTT 5.0 the request carries a response topic of this client and correlation data, and all requests share one
    /// subscription (section 4.10). With another version, or where the responder has a convention of its own, name the topic
    /// that it replies to as `responseTopic`; the first message there is the reply, unless it was retained, or carries
    /// correlation data and not those of this request.
    ///
    /// A request that has ended before it could be sent, because its time was over or its task was cancelled, is not sent
    /// any more.
    ///
    /// - Parameters:
    ///   - payload: Text, bytes or a buffer.
    ///   - topic: The topic that responders listen to.
    ///   - qos: How hard to try, with the request and, where `responseTopic` is given, with the replies. Default: at least
    ///     once, so that the server can say at once that nobody listens.
    ///   - properties: What else to say about it. Correlation data and a response topic among them are sent where
    ///     `responseTopic` is given, and otherwise replaced. Default: nothing.
    ///   - responseTopic: Where the reply comes. Default: `nil`, a topic of this client.
    ///   - timeout: How long to wait. Default: 5 seconds.
    /// - Throws: ``MQTTError``: `timedOut`, `notConnected`, `noMatchingSubscribers`, `requestFailed` when the responder answered with an error,
    ///   and all that `publish` and `subscribe` throw.
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

    /// Sends a request and returns the first `count` replies, or those that came in time. Replies that are errors are among
    /// them; see ``MQTTMessage/replyError``.
    ///
    /// - Throws: As `request(_:to:)` does, but not `timedOut` when at least one reply came, and not `requestFailed`.
    public nonisolated(nonsending) func request(
        _ payload: some MQTTPayload, to topic: String, count: Int, qos: QoS = .atLeastOnce,
        properties: MessageProperties = MessageProperties(), responseTopic: String? = nil,
        timeout: Duration = .seconds(5)
    ) async throws -> [MQTTMessage] {
        guard count > 0 else { throw MQTTError(.invalidArgument, "Ask for at least one reply.") }
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

    /// Sends a request and returns its replies as they come, until the time is over.
    ///
    /// - Throws: As `publish` and `subscribe` do.
    public nonisolated(nonsending) func replies(
        _ payload: some MQTTPayload, to topic: String, qos: QoS = .atLeastOnce,
        properties: MessageProperties = MessageProperties(),
        responseTopic: String? = nil, timeout: Duration
    ) async throws -> MQTTReplies {
        try await self.engine.ask(payload.mqttPayload, topic, qos, properties, responseTopic, nil, timeout)
    }
}
