import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

// Sends requests and receives their replies.
extension ClientEngine {
    static func noReply(_ topic: String, _ timeout: Duration) -> MQTTError {
        MQTTError(.timedOut, "No reply from \"\(topic)\" within \(timeout).")
    }

    /// Registers a buffer for the replies, then publishes the request.
    nonisolated(nonsending) func ask(
        _ payload: ByteBuffer, _ topic: String, _ qos: QoS, _ properties: Properties, _ responseTopic: String?,
        _ count: Int?, _ timeout: Duration
    ) async throws(MQTTError) -> MQTTReplies {
        if let refusal = self.state.withLock({ $0.life.refusal }) { throw refusal.with(delivery: .notSent) }
        var message = try self.makeMessage(payload, topic, qos, false, properties)
        let begun = self.clock.now()
        let queue = self.configuration.queues.subscription
        let buffer = ReplyBuffer(wanted: count, bound: (count ?? queue.count, queue.bytes))
        let source: ReplySource
        if let responseTopic {
            let subscription = try await self.subscribe(toReplies: [responseTopic], qos, timeout)
            let correlation = message.properties.correlationData ?? ReplyKey.makeCorrelation().data
            source = .subscription(self.forward(subscription, correlation, to: buffer))
            message.properties.responseTopic = message.properties.responseTopic ?? responseTopic
            message.properties.correlationData = correlation
        } else {
            let inbox = try await self.responseInbox(timeout)
            let (key, data) = ReplyKey.makeCorrelation()
            let limit = self.configuration.limits.waitingRequests
            guard let registration = try inbox.register(buffer, for: key, limit: limit) else {
                // Only inboxes of single devices are retired.
                throw MQTTError(.clientStopped, "The subscription to the replies has ended.", delivery: .notSent)
            }
            source = .inbox(inbox, registration)
            message.properties.responseTopic = inbox.filters[0].string
            message.properties.correlationData = data
        }
        // The time for subscribing to the replies counts.
        return try self.ask(message, expecting: buffer, from: source, within: timeout - (self.clock.now() - begun))
    }

    /// Subscribes to topics of replies, then publishes the request.
    nonisolated(nonsending) func ask(
        _ payload: ByteBuffer, _ topic: String, _ qos: QoS, _ properties: Properties, repliesOn filters: [String],
        _ count: Int, _ timeout: Duration
    ) async throws(MQTTError) -> MQTTReplies {
        if let refusal = self.state.withLock({ $0.life.refusal }) { throw refusal.with(delivery: .notSent) }
        let message = try self.makeMessage(payload, topic, qos, false, properties)
        let begun = self.clock.now()
        let buffer = ReplyBuffer(wanted: count, bound: (count, self.configuration.queues.subscription.bytes))
        let subscription = try await self.subscribe(toReplies: filters, qos, timeout)
        let source = ReplySource.subscription(self.forward(subscription, nil, to: buffer))
        return try self.ask(message, expecting: buffer, from: source, within: timeout - (self.clock.now() - begun))
    }

    private nonisolated(nonsending) func subscribe(
        toReplies filters: [String], _ qos: QoS, _ timeout: Duration
    ) async throws(MQTTError) -> MQTTSubscription {
        do throws(MQTTError) {
            // Claim nothing, because earlier messages are not replies. Acknowledge on receipt, because messages after
            // the last reply have no consumer.
            return try await self.subscribe(
                to: filters.map { ($0, SubscriptionOptions(qos: qos)) }, claim: .nothing, queue: nil,
                acknowledgement: .onReceipt, timeout: timeout)
        } catch {
            throw error.with(delivery: .notSent)
        }
    }

    /// Publishes a request whose replies a buffer receives. After the time limit, no more replies follow.
    func ask(
        _ message: OutgoingMessage, expecting buffer: ReplyBuffer, from source: ReplySource, within limit: Duration
    ) throws(MQTTError) -> MQTTReplies {
        let request: RequestID?
        do throws(MQTTError) { request = try self.send(message, for: buffer) } catch {
            source.end()
            throw error
        }
        let deadline = self.deadlines.schedule(after: limit) {
            if let request { self.giveUp(request) { wasQueued in .timedOut(wasQueued: wasQueued) } }
            buffer.finish(nil)
        }
        return MQTTReplies(buffer) {
            self.deadlines.cancel(deadline)
            source.end()
            // No replies are wanted: do not send a request that still waits.
            if let request { self.giveUp(request) { wasQueued in .cancelled(wasQueued: wasQueued) } }
        }
    }

    /// Publishes a request. If that fails, `target` gets the error.
    func send(_ message: OutgoingMessage, for target: some ReplyTarget) throws(MQTTError) -> RequestID? {
        let topic = message.topic.string
        return try self.accept(message, isAwaited: true) { result in Self.published(result, topic, target) }
    }

    /// The PUBLISH of a request has ended. If it failed, no replies follow.
    private static func published(_ result: Waiters.Result, _ topic: String, _ target: some ReplyTarget) {
        switch result {
        case .completed(.published(.noMatchingSubscribers, _)):
            target.finish(
                MQTTError(
                    .noMatchingSubscribers, "Nobody has subscribed to \"\(topic)\".", reasonCode: .noMatchingSubscribers
                ))
        case .completed(.published(let code, let reason)) where code.isFailure:
            target.finish(
                MQTTError(
                    .publishRefused, "The server refused the request\(reason.map { ": \($0)" } ?? ".")",
                    reasonCode: code,
                    delivery: .notSent))
        case .completed(.rejected(let rejection)): target.finish(MQTTError(rejection).with(delivery: .notSent))
        case .completed(.abandoned(let rejection)): target.finish(MQTTError(rejection).with(delivery: .unknown))
        case .timedOut(wasQueued: true):
            target.finish(MQTTError(.timedOut, "The request could not be sent in time.", delivery: .notSent))
        default: break
        }
    }

    /// Passes on the replies that arrive on the caller's response topic. Retained messages are not replies. A message
    /// without correlation data may come from a responder that cannot copy it.
    private func forward(
        _ subscription: MQTTSubscription, _ correlation: ByteBuffer?, to buffer: ReplyBuffer
    ) -> Task<Void, Never> {
        Task(executorPreference: self.executor) {
            do {
                var iterator = subscription.makeAsyncIterator()
                while let message = try await iterator.next() {
                    guard !message.isRetained else { continue }
                    let isExpected =
                        correlation == nil || message.properties.correlationData.map { $0 == correlation } ?? true
                    guard !isExpected || buffer.receive(message) == .dropped else { continue }
                    self.countUnexpectedReplies(1)
                }
                buffer.finish(self.stopped)
            } catch {
                buffer.finish(MQTTError(of: error))
            }
        }
    }

    /// Returns the inbox for replies with correlation data of MQTT 5.0.
    nonisolated(nonsending) func responseInbox(_ timeout: Duration) async throws(MQTTError) -> ReplyInbox {
        try self.requireResponseTopics()
        // The version is checked again when it is certain.
        return try await self.inbox(
            named: .responses, timeout, check: { engine throws(MQTTError) in try engine.requireResponseTopics() }
        ) { state throws(MQTTError) in
            let wantsInformation = self.configuration.session.requestResponseInformation
            let base = (wantsInformation ? state.session.limits?.responseInformation : nil) ?? "reply"
            let random = String(UInt64.random(in: .min ... .max), radix: 36)
            do throws(TopicError) {
                // Responders publish to it, so it must not contain wildcards.
                let filter = try TopicFilter(TopicName("\(base)/\(random)").string)
                return ReplyInbox.Plan(
                    name: .responses, filters: [filter], key: { ReplyKey($0.properties.correlationData) },
                    isPrivate: true,
                    readsPayload: false)
            } catch {
                throw MQTTError(
                    .protocolViolation, "The server's response information is not a valid topic: \(error)",
                    cause: error)
            }
        }
    }

    /// Returns an inbox after its subscriptions were granted. The first request of its kind creates it.
    ///
    /// - Parameters:
    ///   - check: Called after the subscriptions were granted. If it throws, so do all requests that wait for the inbox.
    ///   - plan: Called under the lock of the engine if there is no such inbox yet.
    nonisolated(nonsending) func inbox(
        named name: ReplyInbox.Name, _ timeout: Duration,
        check: @escaping @Sendable (ClientEngine) throws(MQTTError) -> Void = { _ in },
        plan: (borrowing State) throws(MQTTError) -> ReplyInbox.Plan
    ) async throws(MQTTError) -> ReplyInbox {
        let (inbox, isNew) = try self.findInbox(name, plan)
        if isNew {
            // In a separate task, because other requests may wait for the inbox after the first one was cancelled.
            let subscribing = Task(executorPreference: self.executor) {
                do throws(MQTTError) {
                    let options = SubscriptionOptions(qos: .atLeastOnce)
                    let requests = try self.begin(inbox, inbox.filters.map { ($0, options) })
                    for (request, filter) in zip(requests, inbox.filters) {
                        try await self.granted(request, filter, nil)
                    }
                    try check(self)
                    inbox.subscribed.set(nil)
                } catch {
                    self.state.withLock { $0.receivers.drop(inbox) }
                    self.endSubscription(inbox.id)
                    inbox.subscribed.set(error)
                }
            }
            inbox.own(subscribing)
        }
        if let error = try await self.outcome(of: inbox, timeout) { throw error.with(delivery: .notSent) }
        return inbox
    }

    /// Waits until the inbox is subscribed, with the time limit of this request.
    private nonisolated(nonsending) func outcome(
        of inbox: ReplyInbox, _ timeout: Duration
    ) async throws(MQTTError) -> MQTTError? {
        if let known = inbox.subscribed.value { return known }
        switch await inbox.subscribed.wait(for: timeout, by: self.deadlines) {
        case .value(let error): return error
        case .cancelled: throw MQTTError(.cancelled, "The task was cancelled.", delivery: .notSent)
        case .timedOut:
            throw self.timedOut("The server did not grant the subscription to the replies within \(timeout).")
                .with(delivery: .notSent)
        }
    }

    func requireResponseTopics() throws(MQTTError) {
        let version = self.protocolVersion ?? self.configuration.connection.version.exact ?? .v5_0
        guard version < .v5_0 else { return }
        throw MQTTError(
            .notSupportedByProtocolVersion,
            "Before MQTT 5.0, a request cannot contain a response topic: name the topic with `responseTopic`.",
            delivery: .notSent)
    }

    private func findInbox(
        _ name: ReplyInbox.Name, _ plan: (borrowing State) throws(MQTTError) -> ReplyInbox.Plan
    ) throws(MQTTError) -> (ReplyInbox, isNew: Bool) {
        let found: Result<(ReplyInbox, isNew: Bool), MQTTError> = self.state.withLock { state in
            if let inbox = state.receivers.inbox(named: name) { return .success((inbox, false)) }
            do throws(MQTTError) {
                let inbox = ReplyInbox(
                    id: state.receivers.makeID(), try plan(state), owner: self,
                    sizeLimit: self.configuration.limits.decodedReplyBytes)
                state.receivers.use(inbox)
                return .success((inbox, true))
            } catch {
                return .failure(error)
            }
        }
        return try found.get()
    }
}
