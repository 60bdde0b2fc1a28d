import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

// Subscribes to and unsubscribes from topic filters.
extension ClientEngine {
    nonisolated(nonsending) func subscribe(
        to filters: [(filter: String, options: SubscriptionOptions)], claim: Claim,
        queue: MQTTConfiguration.SubscriptionQueue?, acknowledgement: MQTTConfiguration.AcknowledgementPolicy?,
        timeout: Duration?, waking consumers: Condition = Condition()
    ) async throws(MQTTError) -> MQTTSubscription {
        let parsed = try Self.parse(filters.map(\.filter))
        for filter in parsed { try self.configuration.serviceLimits.check(filter) }
        let wanted = Array(zip(parsed, filters.map(\.options)))
        let subscription = self.makeSubscription(parsed, queue, acknowledgement, consumers)
        let buffer = subscription.buffer
        let begun = self.clock.now()
        let requests = try self.begin(buffer, wanted, claim)
        var granted: [QoS] = []
        for (index, request) in requests.enumerated() {
            do throws(MQTTError) {
                // The answers are awaited one after the other; the time limit is for all of them together.
                let left = timeout.map { max(.zero, $0 - (self.clock.now() - begun)) }
                granted.append(try await self.granted(request, parsed[index], left))
            } catch {
                for request in requests[(index + 1)...] { self.forget(request) }
                self.endSubscription(buffer.id)
                throw error
            }
        }
        buffer.granted(granted)
        buffer.receive([])
        return subscription
    }

    /// Subscribes as soon as there is a connection, without waiting for it. If the server refuses, the subscription ends
    /// with the error.
    func subscribeSoon(
        to filters: [(filter: String, options: SubscriptionOptions)],
        queue: MQTTConfiguration.SubscriptionQueue?, acknowledgement: MQTTConfiguration.AcknowledgementPolicy?,
        waking consumers: Condition
    ) throws(MQTTError) -> MQTTSubscription {
        let parsed = try Self.parse(filters.map(\.filter))
        for filter in parsed { try self.configuration.serviceLimits.check(filter) }
        let subscription = self.makeSubscription(parsed, queue, acknowledgement, consumers)
        let buffer = subscription.buffer
        let requests = try self.begin(buffer, Array(zip(parsed, filters.map(\.options))), .matching)
        for (request, filter) in zip(requests, parsed) {
            let report: @Sendable (Waiters.Result) -> Void = { [weak self, weak buffer] result in
                guard let self, let buffer else { return }
                do throws(MQTTError) { _ = try self.granted(result, filter) } catch {
                    self.endSubscription(buffer.id)
                    buffer.finish(error)
                }
            }
            if let known = self.report(request, to: report) { report(known) }
        }
        buffer.receive([])
        return subscription
    }

    /// Creates a subscription that sends no SUBSCRIBE, or only if the server has no session.
    ///
    /// - Parameter options: The options for a SUBSCRIBE if the server has no session; `nil` to never send one.
    func listen(
        to filters: [String], resumedWith options: SubscriptionOptions?, _ queue: MQTTConfiguration.SubscriptionQueue?,
        _ acknowledgement: MQTTConfiguration.AcknowledgementPolicy?
    ) throws(MQTTError) -> MQTTSubscription {
        let filters = try Self.parse(filters)
        for filter in filters { try self.configuration.serviceLimits.check(filter) }
        let options = options.map { self.configuration.serviceLimits.capped($0) }
        let subscription = self.makeSubscription(filters, queue, acknowledgement)
        let buffer = subscription.buffer
        let flush = self.state.withLock { state in
            state.receivers.add(buffer)
            for filter in filters {
                if let options {
                    state.session.resume(filter, options, subscriber: buffer.id, into: &state.output.bytes)
                } else {
                    state.session.listen(to: filter, subscriber: buffer.id)
                }
            }
            state.give(.matching, matching: filters, to: buffer)
            return state.output.claimFlush()
        }
        buffer.receive([])
        self.resumeCompleted()
        self.flush(flush)
        return subscription
    }

    nonisolated(nonsending) func unsubscribe(from filters: [TopicFilter]) async throws(MQTTError) {
        let now = self.clock.now()
        let begun: Result<([RequestID], (@Sendable () -> Void)?), MQTTError> = self.state.withLock { state in
            if let refusal = state.life.refusal { return .failure(refusal) }
            let requests = filters.map { filter in
                let request = state.waiters.makeRequestID()
                state.waiters.reserve(request)
                state.session.giveUp(filter, request: request, now: now, into: &state.output.bytes)
                return request
            }
            return .success((requests, state.output.claimFlush()))
        }
        let (requests, flush) = try begun.get()
        self.resumeCompleted()
        self.flush(flush)
        for (index, request) in requests.enumerated() {
            do throws(MQTTError) {
                try await self.unsubscribed(request)
            } catch {
                for request in requests[(index + 1)...] { self.forget(request) }
                throw error
            }
        }
    }

    static func parse(_ filters: [String]) throws(MQTTError) -> [TopicFilter] {
        guard !filters.isEmpty else { throw MQTTError(.invalidArgument, "Name at least one topic filter.") }
        var parsed: [TopicFilter] = []
        for filter in filters {
            do {
                parsed.append(try TopicFilter(filter))
            } catch {
                throw MQTTError(.invalidTopic, error.message, cause: error)
            }
        }
        return parsed
    }

    private func makeSubscription(
        _ filters: [TopicFilter], _ queue: MQTTConfiguration.SubscriptionQueue?,
        _ policy: MQTTConfiguration.AcknowledgementPolicy?, _ consumers: Condition = Condition()
    ) -> MQTTSubscription {
        let id = self.state.withLock { $0.receivers.makeID() }
        let buffer = SubscriptionBuffer(
            id: id, filters: filters, queue: queue ?? self.configuration.queues.subscription,
            policy: policy ?? self.configuration.acknowledgement.policy, owner: self, changed: consumers)
        return MQTTSubscription(buffer, owner: self)
    }

    /// Adds a receiver, and requests its filters from the session. Returns one request for each filter.
    func begin(
        _ receiver: any MessageReceiver, _ wanted: [(TopicFilter, SubscriptionOptions)],
        _ claim: Claim = .nothing
    ) throws(MQTTError) -> [RequestID] {
        var refusal: MQTTError?
        var flush: (@Sendable () -> Void)?
        let requests = self.state.withLock { state in
            var requests: [RequestID] = []
            refusal = state.life.refusal
            guard refusal == nil else { return requests }
            state.receivers.add(receiver)
            for (filter, options) in wanted {
                let request = state.waiters.makeRequestID()
                do throws(Rejection) {
                    state.waiters.reserve(request)
                    try state.session.subscribe(
                        filter, self.configuration.serviceLimits.capped(options), subscriber: receiver.id,
                        request: request, into: &state.output.bytes)
                    requests.append(request)
                } catch {
                    state.waiters.forget(request)
                    refusal = MQTTError(error)
                    break
                }
            }
            if refusal != nil {
                for request in requests { state.waiters.forget(request) }
            } else {
                state.give(claim, matching: wanted.map(\.0), to: receiver)
            }
            flush = state.output.claimFlush()
            return requests
        }
        self.resumeCompleted()
        self.flush(flush)
        if let refusal {
            self.endSubscription(receiver.id)
            throw refusal
        }
        // With `.onReceipt`, receiving claimed messages acknowledges them. They wait until the filters are granted, so
        // that a call that fails takes no messages.
        if (receiver as? SubscriptionBuffer)?.policy != .onReceipt { receiver.receive([]) }
        return requests
    }

    /// Waits for the server's answer to the subscription to a filter. Returns the granted QoS.
    @discardableResult
    nonisolated(nonsending) func granted(
        _ request: RequestID, _ filter: TopicFilter, _ timeout: Duration?
    ) async throws(MQTTError) -> QoS {
        let timeout = timeout ?? self.configuration.connection.acknowledgementTimeout
        return try self.granted(await self.wait(for: request, timeout: timeout), filter)
    }

    /// The QoS that the server granted for a filter.
    private func granted(_ result: Waiters.Result, _ filter: TopicFilter) throws(MQTTError) -> QoS {
        switch result {
        case .completed(.subscribed(let code, let reason)):
            guard code.isFailure else { return QoS(rawValue: code.rawValue) ?? .atMostOnce }
            throw MQTTError(
                .subscriptionRefused,
                "The server refused the subscription to \"\(filter)\"\(reason.map { ": \($0)" } ?? ".")",
                reasonCode: code)
        case .completed(.rejected(let rejection)), .completed(.abandoned(let rejection)): throw MQTTError(rejection)
        case .completed(.sessionEnded): throw self.stopped
        case .completed: throw MQTTError(.clientStopped, "The subscription to \"\(filter)\" has ended in the meantime.")
        case .cancelled: throw MQTTError(.cancelled, "The task was cancelled.")
        case .notConnected: throw self.notConnected
        case .timedOut:
            throw self.timedOut("The server did not answer the subscription to \"\(filter)\" in time.")
        }
    }

    nonisolated(nonsending) func unsubscribe(_ receiver: any MessageReceiver) async throws(MQTTError) {
        guard let request = self.endSubscription(receiver.id, isAwaited: true) else { return }
        receiver.finish(nil)
        try await self.unsubscribed(request)
    }

    private nonisolated(nonsending) func unsubscribed(_ request: RequestID) async throws(MQTTError) {
        switch await self.wait(for: request, timeout: self.configuration.connection.acknowledgementTimeout) {
        case .completed(.unsubscribed(let code)):
            guard code.isFailure else { return }
            throw MQTTError(.unsubscribeRefused, "The server refused to end the subscription.", reasonCode: code)
        case .completed(.abandoned(let rejection)): throw MQTTError(rejection)
        case .completed: throw self.stopped
        case .cancelled: throw MQTTError(.cancelled, "The task was cancelled.")
        case .notConnected: throw self.notConnected
        case .timedOut: throw MQTTError(.timedOut, "The server did not confirm the end of the subscription in time.")
        }
    }

    func endSubscription(_ id: SubscriberID) { _ = self.endSubscription(id, isAwaited: false) }

    private func endSubscription(_ id: SubscriberID, isAwaited: Bool) -> RequestID? {
        var flush: (@Sendable () -> Void)?
        let now = self.clock.now()
        let request: RequestID? = self.state.withLock { state in
            guard state.receivers.end(id) != nil else { return nil }
            let request = state.waiters.makeRequestID()
            if isAwaited { state.waiters.reserve(request) }
            state.session.unsubscribe(id, request: request, now: now, into: &state.output.bytes)
            flush = state.output.claimFlush()
            return request
        }
        self.resumeCompleted()
        self.flush(flush)
        return request
    }
}
