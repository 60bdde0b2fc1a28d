import CurlewCore
import CurlewTransport
import Synchronization

// Waiting for the end of a request: its completion, a time-out or a cancellation, whichever is first.
extension ClientEngine {
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
                let known = self.state.withLock { $0.waiters.wait(for: request, .continuation(continuation)) }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            self.giveUp(request) { wasQueued in .cancelled(wasQueued: wasQueued) }
        }
    }

    /// Ends a wait if nobody has called `connect()` by the time that a connection might be there.
    func remindOfConnecting(_ request: RequestID) -> Deadlines.ID? {
        guard self.isIdle else { return nil }
        return self.deadlines.schedule(after: self.configuration.connection.connectTimeout) {
            if self.isIdle { self.giveUp(request) { _ in .notConnected } }
        }
    }

    // MARK: Requests that are waited for later, or not at all

    /// How a request has ended for which nobody waits; `nil` if it has not. It cannot be asked for again.
    func takeResult(of request: RequestID) -> Waiters.Result? {
        self.state.withLock { $0.waiters.takeResult(of: request) }
    }

    /// Calls `body` when the request has ended. Returns the result instead if it is known already.
    func report(_ request: RequestID, to body: @escaping @Sendable (Waiters.Result) -> Void) -> Waiters.Result? {
        self.state.withLock { $0.waiters.wait(for: request, .call(body)) }
    }

    /// Nobody will ask how the request ends.
    func forget(_ request: RequestID) { self.state.withLock { $0.waiters.forget(request) } }

    /// Takes a message out of the outbox; nobody else is told. Returns `false` if it was sent, or has ended.
    func withdraw(_ request: RequestID) -> Bool {
        let (wasQueued, resumptions) = self.state.withLock { state in
            let wasQueued = state.session.cancel(request)
            if wasQueued { _ = state.waiters.finish(request, .cancelled(wasQueued: true)) }
            // It may have been the last that `disconnect` waited for.
            return (wasQueued, state.takeResumptions())
        }
        resumptions.resume()
        return wasQueued
    }

    // MARK: Why there is nothing to wait for

    /// Whether nobody is connecting, so that nothing that waits for a connection can go on.
    private var isIdle: Bool {
        self.state.withLock { $0.life.lifecycle.status == .disconnected }
    }

    var notConnected: MQTTError {
        MQTTError(.notConnected, "The client is not connected: call `connect()` first.")
    }

    /// That the time is over, and why if that is known.
    func timedOut(_ message: String) -> MQTTError {
        switch self.status {
        case .disconnected: MQTTError(.timedOut, self.notConnected.message)
        case .connecting, .reconnecting: MQTTError(.timedOut, "There was no connection to the server in time.")
        case .connected, .disconnecting: MQTTError(.timedOut, message)
        }
    }

    /// Nobody waits any more: a message that was not sent leaves the outbox.
    func giveUp(_ request: RequestID, _ result: @Sendable (_ wasQueued: Bool) -> Waiters.Result) {
        let resumptions = self.state.withLock { state in
            let outcome = result(state.session.cancel(request))
            let target = state.waiters.finish(request, outcome)
            // It may have been the last that `disconnect` waited for.
            var resumptions = state.takeResumptions()
            if let target { resumptions.finished.append((target, outcome)) }
            return resumptions
        }
        resumptions.resume()
    }
}
