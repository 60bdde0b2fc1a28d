public import CurlewCore
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
    /// Without a connection, the call waits up to `connection.acknowledgementTimeout` for the subscription. When the task
    /// is cancelled, the handlers are cancelled and the call returns.
    ///
    /// A request is acknowledged after its reply was published; if publishing fails, the client logs a warning. If the
    /// program crashes before that, the broker delivers the request again. A request that is not finished when the task
    /// is cancelled, or that waits in the queue, goes to the next responder, of this client or of the next run; it may
    /// be handled twice if its reply was on its way. If `handler` throws, the reply is an
    /// error reply (see ``MQTTMessage/replyError``) that contains the error's description: do not throw errors whose
    /// description the requester must not see. A request without a response topic is handled but not answered.
    ///
    /// - Parameters:
    ///   - filter: The topic filter of the requests; with `$share/{group}/…`, several responders share them.
    ///   - concurrency: The maximum number of requests that are handled at the same time. Default:
    ///     `limits.concurrentResponses`, 64.
    ///   - replyTopic: Returns the topic for the reply to a request that has no response topic, as all requests before
    ///     MQTT 5.0. Default: `nil`.
    ///   - onSubscribed: Called once, with the topic filter, when the broker has granted it. Default: nothing.
    ///   - handler: Returns the payload of the reply.
    /// - Throws: What `subscribe(to:)` throws; `invalidArgument` if `concurrency` is less than 1; and the error that
    ///   ends the subscription.
    public nonisolated(nonsending) func respond(
        to filter: String, concurrency: Int? = nil, replyTopic: (@Sendable (MQTTMessage) -> String?)? = nil,
        onSubscribed: @Sendable ([TopicFilter]) -> Void = { _ in },
        handler: @escaping @Sendable (MQTTMessage) async throws -> some MQTTPayload
    ) async throws {
        let limit = concurrency ?? self.configuration.limits.concurrentResponses
        guard limit > 0 else { throw MQTTError(.invalidArgument, "`concurrency` must be at least 1.") }
        guard let requests = try await self.subscribeUnlessCancelled(to: [TopicSubscription(filter)]) else { return }
        onSubscribed(requests.filters)
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
            if self.isAbandoned(request) { return }
            payload = ByteBuffer()
            properties[MQTTMessage.replyErrorProperty] = "\(error)"
            self.engine.logger.debug("request failed", metadata: ["topic": "\(request.topic)", "error": "\(error)"])
        }
        if let topic = request.properties.responseTopic ?? replyTopic?(request) {
            do {
                try await self.publish(payload, to: topic, qos: request.qos, properties: properties)
            } catch {
                // A reply that was sent is one: another responder must not handle the request again.
                if MQTTError(of: error).delivery == .notSent, self.isAbandoned(request) { return }
                self.engine.logger.warning("reply not sent", metadata: ["topic": "\(topic)", "error": "\(error)"])
            }
        }
        // Each request is acknowledged once, with the policy `.manual`, so this does not throw.
        try? requests.acknowledge(request)
    }

    /// If the responder's task is cancelled, gives a request that is not finished to the next responder: another one of
    /// this client, or that of the next run. At QoS 0 there is no next one, and the requester gets an error.
    private func isAbandoned(_ request: MQTTMessage) -> Bool {
        guard Task.isCancelled, request.token != nil else { return false }
        self.engine.handBack([request])
        return true
    }
}
