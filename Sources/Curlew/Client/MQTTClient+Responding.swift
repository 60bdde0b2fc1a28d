import CurlewCore
import Logging
import NIOCore
import Tracing

extension MQTTClient {
    /// Answers requests, until the task is cancelled or the client is disconnected.
    ///
    /// ```swift
    /// try await client.respond(to: "devices/7/rpc") { request in "pong" }
    /// ```
    ///
    /// A request is acknowledged when its reply is on the way, so that one that this program did not finish comes again to
    /// another. If `handler` throws, the reply is an error that the requester can tell, with the error's description: throw
    /// nothing whose description the requester must not know; see ``MQTTMessage/replyError``. A request that says nowhere
    /// where to reply is handled and not answered.
    ///
    /// - Parameters:
    ///   - filter: What to listen to; with `$share/{group}/…`, several responders divide the requests between them.
    ///   - concurrency: How many requests are handled at once. Default: `limits.concurrentResponses`, 64.
    ///   - replyTopic: Where the reply to a request goes that does not say so itself, as no request before MQTT 5.0 does.
    ///   - handler: Makes the reply.
    /// - Throws: As `subscribe(to:)` does.
    public func respond(
        to filter: String, concurrency: Int? = nil, replyTopic: (@Sendable (MQTTMessage) -> String?)? = nil,
        handler: @escaping @Sendable (MQTTMessage) async throws -> some MQTTPayload
    ) async throws {
        let limit = concurrency ?? self.configuration.limits.concurrentResponses
        guard limit > 0 else { throw MQTTError(.invalidArgument, "`concurrency` must be at least 1.") }
        let requests = try await self.subscribe(to: filter, acknowledgement: .manual)
        try await withThrowingTaskGroup(of: Void.self) { group in
            var running = 0
            var iterator = requests.makeAsyncIterator()
            while let request = try await iterator.next() {
                if running == limit {
                    try await group.next()
                    running -= 1
                }
                running += 1
                group.addTask { await self.answer(request, of: requests, replyTopic, handler) }
            }
        }
    }

    private func answer(
        _ request: MQTTMessage, of requests: MQTTSubscription, _ replyTopic: (@Sendable (MQTTMessage) -> String?)?,
        _ handler: @Sendable (MQTTMessage) async throws -> some MQTTPayload
    ) async {
        var properties = MessageProperties()
        properties.correlationData = request.properties.correlationData
        let payload: ByteBuffer
        do {
            payload = try await ServiceContext.withValue(self.engine.context(of: request)) {
                try await handler(request).mqttPayload
            }
        } catch {
            payload = ByteBuffer()
            properties[MQTTMessage.replyErrorProperty] = "\(error)"
            self.engine.logger.debug("request failed", metadata: ["topic": "\(request.topic)", "error": "\(error)"])
        }
        if let topic = request.properties.responseTopic ?? replyTopic?(request) {
            do {
                try await self.publish(payload, to: topic, qos: request.qos, properties: properties)
            } catch {
                self.engine.logger.warning("reply not sent", metadata: ["topic": "\(topic)", "error": "\(error)"])
            }
        }
        // An error means that the client was stopped meanwhile.
        try? requests.acknowledge(request)
    }
}
