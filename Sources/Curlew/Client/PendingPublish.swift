public import CurlewCore
import CurlewTransport
import Synchronization

/// A message that ``MQTTClient/enqueue(_:to:qos:retain:properties:)`` has put in the outbox.
public final class PendingPublish: Sendable {
    private struct State {
        /// How many calls wait for the outcome.
        var waiting = 0
        /// Whether the engine reports the outcome to `result`.
        var isObserved = false
    }

    private let engine: ClientEngine
    /// `nil` if it was written at QoS 0, so that there is nothing to wait for.
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

    /// Waits until the broker has taken the message. May be called again, and by several tasks at once.
    ///
    /// When the last call that waits is cancelled or its time is over, a message that has not been sent leaves the outbox. One that
    /// was sent may still be acknowledged: another call tells.
    ///
    /// - Parameter timeout: How long to wait. Default: `connection.acknowledgementTimeout`, which is `nil`: as long as it takes.
    /// - Returns: The broker's reason code: success, or that nobody has subscribed to the topic.
    /// - Throws: ``MQTTError``, as `publish` does.
    @discardableResult
    public nonisolated(nonsending) func outcome(timeout: Duration? = nil) async throws -> ReasonCode {
        guard let request else { return .success }
        // Of many that were sent, most are acknowledged by the time somebody asks.
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

    /// A call waits no longer.
    private func leave(
        _ request: RequestID, _ isLast: Bool, _ outcome: (_ wasQueued: Bool) -> Waiters.Result
    ) throws(MQTTError) -> ReasonCode {
        if isLast, self.engine.withdraw(request) { self.result.set(outcome(true)) }
        // It may have been completed, or withdrawn, at the last moment.
        return try self.engine.reasonCode(of: self.result.value ?? outcome(false))
    }

    /// What became of the message, if that is known already.
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
