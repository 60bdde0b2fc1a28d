import CurlewCore
import CurlewTransport
import NIOCore

// Blocks the caller's thread instead of suspending a task.
extension ClientEngine {
    /// Throws if the current thread must not block.
    func requireBlockableThread() throws(MQTTError) {
        guard let objection = BlockingRules.objection else { return }
        throw MQTTError(
            .mustNotBlock,
            "A blocking call was made in \(objection), which must not block: use the client's async methods there.",
            delivery: .notSent)
    }

    /// Runs `body` on the client's event loop, and blocks the thread until it has ended.
    func blockThread<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) throws(MQTTError) -> Value {
        try self.requireBlockableThread()
        let ended = BlockingOneShot<Result<Value, MQTTError>>()
        // Not on Swift's thread pool, whose threads the callers may have taken. The thread waits for the task, so nobody
        // else has to keep it.
        Task(executorPreference: self.executor) {
            do { ended.set(.success(try await body())) } catch { ended.set(.failure(MQTTError(of: error))) }
        }
        return try ended.wait().get()
    }

    /// Publishes a message and blocks the thread until the outcome is known. Needs no task.
    func publishBlocking(_ message: OutgoingMessage, timeout: Duration?) throws(MQTTError) -> ReasonCode {
        try self.requireBlockableThread()
        let ended = BlockingOneShot<Waiters.Result>()
        guard let request = try self.accept(message, isAwaited: true, reportingTo: { ended.set($0) }) else {
            return .success
        }
        let reminder = self.remindOfConnecting(request)
        let deadline = (timeout ?? self.configuration.connection.acknowledgementTimeout).map { limit in
            self.deadlines.schedule(after: limit) {
                self.giveUp(request) { wasQueued in .timedOut(wasQueued: wasQueued) }
            }
        }
        let result = ended.wait()
        if let deadline { self.deadlines.cancel(deadline) }
        if let reminder { self.deadlines.cancel(reminder) }
        return try self.reasonCode(of: result)
    }
}
