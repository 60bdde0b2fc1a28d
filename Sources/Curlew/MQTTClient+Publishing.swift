public import CurlewCore
import CurlewTransport
public import NIOCore
import Synchronization

/// What can be published: text, bytes and buffers. For JSON there is `publish(json:to:)`.
public protocol MQTTPayload: Sendable {
    /// The bytes to send.
    var mqttPayload: ByteBuffer { get }
}

extension ByteBuffer: MQTTPayload {
    /// The buffer itself.
    public var mqttPayload: ByteBuffer { self }
}

extension String: MQTTPayload {
    /// The text as UTF-8.
    public var mqttPayload: ByteBuffer { ByteBuffer(string: self) }
}

extension Substring: MQTTPayload {
    /// The text as UTF-8.
    public var mqttPayload: ByteBuffer { ByteBuffer(substring: self) }
}

extension Array: MQTTPayload where Element == UInt8 {
    /// The bytes.
    public var mqttPayload: ByteBuffer { ByteBuffer(bytes: self) }
}

extension ArraySlice: MQTTPayload where Element == UInt8 {
    /// The bytes.
    public var mqttPayload: ByteBuffer { ByteBuffer(bytes: self) }
}

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
        properties: Properties = Properties(), timeout: Duration? = nil
    ) async throws(MQTTError) -> ReasonCode {
        let message = try self.makeMessage(payload.mqttPayload, topic, qos, retain, properties)
        guard let request = try self.accept(message, isAwaited: true) else { return .success }
        let limit = timeout ?? self.configuration.connection.acknowledgementTimeout
        return try await self.outcome(of: request, timeout: limit)
    }

    /// Publishes a value as JSON, with content type `application/json`; otherwise like `publish(_:to:)`.
    @discardableResult
    public nonisolated(nonsending) func publish(
        json value: some Encodable, to topic: String, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: Properties = Properties(), timeout: Duration? = nil
    ) async throws(MQTTError) -> ReasonCode {
        var properties = properties
        if properties.contentType == nil { properties.contentType = "application/json" }
        return try await self.publish(
            encodeJSON(value), to: topic, qos: qos, retain: retain, properties: properties, timeout: timeout)
    }

    /// Puts a message in the outbox and returns at once: to send many and wait for some, or for none.
    ///
    /// ```swift
    /// let deliveries = try readings.map { try client.enqueue($0.text, to: "readings", qos: .atLeastOnce) }
    /// for delivery in deliveries { try await delivery.wait() }
    /// ```
    ///
    /// - Throws: ``MQTTError`` with code `queueFull` when more waits than `queues.outboxCount` or `queues.outboxBytes` allow,
    ///   for nothing is ever dropped to make room; and as `publish` does, once the client has stopped.
    @discardableResult
    public func enqueue(
        _ payload: some MQTTPayload, to topic: String, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: Properties = Properties()
    ) throws(MQTTError) -> Delivery {
        let message = try self.makeMessage(payload.mqttPayload, topic, qos, retain, properties)
        return Delivery(client: self, request: try self.accept(message, isAwaited: false))
    }

    /// A message that was put in the outbox.
    public final class Delivery: Sendable {
        private let client: MQTTClient
        /// `nil` when it was written at QoS 0 and there is nothing to wait for.
        private let request: RequestID?
        /// Whether the outcome was asked for: then there is nothing left to forget.
        private let isSettled = Atomic<Bool>(false)

        init(client: MQTTClient, request: RequestID?) {
            self.client = client
            self.request = request
        }

        deinit {
            guard let request, !self.isSettled.load(ordering: .relaxed) else { return }
            self.client.shared.withLock { $0.waiters.forget(request) }
        }

        /// Waits until the server has taken the message. Call it once.
        ///
        /// Cancelling the task takes the message out of the outbox, if it has not been sent.
        ///
        /// - Parameter timeout: How long to wait. Default: `connection.acknowledgementTimeout`.
        /// - Returns: The server's reason code.
        /// - Throws: As `publish` does.
        @discardableResult
        public nonisolated(nonsending) func wait(timeout: Duration? = nil) async throws(MQTTError) -> ReasonCode {
            guard let request else { return .success }
            defer { self.isSettled.store(true, ordering: .relaxed) }
            // Of many that were sent, most are acknowledged by the time somebody asks.
            let known = self.client.shared.withLock { $0.waiters.takeResult(of: request) }
            if let known { return try self.client.outcome(known) }
            let limit = timeout ?? self.client.configuration.connection.acknowledgementTimeout
            return try await self.client.outcome(of: request, timeout: limit)
        }

        /// What became of the message, if that is known already; then ``wait(timeout:)`` has nothing more to say.
        package func takeOutcome() -> Result<ReasonCode, MQTTError>? {
            guard let request else { return .success(.success) }
            guard let known = self.client.shared.withLock({ $0.waiters.takeResult(of: request) }) else { return nil }
            self.isSettled.store(true, ordering: .relaxed)
            do throws(MQTTError) { return .success(try self.client.outcome(known)) } catch { return .failure(error) }
        }
    }

    // MARK: Within

    func makeMessage(
        _ payload: ByteBuffer, _ topic: String, _ qos: QoS, _ retain: Bool, _ properties: Properties
    ) throws(MQTTError) -> OutgoingMessage {
        do {
            let name = try TopicName(topic)
            return OutgoingMessage(
                topic: name, payload: payload, qos: qos, retain: retain, properties: self.traced(properties))
        } catch {
            throw MQTTError(.invalidTopic, error.message, delivery: .notSent, cause: error)
        }
    }

    /// Hands a message to the session on the caller's thread. Returns the request to wait for, or `nil` when it is done.
    func accept(_ message: OutgoingMessage, isAwaited: Bool) throws(MQTTError) -> RequestID? {
        let now = message.properties.messageExpiryInterval == nil ? Timestamp.start : self.clock.now()
        var refusal: MQTTError?
        var flush: (@Sendable () -> Void)?
        let request: RequestID? = self.shared.withLock { shared in
            refusal = shared.refusal
            guard refusal == nil else { return nil }
            let request = shared.makeRequestID()
            do throws(Rejection) {
                let submitted = try shared.session.publish(
                    message, request: request, isAwaited: isAwaited, now: now, into: &shared.out)
                shared.statistics.published += 1
                flush = shared.claimFlush()
                guard submitted == .accepted else { return nil }
                shared.waiters.reserve(request)
                return request
            } catch {
                refusal = MQTTError(error)
                return nil
            }
        }
        if let refusal { throw refusal.with(delivery: .notSent) }
        if let flush { self.eventLoop.execute(flush) }
        if let request, message.qos != .atMostOnce { self.sampleLatency(request) }
        return request
    }

    /// Times one publish in a while; looks without the lock whether one is being timed would cost as much as the lock.
    private func sampleLatency(_ request: RequestID) {
        guard request.rawValue & 63 == 0 else { return }
        let now = self.clock.now()
        // An acknowledgement that came before this left one that would be timed for ever.
        self.shared.withLock { shared in
            if let sample = shared.sample, now - sample.since < .seconds(60) { return }
            shared.sample = (request, now)
        }
    }

    nonisolated(nonsending) func outcome(
        of request: RequestID, timeout: Duration?
    ) async throws(MQTTError) -> ReasonCode {
        try self.outcome(await self.wait(for: request, timeout: timeout))
    }

    fileprivate func outcome(_ result: Waiters.Result) throws(MQTTError) -> ReasonCode {
        switch result {
        case .completed(.published(let code, let reason)):
            guard code.isFailure else { return code }
            throw MQTTError(
                .publishRefused, "The server refused the message\(reason.map { ": \($0)" } ?? ".")", reasonCode: code,
                delivery: .notSent)
        case .completed(.rejected(let rejection)): throw MQTTError(rejection).with(delivery: .notSent)
        case .completed(.abandoned(let rejection)): throw MQTTError(rejection).with(delivery: .unknown)
        case .completed(.sessionEnded(let mayHaveBeenSent)):
            throw self.stopped.with(delivery: mayHaveBeenSent ? .unknown : .notSent)
        case .completed: throw MQTTError(.clientStopped, "The request was answered by another kind of packet.")
        case .cancelled(let wasQueued):
            throw MQTTError(.cancelled, "The task was cancelled.", delivery: wasQueued ? .notSent : .unknown)
        case .timedOut(wasQueued: true):
            throw self.timedOut("The message could not be sent in time.").with(delivery: .notSent)
        case .timedOut(wasQueued: false):
            throw MQTTError(.timedOut, "The server did not acknowledge in time.", delivery: .unknown)
        case .notConnected: throw self.notConnected.with(delivery: .notSent)
        }
    }

    /// Waits for a request that was reserved.
    nonisolated(nonsending) func wait(for request: RequestID, timeout: Duration?) async -> Waiters.Result {
        let deadline = timeout.map { timeout in
            self.deadlines.schedule(after: timeout) {
                self.giveUp(request) { wasQueued in .timedOut(wasQueued: wasQueued) }
            }
        }
        let reminder = self.remindOfConnecting(request)
        defer {
            if let deadline { self.deadlines.cancel(deadline) }
            if let reminder { self.deadlines.cancel(reminder) }
        }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let known = self.shared.withLock { $0.waiters.wait(for: request, .continuation(continuation)) }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            self.giveUp(request) { wasQueued in .cancelled(wasQueued: wasQueued) }
        }
    }

    /// Has a wait end if nobody has called `connect()` by the time that a connection might be there.
    private func remindOfConnecting(_ request: RequestID) -> Deadlines.ID? {
        guard self.isIdle else { return nil }
        return self.deadlines.schedule(after: self.configuration.connection.connectTimeout) {
            if self.isIdle { self.giveUp(request) { _ in .notConnected } }
        }
    }

    /// Whether nobody is connecting, so that nothing that waits for a connection can go on.
    private var isIdle: Bool {
        self.shared.withLock { $0.lifecycle.status == .disconnected }
    }

    var notConnected: MQTTError {
        MQTTError(.notConnected, "The client is not connected: call `connect()` first.")
    }

    /// That the time is over, and why if that is known.
    func timedOut(_ message: String) -> MQTTError {
        switch self.state {
        case .disconnected: MQTTError(.timedOut, self.notConnected.message)
        case .connecting, .reconnecting: MQTTError(.timedOut, "There was no connection to the server in time.")
        case .connected, .disconnecting: MQTTError(.timedOut, message)
        }
    }

    /// Nobody waits any more: a message that was not sent leaves the outbox.
    func giveUp(_ request: RequestID, _ result: @Sendable (_ wasQueued: Bool) -> Waiters.Result) {
        let resumptions = self.shared.withLock { shared in
            let outcome = result(shared.session.cancel(request))
            let target = shared.waiters.finish(request, outcome)
            // It may have been the last that `disconnect` waited for.
            var resumptions = shared.takeResumptions(nil)
            if let target { resumptions.finished.append((target, outcome)) }
            return resumptions
        }
        resumptions.resume()
    }

    /// What to say to those whose client has stopped.
    var stopped: MQTTError {
        self.shared.withLock { $0.stopError } ?? MQTTError(.clientStopped, "The client was disconnected.")
    }
}
