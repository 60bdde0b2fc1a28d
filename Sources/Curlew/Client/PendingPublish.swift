public import CurlewCore
import CurlewTransport
import Synchronization

/// A message that ``MQTTClient/enqueue(_:to:qos:retain:properties:)`` has put in the outbox.
public final class PendingPublish: Sendable {
    private struct State {
        /// The number of calls that wait for the outcome.
        var waiting = 0
        /// Whether the engine reports the outcome to `result`.
        var isObserved = false
    }

    private let engine: ClientEngine
    /// `nil` if the message was written at QoS 0: there is nothing to wait for.
    private let request: RequestID?
    private let result = OneShot<Waiters.Result>()
    private let state = Mutex(State())

    init(_ engine: ClientEngine, _ request: RequestID?) {
        self.engine = engine
        self.request = request
    }

    deinit {
        if let request, !self.state.withLock({ $0.isObserved }) { self.engine.forget(request) }
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
        self.observe(request)
        self.state.withLock { $0.waiting += 1 }
        let limit = timeout ?? self.engine.configuration.connection.acknowledgementTimeout
        let reminder = self.engine.remindOfConnecting(request)
        let waited = await self.result.wait(for: limit, by: self.engine.deadlines)
        if let reminder { self.engine.deadlines.cancel(reminder) }
        let isLast = self.state.withLock { state in
            state.waiting -= 1
            return state.waiting == 0
        }
        switch waited {
        case .value(let result): return try self.engine.reasonCode(of: result)
        case .timedOut: return try self.leave(request, isLast) { .timedOut(wasQueued: $0) }
        case .cancelled: return try self.leave(request, isLast) { .cancelled(wasQueued: $0) }
        }
    }

    /// A call stops waiting; the last one withdraws the message.
    private func leave(
        _ request: RequestID, _ isLast: Bool, _ outcome: (_ wasQueued: Bool) -> Waiters.Result
    ) throws(MQTTError) -> ReasonCode {
        if isLast, self.engine.withdraw(request) { self.result.set(outcome(true)) }
        // The request may have ended in the meantime.
        return try self.engine.reasonCode(of: self.result.value ?? outcome(false))
    }

    /// The outcome, if it is already known; otherwise `nil`.
    package func takeOutcome() -> Result<ReasonCode, MQTTError>? {
        guard let request else { return .success(.success) }
        guard let known = self.knownResult(of: request) else { return nil }
        do throws(MQTTError) { return .success(try self.engine.reasonCode(of: known)) } catch { return .failure(error) }
    }

    private func knownResult(of request: RequestID) -> Waiters.Result? {
        if let known = self.result.value { return known }
        guard let known = self.engine.takeResult(of: request) else { return nil }
        self.state.withLock { $0.isObserved = true }
        self.result.set(known)
        return known
    }

    /// Asks the engine to report the outcome.
    private func observe(_ request: RequestID) {
        let isFirst = self.state.withLock { !exchange(&$0.isObserved, with: true) }
        guard isFirst else { return }
        let known = self.engine.report(request) { [result] in result.set($0) }
        if let known { self.result.set(known) }
    }
}
