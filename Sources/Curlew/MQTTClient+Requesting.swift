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
        _ payload: some MQTTPayload, to topic: String, qos: QoS = .atLeastOnce, properties: Properties = Properties(),
        responseTopic: String? = nil, timeout: Duration = .seconds(5)
    ) async throws(MQTTError) -> MQTTMessage {
        let replies = try await self.ask(payload.mqttPayload, topic, qos, properties, responseTopic, 1, timeout)
        guard let reply = try await replies.next() else { throw Self.noReply(topic, timeout) }
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
        properties: Properties = Properties(), responseTopic: String? = nil, timeout: Duration = .seconds(5)
    ) async throws(MQTTError) -> [MQTTMessage] {
        guard count > 0 else { throw MQTTError(.invalidArgument, "Ask for at least one reply.") }
        let replies = try await self.ask(payload.mqttPayload, topic, qos, properties, responseTopic, count, timeout)
        var found: [MQTTMessage] = []
        while let reply = try await replies.next() {
            found.append(reply)
            if found.count == count { break }
        }
        guard !found.isEmpty else { throw Self.noReply(topic, timeout) }
        return found
    }

    /// Sends a request and returns its replies as they come, until the time is over.
    ///
    /// - Throws: As `publish` and `subscribe` do.
    public nonisolated(nonsending) func replies(
        to payload: some MQTTPayload, on topic: String, qos: QoS = .atLeastOnce, properties: Properties = Properties(),
        responseTopic: String? = nil, timeout: Duration
    ) async throws(MQTTError) -> MQTTReplies {
        try await self.ask(payload.mqttPayload, topic, qos, properties, responseTopic, nil, timeout)
    }

    private static func noReply(_ topic: String, _ timeout: Duration) -> MQTTError {
        MQTTError(.timedOut, "No reply from \"\(topic)\" within \(timeout).")
    }

    // MARK: Within

    /// Registers who waits, then publishes.
    private nonisolated(nonsending) func ask(
        _ payload: ByteBuffer, _ topic: String, _ qos: QoS, _ properties: Properties, _ responseTopic: String?,
        _ count: Int?, _ timeout: Duration
    ) async throws(MQTTError) -> MQTTReplies {
        if let refusal = self.shared.withLock({ $0.refusal }) { throw refusal.with(delivery: .notSent) }
        var message = try self.makeMessage(payload, topic, qos, false, properties)
        let begun = self.clock.now()
        let queue = self.configuration.queues.subscription
        let buffer = ReplyBuffer(wanted: count, bound: (count ?? queue.count, queue.bytes))
        let source: MQTTReplies.Source
        if let responseTopic {
            // What waits there already answers nothing, and what comes after the last reply is for nobody.
            let subscription = try await self.subscribe(
                to: [(responseTopic, SubscriptionOptions(qos: qos))], claim: .nothing, acknowledgement: .onReceipt,
                timeout: timeout)
            let correlation = message.properties.correlationData ?? Self.makeCorrelationData()
            source = .subscription(self.forward(subscription, correlation, to: buffer))
            message.properties.responseTopic = message.properties.responseTopic ?? responseTopic
            message.properties.correlationData = correlation
        } else {
            let inbox = try await self.inbox(timeout)
            let (correlation, data) = try inbox.register(
                buffer, limit: self.configuration.limits.waitingRequests)
            source = .inbox(inbox, correlation)
            message.properties.responseTopic = inbox.filter.string
            message.properties.correlationData = data
        }
        let request: RequestID?
        do throws(MQTTError) { request = try self.accept(message, isAwaited: true) } catch {
            source.end()
            throw error
        }
        if let request {
            let known = self.shared.withLock { shared in
                shared.waiters.wait(for: request, .call { result in Self.published(result, topic, buffer) })
            }
            if let known { Self.published(known, topic, buffer) }
        }
        // What the response subscription has taken is part of the time.
        let deadline = self.deadlines.schedule(after: timeout - (self.clock.now() - begun)) {
            if let request { self.giveUp(request) { wasQueued in .timedOut(wasQueued: wasQueued) } }
            buffer.finish(nil)
        }
        return MQTTReplies(buffer: buffer, client: self, request: request, source: source, deadline: deadline)
    }

    /// The server has answered the request's PUBLISH: if that is bad news, there is nothing to wait for.
    private static func published(_ result: Waiters.Result, _ topic: String, _ buffer: ReplyBuffer) {
        switch result {
        case .completed(.published(.noMatchingSubscribers, _)):
            buffer.finish(
                MQTTError(
                    .noMatchingSubscribers, "Nobody has subscribed to \"\(topic)\".", reasonCode: .noMatchingSubscribers
                ))
        case .completed(.published(let code, let reason)) where code.isFailure:
            buffer.finish(
                MQTTError(
                    .publishRefused, "The server refused the request\(reason.map { ": \($0)" } ?? ".")",
                    reasonCode: code,
                    delivery: .notSent))
        case .completed(.rejected(let rejection)): buffer.finish(MQTTError(rejection).with(delivery: .notSent))
        case .completed(.abandoned(let rejection)): buffer.finish(MQTTError(rejection).with(delivery: .unknown))
        case .timedOut(wasQueued: true):
            buffer.finish(MQTTError(.timedOut, "The request could not be sent in time.", delivery: .notSent))
        default: break
        }
    }

    /// Sixteen bytes that no other request has.
    private static func makeCorrelationData() -> ByteBuffer {
        var data = ByteBuffer()
        data.writeMultipleIntegers(UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))
        return data
    }

    /// Takes what comes on a response topic that the caller named. What the server had kept there answers nothing; what has
    /// no correlation data may come from a responder that cannot copy them.
    private func forward(
        _ subscription: MQTTSubscription, _ correlation: ByteBuffer, to buffer: ReplyBuffer
    ) -> Task<Void, Never> {
        Task(executorPreference: self.taskExecutor) {
            do throws(MQTTError) {
                var iterator = subscription.makeAsyncIterator()
                while let message = try await iterator.next() {
                    guard !message.isRetained else { continue }
                    let isExpected = message.properties.correlationData.map { $0 == correlation } ?? true
                    guard !isExpected || buffer.receive(message) == .dropped else { continue }
                    self.shared.withLock { $0.statistics.unexpectedReplies += 1 }
                }
                buffer.finish(self.stopped)
            } catch {
                buffer.finish(error)
            }
        }
    }

    /// The inbox, subscribed; made at the first request.
    private nonisolated(nonsending) func inbox(_ timeout: Duration) async throws(MQTTError) -> ReplyInbox {
        try self.requireResponseTopics()
        let (inbox, isNew) = try self.findInbox()
        if isNew {
            // In a task of its own: others may wait for it when the first who asked has been cancelled.
            Task(executorPreference: self.taskExecutor) {
                do throws(MQTTError) {
                    let requests = try self.begin(inbox, [(inbox.filter, SubscriptionOptions(qos: .atLeastOnce))])
                    for request in requests { try await self.granted(request, inbox.filter, nil) }
                    // Only the connection tells which version the server speaks.
                    try self.requireResponseTopics()
                    inbox.subscribed.set(nil)
                } catch {
                    self.shared.withLock { shared in if shared.inbox === inbox { shared.inbox = nil } }
                    self.unsubscribeInBackground(inbox.id)
                    inbox.subscribed.set(error)
                }
            }
        }
        if let error = try await self.outcome(of: inbox, timeout) { throw error }
        return inbox
    }

    /// Waits until the inbox is subscribed, for as long as this request has time.
    private nonisolated(nonsending) func outcome(
        of inbox: ReplyInbox, _ timeout: Duration
    ) async throws(MQTTError) -> MQTTError? {
        if let known = inbox.subscribed.value { return known }
        let wait = Task(executorPreference: self.taskExecutor) { await inbox.subscribed.wait() }
        let deadline = self.deadlines.schedule(after: timeout) { wait.cancel() }
        defer { self.deadlines.cancel(deadline) }
        let result = await withTaskCancellationHandler {
            await wait.value
        } onCancel: {
            wait.cancel()
        }
        if let result { return result }
        if Task.isCancelled { throw MQTTError(.cancelled, "The task was cancelled.", delivery: .notSent) }
        throw self.timedOut("The server did not grant the subscription to the replies within \(timeout).")
            .with(delivery: .notSent)
    }

    private func requireResponseTopics() throws(MQTTError) {
        let version = self.protocolVersion ?? self.configuration.connection.version.exact ?? .v5_0
        guard version < .v5_0 else { return }
        throw MQTTError(
            .notSupportedByProtocolVersion,
            "Before MQTT 5.0 a request cannot say where to reply: name the topic with `responseTopic`.",
            delivery: .notSent)
    }

    /// The server has refused the inbox: whoever asks next makes another.
    func remove(_ inbox: ReplyInbox) {
        self.shared.withLock { shared in
            if shared.inbox === inbox { shared.inbox = nil }
            shared.receivers[inbox.id] = nil
        }
    }

    private func findInbox() throws(MQTTError) -> (ReplyInbox, isNew: Bool) {
        let found: Result<(ReplyInbox, isNew: Bool), TopicError> = self.shared.withLock { shared in
            if let inbox = shared.inbox { return .success((inbox, false)) }
            let wantsInformation = self.configuration.session.requestResponseInformation
            let base = (wantsInformation ? shared.session.limits?.responseInformation : nil) ?? "reply"
            let random = String(UInt64.random(in: .min ... .max), radix: 36)
            do throws(TopicError) {
                // Replies are published to it: with wildcards it would be no topic.
                let filter = try TopicFilter(TopicName("\(base)/\(random)").string)
                let inbox = ReplyInbox(id: shared.makeSubscriberID(), filter: filter, client: self)
                shared.inbox = inbox
                return .success((inbox, true))
            } catch {
                return .failure(error)
            }
        }
        do { return try found.get() } catch {
            throw MQTTError(.protocolViolation, "The server's response information is no topic: \(error)", cause: error)
        }
    }
}

/// The replies to one request, until enough have come or the time is over. Iterate over it once.
public final class MQTTReplies: AsyncSequence, Sendable {
    /// What the sequence consists of.
    public typealias Element = MQTTMessage
    /// How it fails: `noMatchingSubscribers`, `publishRefused`, `clientStopped`, `timedOut` where the request could not even be
    /// sent in time, or `subscriptionRefused` where the server had lost the session and refuses the subscription to the
    /// replies now.
    public typealias Failure = MQTTError

    /// Where the replies come from.
    enum Source: Sendable {
        case inbox(ReplyInbox, UInt64)
        case subscription(Task<Void, Never>)

        /// No more are wanted.
        func end() {
            switch self {
            case .inbox(let inbox, let correlation): inbox.forget(correlation)
            case .subscription(let forwarding): forwarding.cancel()
            }
        }
    }

    private let buffer: ReplyBuffer
    private let client: MQTTClient
    /// The PUBLISH of the request; `nil` when it was written at QoS 0.
    private let request: RequestID?
    private let source: Source
    private let deadline: Deadlines.ID

    fileprivate init(
        buffer: ReplyBuffer, client: MQTTClient, request: RequestID?, source: Source, deadline: Deadlines.ID
    ) {
        self.buffer = buffer
        self.client = client
        self.request = request
        self.source = source
        self.deadline = deadline
    }

    deinit {
        self.client.deadlines.cancel(self.deadline)
        self.source.end()
        // Nobody would read the replies to a request that is still to be sent.
        if let request { self.client.giveUp(request) { wasQueued in .cancelled(wasQueued: wasQueued) } }
    }

    fileprivate nonisolated(nonsending) func next() async throws(MQTTError) -> MQTTMessage? {
        try await self.buffer.next()
    }

    /// The replies from the first that was not yet taken.
    public func makeAsyncIterator() -> Iterator { Iterator(replies: self) }

    /// Iterates over the replies.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let replies: MQTTReplies

        /// Waits for the next reply; `nil` when the time is over.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(MQTTError) -> MQTTMessage? {
            try await self.replies.next()
        }

        /// Waits for the next reply; `nil` when the time is over.
        public nonisolated(nonsending) mutating func next() async throws(MQTTError) -> MQTTMessage? {
            try await self.replies.next()
        }
    }
}
