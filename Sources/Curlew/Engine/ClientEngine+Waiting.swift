import CurlewCore
import CurlewTransport
import Synchronization

// Waits for a request: for its completion, a timeout or cancellation, whichever is first.
extension ClientEngine {
    /// Waits for a reserved request.
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
                let known = self.state.withLock { $0.waiters.wait(for: request, .continuation(continuation)) }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            self.giveUp(request) { wasQueued in .cancelled(wasQueued: wasQueued) }
        }
    }

    /// If the client is idle, ends the wait after `connection.connectTimeout` if it is still idle then.
    func remindOfConnecting(_ request: RequestID) -> Deadlines.ID? {
        guard self.isIdle else { return nil }
        return self.deadlines.schedule(after: self.configuration.connection.connectTimeout) {
            if self.isIdle { self.giveUp(request) { _ in .notConnected } }
        }
    }

    // MARK: Requests awaited later, or not at all

    /// Takes the result of a request that no call waits for; `nil` if there is none yet. Can be taken only once.
    func takeResult(of request: RequestID) -> Waiters.Result? {
        self.state.withLock { $0.waiters.takeResult(of: request) }
    }

    /// Calls `body` when the request ends. If it has already ended, returns the result instead.
    func report(_ request: RequestID, to body: @escaping @Sendable (Waiters.Result) -> Void) -> Waiters.Result? {
        self.state.withLock { $0.waiters.wait(for: request, .call(body)) }
    }

    /// The result of the request is not needed.
    func forget(_ request: RequestID) { self.state.withLock { $0.waiters.forget(request) } }

    /// Removes a message from the outbox, without calling the body of ``report(_:to:)``. Returns `false` if the message
    /// was sent or its request has ended.
    func withdraw(_ request: RequestID) -> Bool {
        let (wasQueued, resumptions) = self.state.withLock { state in
            let wasQueued = state.session.cancel(request)
            if wasQueued { _ = state.waiters.finish(request, .cancelled(wasQueued: true)) }
            // This may have been the last request that `disconnect` waits for.
            return (wasQueued, state.takeResumptions())
        }
        self.resume(resumptions)
        return wasQueued
    }

    // MARK: Reasons not to wait

    /// Whether the client is neither connected nor connecting, so that waiting requests make no progress.
    private var isIdle: Bool {
        self.state.withLock { $0.life.lifecycle.status == .disconnected }
    }

    var notConnected: MQTTError {
        MQTTError(.notConnected, "The client is not connected: call `connect()` first.")
    }

    /// The error for a timeout. States the reason if there was no connection; otherwise the message.
    func timedOut(_ message: String) -> MQTTError {
        switch self.status {
        case .disconnected: MQTTError(.timedOut, self.notConnected.message)
        case .connecting, .reconnecting: MQTTError(.timedOut, "There was no connection to the server in time.")
        case .connected, .disconnecting: MQTTError(.timedOut, message)
        }
    }

    /// Ends the wait for a request. A message that was not sent is removed from the outbox.
    func giveUp(_ request: RequestID, _ result: @Sendable (_ wasQueued: Bool) -> Waiters.Result) {
        let resumptions = self.state.withLock { state in
            let outcome = result(state.session.cancel(request))
            let target = state.waiters.finish(request, outcome)
            // This may have been the last request that `disconnect` waits for.
            var resumptions = state.takeResumptions()
            if let target { resumptions.finished.append((target, outcome)) }
            return resumptions
        }
        self.resume(resumptions)
    }
}
