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
            // Claim nothing, because earlier messages are not replies. Acknowledge on receipt, because messages after
            // the last reply have no consumer.
            let subscription = try await self.subscribe(
                to: [(responseTopic, SubscriptionOptions(qos: qos))], claim: .nothing, queue: nil,
                acknowledgement: .onReceipt, timeout: timeout)
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
            let known = self.report(request) { result in Self.published(result, topic, buffer) }
            if let known { Self.published(known, topic, buffer) }
        }
        // The time for subscribing to the replies counts.
        let deadline = self.deadlines.schedule(after: timeout - (self.clock.now() - begun)) {
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

    /// The PUBLISH of a request has ended. If it failed, no replies follow.
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

    /// Sixteen random bytes.
    private static func makeCorrelationData() -> ByteBuffer {
        var data = ByteBuffer()
        data.writeMultipleIntegers(UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))
        return data
    }

    /// Passes on the replies that arrive on the caller's response topic. Retained messages are not replies. A message
    /// without correlation data may come from a responder that cannot copy it.
    private func forward(
        _ subscription: MQTTSubscription, _ correlation: ByteBuffer, to buffer: ReplyBuffer
    ) -> Task<Void, Never> {
        Task(executorPreference: self.executor) {
            do {
                var iterator = subscription.makeAsyncIterator()
                while let message = try await iterator.next() {
                    guard !message.isRetained else { continue }
                    let isExpected = message.properties.correlationData.map { $0 == correlation } ?? true
                    guard !isExpected || buffer.receive(message) == .dropped else { continue }
                    self.countUnexpectedReplies(1)
                }
                buffer.finish(self.stopped)
            } catch {
                buffer.finish(MQTTError(of: error))
            }
        }
    }

    /// Returns the inbox after its subscription was granted. The first request creates it.
    private nonisolated(nonsending) func inbox(_ timeout: Duration) async throws(MQTTError) -> ReplyInbox {
        try self.requireResponseTopics()
        let (inbox, isNew) = try self.findInbox()
        if isNew {
            // In a separate task, because other requests may wait for the inbox after the first one was cancelled.
            let subscribing = Task(executorPreference: self.executor) {
                do throws(MQTTError) {
                    let requests = try self.begin(inbox, [(inbox.filter, SubscriptionOptions(qos: .atLeastOnce))])
                    for request in requests { try await self.granted(request, inbox.filter, nil) }
                    // Check again: only now is the protocol version certain.
                    try self.requireResponseTopics()
                    inbox.subscribed.set(nil)
                } catch {
                    self.state.withLock { $0.receivers.drop(inbox) }
                    self.endSubscription(inbox.id)
                    inbox.subscribed.set(error)
                }
            }
            inbox.own(subscribing)
        }
        if let error = try await self.outcome(of: inbox, timeout) { throw error }
        return inbox
    }

    /// Waits until the inbox is subscribed, with the time limit of this request.
    private nonisolated(nonsending) func outcome(
        of inbox: ReplyInbox, _ timeout: Duration
    ) async throws(MQTTError) -> MQTTError? {
        switch await inbox.subscribed.wait(for: timeout, by: self.deadlines) {
        case .value(let error): return error
        case .cancelled: throw MQTTError(.cancelled, "The task was cancelled.", delivery: .notSent)
        case .timedOut:
            throw self.timedOut("The server did not grant the subscription to the replies within \(timeout).")
                .with(delivery: .notSent)
        }
    }

    private func requireResponseTopics() throws(MQTTError) {
        let version = self.protocolVersion ?? self.configuration.connection.version.exact ?? .v5_0
        guard version < .v5_0 else { return }
        throw MQTTError(
            .notSupportedByProtocolVersion,
            "Before MQTT 5.0, a request cannot contain a response topic: name the topic with `responseTopic`.",
            delivery: .notSent)
    }

    private func findInbox() throws(MQTTError) -> (ReplyInbox, isNew: Bool) {
        let found: Result<(ReplyInbox, isNew: Bool), TopicError> = self.state.withLock { state in
            if let inbox = state.receivers.inbox { return .success((inbox, false)) }
            let wantsInformation = self.configuration.session.requestResponseInformation
            let base = (wantsInformation ? state.session.limits?.responseInformation : nil) ?? "reply"
            let random = String(UInt64.random(in: .min ... .max), radix: 36)
            do throws(TopicError) {
                // Responders publish to it, so it must not contain wildcards.
                let filter = try TopicFilter(TopicName("\(base)/\(random)").string)
                let inbox = ReplyInbox(id: state.receivers.makeID(), filter: filter, owner: self)
                state.receivers.use(inbox)
                return .success((inbox, true))
            } catch {
                return .failure(error)
            }
        }
        do { return try found.get() } catch {
            throw MQTTError(
                .protocolViolation, "The server's response information is not a valid topic: \(error)", cause: error)
        }
    }
}
