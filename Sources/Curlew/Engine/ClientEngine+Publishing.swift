import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

// Passes published messages from the caller's thread to the session, and converts the outcome.
extension ClientEngine {
    /// Publishes a message. Waits for the acknowledgement, or at QoS 0 until the message is written.
    nonisolated(nonsending) func publish(_ message: OutgoingMessage, timeout: Duration?) async throws(MQTTError)
        -> ReasonCode
    {
        guard let request = try self.accept(message, isAwaited: true) else { return .success }
        let limit = timeout ?? self.configuration.connection.acknowledgementTimeout
        return try self.reasonCode(of: await self.wait(for: request, timeout: limit))
    }

    func makeMessage(
        _ payload: ByteBuffer, _ topic: String, _ qos: QoS?, _ retain: Bool?, _ properties: Properties
    ) throws(MQTTError) -> OutgoingMessage {
        let name: TopicName
        do {
            name = try TopicName(topic)
        } catch {
            throw MQTTError(.invalidTopic, error.message, delivery: .notSent, cause: error)
        }
        let values = self.publishDefaults.values(for: name, qos, retain)
        try self.configuration.serviceLimits.check(name, payload: payload, values.qos)
        return OutgoingMessage(
            topic: name, payload: payload, qos: values.qos, retain: values.retain, properties: self.traced(properties))
    }

    /// Passes a message to the session, on the caller's thread. Returns the request to wait for; `nil` if the message
    /// was written at QoS 0.
    ///
    /// - Parameter report: Called when the request ends, in place of a wait for it. Default: none.
    func accept(
        _ message: OutgoingMessage, isAwaited: Bool, reportingTo report: (@Sendable (Waiters.Result) -> Void)? = nil
    ) throws(MQTTError) -> RequestID? {
        let needsTime =
            message.properties.messageExpiryInterval != nil
            || self.configuration.serviceLimits.publishesPerSecond != nil
        let now = needsTime ? self.clock.now() : Timestamp.start
        var refusal: MQTTError?
        var flush: (@Sendable () -> Void)?
        var paceDeadline: Timestamp?
        let request: RequestID? = self.state.withLock { state in
            refusal = state.life.refusal
            guard refusal == nil else { return nil }
            let request = state.waiters.makeRequestID()
            do throws(Rejection) {
                let submitted = try state.session.publish(
                    message, request: request, isAwaited: isAwaited, now: now, into: &state.output.bytes)
                state.tally.statistics.messagesPublished += 1
                flush = state.output.claimFlush()
                paceDeadline = state.session.takePaceDeadline()
                guard submitted == .accepted else { return nil }
                state.waiters.reserve(request, for: report.map { .call($0) })
                return request
            } catch {
                refusal = MQTTError(error)
                return nil
            }
        }
        if let refusal { throw refusal.with(delivery: .notSent) }
        self.flush(flush)
        if let paceDeadline { self.keepPace(until: paceDeadline) }
        if let request, message.qos != .atMostOnce { self.sampleLatency(request) }
        return request
    }

    /// Sends what waits for the service's rate limit once it may be sent.
    func keepPace(until deadline: Timestamp) {
        self.deadlines.schedule(after: max(.zero, deadline - self.clock.now())) { [weak self] in
            guard let self else { return }
            let now = max(deadline, self.clock.now())
            let flush = self.state.withLock { state in
                state.session.paceDeadlineReached(deadline, now: now, into: &state.output.bytes)
                return state.output.claimFlush()
            }
            self.resumeCompleted()
            self.flush(flush)
        }
    }

    /// Times one of 64 publishes. Taking the lock for each publish, to check whether one is being timed, would cost too
    /// much.
    private func sampleLatency(_ request: RequestID) {
        guard request.rawValue & 63 == 0 else { return }
        let now = self.clock.now()
        self.state.withLock { $0.tally.timeLatency(of: request, since: now) }
    }

    /// Converts the result of a publish to its reason code or an error.
    func reasonCode(of result: Waiters.Result) throws(MQTTError) -> ReasonCode {
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
}
