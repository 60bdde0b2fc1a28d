public import CurlewCore
import CurlewTransport
import Synchronization

/// A message that ``MQTTClient/enqueue(_:to:qos:retain:properties:)`` has put in the outbox.
public final class PendingPublish: Sendable {
    private struct State {
        /// The number of calls that wait for the outcome.
        var waiting = 0
        /// The outcome, if it was known when it was first asked for.
        var known: Waiters.Result?
        /// What the engine reports the outcome to; created by the first call that has to wait. Most messages need none.
        var reported: OneShot<Waiters.Result>?
    }

    private let engine: ClientEngine
    /// `nil` if the message was written at QoS 0: there is nothing to wait for.
    private let request: RequestID?
    /// Guards the outcome. The engine's lock may be taken under it.
    private let state = Mutex(State())

    init(_ engine: ClientEngine, _ request: RequestID?) {
        self.engine = engine
        self.request = request
    }

    deinit {
        guard let request else { return }
        let isUnknown = self.state.withLock { $0.known == nil && $0.reported == nil }
        if isUnknown { self.engine.forget(request) }
    }

    /// Waits until the message is written (QoS 0) or acknowledged by the broker (QoS 1 and 2).
    ///
    /// Can be called more than once, and from several tasks at once.
    ///
    /// If the last waiting call times out or is cancelled, a message that was not sent yet is removed from the outbox.
    /// A message that was sent may still be acknowledged; another call returns the outcome.
    ///
    /// - Parameter timeout: How long to wait. Default: `connection.acknowledgementTimeout`, which is `nil` by default:
    ///   no limit.
    /// - Returns: The broker's reason code: success, or no matching subscribers.
    /// - Throws: ``MQTTError``, as `publish` does.
    @discardableResult
    public nonisolated(nonsending) func outcome(timeout: Duration? = nil) async throws -> ReasonCode {
        guard let request else { return .success }
        // The fast path: most messages are already acknowledged when their outcome is requested.
        if let known = self.knownResult(of: request) { return try self.engine.reasonCode(of: known) }
        let reported = self.observe(request)
        self.state.withLock { $0.waiting += 1 }
        let limit = timeout ?? self.engine.configuration.connection.acknowledgementTimeout
        let reminder = self.engine.remindOfConnecting(request)
        let waited = await reported.wait(for: limit, by: self.engine.deadlines)
        if let reminder { self.engine.deadlines.cancel(reminder) }
        let isLast = self.state.withLock { state in
            state.waiting -= 1
            return state.waiting == 0
        }
        switch waited {
        case .value(let result): return try self.engine.reasonCode(of: result)
        case .timedOut: return try self.leave(request, reported, isLast) { .timedOut(wasQueued: $0) }
        case .cancelled: return try self.leave(request, reported, isLast) { .cancelled(wasQueued: $0) }
        }
    }

    /// A call stops waiting; the last one withdraws the message.
    private func leave(
        _ request: RequestID, _ reported: OneShot<Waiters.Result>, _ isLast: Bool,
        _ outcome: (_ wasQueued: Bool) -> Waiters.Result
    ) throws(MQTTError) -> ReasonCode {
        if isLast, self.engine.withdraw(request) { reported.set(outcome(true)) }
        // The request may have ended in the meantime.
        return try self.engine.reasonCode(of: reported.value ?? outcome(false))
    }

    /// Returns the outcome if it is already known, without waiting; otherwise `nil`.
    ///
    /// - Returns: The broker's reason code: success, or no matching subscribers.
    /// - Throws: ``MQTTError``, as `publish` does.
    public func poll() throws(MQTTError) -> ReasonCode? { try self.takeOutcome()?.get() }

    /// Removes the message from the outbox if it was not sent yet. Calls that wait for the outcome then throw
    /// `cancelled`.
    ///
    /// - Returns: Whether it was removed. If not, it was sent, or its outcome is known.
    @discardableResult
    public func cancel() -> Bool {
        guard let request, self.engine.withdraw(request) else { return false }
        // If nobody waits yet, the engine keeps the outcome.
        self.state.withLock { $0.reported }?.set(.cancelled(wasQueued: true))
        return true
    }

    /// Blocks the thread until the outcome is known: ``outcome(timeout:)`` for code without async.
    ///
    /// - Parameter timeout: How long to wait. Default: `connection.acknowledgementTimeout`, which is `nil` by default:
    ///   no limit.
    /// - Throws: ``MQTTError``, as `publish` does, or with code `mustNotBlock`.
    @discardableResult
    public func wait(timeout: Duration? = nil) throws(MQTTError) -> ReasonCode {
        if let known = self.takeOutcome() { return try known.get() }
        return try self.engine.blockThread { try await self.outcome(timeout: timeout) }
    }

    /// The outcome, if it is already known; otherwise `nil`.
    package func takeOutcome() -> Result<ReasonCode, MQTTError>? {
        guard let request else { return .success(.success) }
        guard let known = self.knownResult(of: request) else { return nil }
        do throws(MQTTError) { return .success(try self.engine.reasonCode(of: known)) } catch { return .failure(error) }
    }

    private func knownResult(of request: RequestID) -> Waiters.Result? {
        let (known, reported) = self.state.withLock { state in
            if state.known == nil, state.reported == nil { state.known = self.engine.takeResult(of: request) }
            return (state.known, state.reported)
        }
        return known ?? reported?.value
    }

    /// Asks the engine to report the outcome, unless an earlier call has.
    private func observe(_ request: RequestID) -> OneShot<Waiters.Result> {
        let (reported, known, isFirst) = self.state.withLock { state in
            if let reported = state.reported { return (reported, nil as Waiters.Result?, false) }
            let reported = OneShot<Waiters.Result>()
            state.reported = reported
            return (reported, state.known, true)
        }
        guard isFirst else { return reported }
        // Another call may have taken the outcome from the engine in the meantime.
        if let known = known ?? self.engine.report(request, to: { reported.set($0) }) { reported.set(known) }
        return reported
    }
}
