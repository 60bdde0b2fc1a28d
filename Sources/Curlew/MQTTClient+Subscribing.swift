public import CurlewCore
import NIOCore
import Synchronization

extension MQTTClient {
    /// Subscribes to a topic filter, and returns when the server has granted it.
    ///
    /// Several subscriptions of one client may have the same filter: each gets every message, and the server sends it once. Each
    /// asks the server anew, for the retained messages, which go to that one alone; where the server has no subscription
    /// identifiers, as before MQTT 5.0, or with `retainAsPublished`, they go to the others again. When they ask for a different
    /// QoS, the higher one counts; other options must be the same.
    ///
    /// What has come for the filter and nobody has taken yet, of a kept session for example, goes to this subscription first: see
    /// ``MQTTConfiguration/UnclaimedQueue``.
    ///
    /// While there is no connection, the call waits; before ``connect()`` no longer than `connection.connectTimeout`. Once the client has been
    /// disconnected, or has given up for good, it throws at once, until ``connect()`` is called again.
    ///
    /// - Parameters:
    ///   - filter: The topic filter; `$share/{group}/{filter}` for a share of the messages (MQTT 5.0 section 4.8.2).
    ///   - options: How the server shall serve it. Default: QoS 2, so that each message keeps the QoS it was published with.
    ///   - queue: How messages wait for the consumer. Default: `queues.subscription` of the configuration.
    ///   - acknowledgement: When messages are acknowledged. Default: `acknowledgement.policy` of the configuration.
    ///   - timeout: How long to wait for the server. Default: `connection.acknowledgementTimeout`.
    /// - Returns: The messages, those included that came while this call was returning.
    /// - Throws: ``MQTTError``: `invalidTopic`, `subscriptionRefused` with the server's reason code, `notSupportedByServer`,
    ///   `notSupportedByProtocolVersion`, `timedOut`, `notConnected`, `brokeConnections`, `cancelled` or `clientStopped`, and
    ///   what ended the client for good.
    public nonisolated(nonsending) func subscribe(
        to filter: String, options: SubscriptionOptions = SubscriptionOptions(),
        queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil, timeout: Duration? = nil
    ) async throws(MQTTError) -> MQTTSubscription {
        try await self.subscribe(
            to: [(filter, options)], queue: queue, acknowledgement: acknowledgement, timeout: timeout)
    }

    /// Subscribes to several topic filters, each with options of its own, as one sequence of messages. A message that matches
    /// several of them comes once. If the server refuses one filter, none is kept.
    ///
    /// - Throws: As `subscribe(to:options:)` does, and `invalidArgument` for an empty list.
    public nonisolated(nonsending) func subscribe(
        to filters: [(filter: String, options: SubscriptionOptions)],
        queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil, timeout: Duration? = nil
    ) async throws(MQTTError) -> MQTTSubscription {
        try await self.subscribe(
            to: filters, claim: .matching, queue: queue, acknowledgement: acknowledgement, timeout: timeout)
    }

    /// Subscribes, and says what the subscription takes of the messages that wait for one.
    package nonisolated(nonsending) func subscribe(
        to filters: [(filter: String, options: SubscriptionOptions)], claim: Claim,
        queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil, timeout: Duration? = nil
    ) async throws(MQTTError) -> MQTTSubscription {
        let parsed = try Self.parse(filters.map(\.filter))
        let wanted = Array(zip(parsed, filters.map(\.options)))
        let subscription = self.makeSubscription(parsed, queue, acknowledgement)
        let buffer = subscription.buffer
        let begun = self.clock.now()
        let requests = try self.begin(buffer, wanted, claim)
        for (index, request) in requests.enumerated() {
            do throws(MQTTError) {
                // The answers come one after the other, and have one time together.
                let left = timeout.map { max(.zero, $0 - (self.clock.now() - begun)) }
                try await self.granted(request, parsed[index], left)
            } catch {
                for request in requests[(index + 1)...] { self.shared.withLock { $0.waiters.forget(request) } }
                self.unsubscribeInBackground(buffer.id)
                throw error
            }
        }
        buffer.receive([])
        return subscription
    }

    /// The messages for filters of a kept session: resumes them where the server has kept the session (`session.cleanStart` off,
    /// a client identifier of its own), and subscribes where it has not. Returns at once, also before ``connect()``.
    ///
    /// ```swift
    /// let orders = try client.messages(matching: "orders/#")
    /// try await client.connect()
    /// for try await order in orders { … }
    /// ```
    ///
    /// Where the server has kept the session, nothing is sent, on the assumption that it knows the filters; a filter that is new
    /// in this version of the program needs ``subscribe(to:options:queue:acknowledgement:timeout:)``, which asks the server in any
    /// case. Where it has not, or lost the session later, the client subscribes; if the server refuses, the sequence fails with
    /// the code `subscriptionRefused`.
    ///
    /// - Parameters:
    ///   - filters: The topic filters.
    ///   - options: How the server shall serve them, where it is asked. Default: QoS 2, so that each message keeps the QoS it was
    ///     published with.
    ///   - queue: How messages wait for the consumer. Default: `queues.subscription` of the configuration.
    ///   - acknowledgement: When messages are acknowledged. Default: `acknowledgement.policy` of the configuration.
    /// - Throws: ``MQTTError`` with code `invalidTopic`, or `invalidArgument` for an empty list.
    public func messages(
        matching filters: String..., options: SubscriptionOptions = SubscriptionOptions(),
        queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil
    ) throws(MQTTError) -> MQTTSubscription {
        try self.listen(Self.parse(filters), queue, acknowledgement) { session, filter, subscriber, out in
            session.resume(filter, options, subscriber: subscriber, into: &out)
        }
    }

    /// The messages for filters that the server sends without being asked, as one does that makes subscriptions for its clients
    /// by itself. Nothing is sent, at the end neither. Returns at once, also before ``connect()``.
    ///
    /// - Parameters:
    ///   - filters: The topic filters.
    ///   - queue: How messages wait for the consumer. Default: `queues.subscription` of the configuration.
    ///   - acknowledgement: When messages are acknowledged. Default: `acknowledgement.policy` of the configuration.
    /// - Throws: ``MQTTError`` with code `invalidTopic`, or `invalidArgument` for an empty list.
    public func listen(
        to filters: String..., queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil
    ) throws(MQTTError) -> MQTTSubscription {
        try self.listen(Self.parse(filters), queue, acknowledgement) { session, filter, subscriber, _ in
            session.listen(to: filter, subscriber: subscriber)
        }
    }

    private func listen(
        _ filters: [TopicFilter], _ queue: MQTTConfiguration.SubscriptionQueue?,
        _ acknowledgement: MQTTConfiguration.AcknowledgementPolicy?,
        _ begin: (inout ClientSession, TopicFilter, SubscriberID, inout ByteBuffer) -> Void
    ) -> MQTTSubscription {
        let subscription = self.makeSubscription(filters, queue, acknowledgement)
        let buffer = subscription.buffer
        let flush = self.shared.withLock { shared in
            shared.receivers[buffer.id] = buffer
            for filter in filters { begin(&shared.session, filter, buffer.id, &shared.out) }
            shared.give(.matching, matching: filters, to: buffer)
            return shared.claimFlush()
        }
        buffer.receive([])
        self.resumeCompleted()
        if let flush { self.eventLoop.execute(flush) }
        return subscription
    }

    /// Has the server forget topic filters of a kept session that this program does not want any more, and waits until it has
    /// confirmed. A filter that a subscription of this client has stays.
    ///
    /// - Parameter filters: The topic filters, exactly as they were subscribed to.
    /// - Throws: ``MQTTError`` with code `invalidTopic`, `invalidArgument` for an empty list, `unsubscribeRefused`, `timedOut`,
    ///   `cancelled` or `clientStopped`.
    public nonisolated(nonsending) func unsubscribe(from filters: String...) async throws(MQTTError) {
        try await self.unsubscribe(from: Self.parse(filters))
    }

    package nonisolated(nonsending) func unsubscribe(from filters: [TopicFilter]) async throws(MQTTError) {
        let now = self.clock.now()
        let begun: Result<([RequestID], (@Sendable () -> Void)?), MQTTError> = self.shared.withLock { shared in
            if let refusal = shared.refusal { return .failure(refusal) }
            let requests = filters.map { filter in
                let request = shared.makeRequestID()
                shared.waiters.reserve(request)
                shared.session.giveUp(filter, request: request, now: now, into: &shared.out)
                return request
            }
            return .success((requests, shared.claimFlush()))
        }
        let (requests, flush) = try begun.get()
        self.resumeCompleted()
        if let flush { self.eventLoop.execute(flush) }
        for (index, request) in requests.enumerated() {
            do throws(MQTTError) {
                try await self.unsubscribed(request)
            } catch {
                for request in requests[(index + 1)...] { self.shared.withLock { $0.waiters.forget(request) } }
                throw error
            }
        }
    }

    /// Acknowledges a message of a subscription whose policy is `.manual`. Call it once for each message; acknowledgements
    /// leave in the order in which the messages came, so one that is missing holds up those behind it.
    ///
    /// - Parameters:
    ///   - message: A message at QoS 1 or 2; at QoS 0 nothing happens.
    ///   - reasonCode: What to tell the server; a failure is told on MQTT 5.0 alone. Default: success.
    public func acknowledge(_ message: MQTTMessage, reasonCode: ReasonCode = .success) {
        guard let token = message.token else { return }
        self.passed(token, reasonCode: reasonCode)
    }

    // MARK: Within

    private static func parse(_ filters: [String]) throws(MQTTError) -> [TopicFilter] {
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
        _ policy: MQTTConfiguration.AcknowledgementPolicy?
    ) -> MQTTSubscription {
        let id = self.shared.withLock { $0.makeSubscriberID() }
        let buffer = SubscriptionBuffer(
            id: id, filters: filters, queue: queue ?? self.configuration.queues.subscription,
            policy: policy ?? self.configuration.acknowledgement.policy, client: self)
        return MQTTSubscription(buffer, client: self)
    }

    /// Tells the session what is wanted. Returns one request for each filter.
    func begin(
        _ receiver: any MessageReceiver & Identified, _ wanted: [(TopicFilter, SubscriptionOptions)],
        _ claim: Claim = .nothing
    ) throws(MQTTError) -> [RequestID] {
        var refusal: MQTTError?
        var flush: (@Sendable () -> Void)?
        let requests = self.shared.withLock { shared in
            var requests: [RequestID] = []
            refusal = shared.refusal
            guard refusal == nil else { return requests }
            shared.receivers[receiver.id] = receiver
            for (filter, options) in wanted {
                let request = shared.makeRequestID()
                do throws(Rejection) {
                    shared.waiters.reserve(request)
                    try shared.session.subscribe(
                        filter, options, subscriber: receiver.id, request: request, into: &shared.out)
                    requests.append(request)
                } catch {
                    shared.waiters.forget(request)
                    refusal = MQTTError(error)
                    break
                }
            }
            if refusal != nil {
                for request in requests { shared.waiters.forget(request) }
            } else {
                shared.give(claim, matching: wanted.map(\.0), to: receiver)
            }
            flush = shared.claimFlush()
            return requests
        }
        self.resumeCompleted()
        if let flush { self.eventLoop.execute(flush) }
        if let refusal {
            self.unsubscribeInBackground(receiver.id)
            throw refusal
        }
        // What is acknowledged by being received waits until the server has granted the filters: a call that fails takes nothing.
        if (receiver as? SubscriptionBuffer)?.policy != .onReceipt { receiver.receive([]) }
        return requests
    }

    nonisolated(nonsending) func granted(
        _ request: RequestID, _ filter: TopicFilter, _ timeout: Duration?
    ) async throws(MQTTError) {
        let timeout = timeout ?? self.configuration.connection.acknowledgementTimeout
        switch await self.wait(for: request, timeout: timeout) {
        case .completed(.subscribed(let code, let reason)):
            guard code.isFailure else { return }
            throw MQTTError(
                .subscriptionRefused,
                "The server refused the subscription to \"\(filter)\"\(reason.map { ": \($0)" } ?? ".")",
                reasonCode: code)
        case .completed(.rejected(let rejection)), .completed(.abandoned(let rejection)): throw MQTTError(rejection)
        case .completed(.sessionEnded): throw self.stopped
        case .completed: throw MQTTError(.clientStopped, "The subscription to \"\(filter)\" was ended meanwhile.")
        case .cancelled: throw MQTTError(.cancelled, "The task was cancelled.")
        case .notConnected: throw self.notConnected
        case .timedOut:
            throw self.timedOut("The server did not answer the subscription to \"\(filter)\" in time.")
        }
    }

    nonisolated(nonsending) func unsubscribe(_ buffer: SubscriptionBuffer) async throws(MQTTError) {
        guard let request = self.endSubscription(buffer.id, isAwaited: true) else { return }
        buffer.finish(nil)
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

    /// Ends a subscription without waiting for the server. Does nothing if it is ended already.
    func unsubscribeInBackground(_ id: SubscriberID) {
        _ = self.endSubscription(id, isAwaited: false)
    }

    /// The last reference to a subscription is gone.
    func forget(_ buffer: SubscriptionBuffer) {
        self.shared.withLock { _ = $0.endedReceivers.removeValue(forKey: buffer.id) }
    }

    private func endSubscription(_ id: SubscriberID, isAwaited: Bool) -> RequestID? {
        var flush: (@Sendable () -> Void)?
        let now = self.clock.now()
        let request: RequestID? = self.shared.withLock { shared in
            guard let receiver = shared.receivers.removeValue(forKey: id) else { return nil }
            if receiver.handedOut != nil { shared.endedReceivers[id] = receiver }
            let request = shared.makeRequestID()
            if isAwaited { shared.waiters.reserve(request) }
            shared.session.unsubscribe(id, request: request, now: now, into: &shared.out)
            flush = shared.claimFlush()
            return request
        }
        self.resumeCompleted()
        if let flush { self.eventLoop.execute(flush) }
        return request
    }
}

/// Something that is a subscriber.
protocol Identified {
    var id: SubscriberID { get }
}

extension SubscriptionBuffer: Identified {}
