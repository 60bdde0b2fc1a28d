import CurlewCore

/// The calls that wait for requests, by request identifier.
///
/// A request is reserved under the lock that accepts it. The wait starts later, under another lock, so the request may
/// complete in between.
struct Waiters {
    /// How a wait ends.
    enum Result: Sendable {
        case completed(Completion.Outcome)
        /// The task was cancelled. `wasQueued`: the message was not sent, and has been removed from the outbox.
        case cancelled(wasQueued: Bool)
        /// The caller's time limit has passed.
        case timedOut(wasQueued: Bool)
        /// The client is neither connected nor connecting.
        case notConnected
    }

    typealias Continuation = UnsafeContinuation<Result, Never>

    /// Receives a result. Must be resumed without holding a lock.
    enum Target {
        case continuation(Continuation)
        case call(@Sendable (Result) -> Void)

        func resume(with result: Result) {
            switch self {
            case .continuation(let continuation): continuation.resume(returning: result)
            case .call(let body): body(result)
            }
        }
    }

    private enum Waiter {
        case reserved
        case waiting(Target)
        case finished(Result)
    }

    private var table = RequestTable<Waiter>()
    private var lastRequest: UInt64 = 0

    mutating func makeRequestID() -> RequestID {
        self.lastRequest += 1
        return RequestID(self.lastRequest)
    }

    /// A request was accepted. Its owner must wait for it or call ``forget(_:)``, unless there is already a target.
    mutating func reserve(_ request: RequestID, for target: Target? = nil) {
        self.table.insert(target.map { .waiting($0) } ?? .reserved, for: request)
    }

    /// Takes the result of a request that no call waits for; `nil` if there is none yet. Nothing may wait for it
    /// afterwards.
    mutating func takeResult(of request: RequestID) -> Result? {
        guard case .finished(let result)? = self.table[request] else { return nil }
        self.table.remove(request)
        return result
    }

    /// Starts to wait. Returns the result if the request has already ended; then `target` is not resumed.
    mutating func wait(for request: RequestID, _ target: Target) -> Result? {
        switch self.table[request] {
        case .finished(let result)?:
            self.table.remove(request)
            return result
        case .reserved?:
            self.table.insert(.waiting(target), for: request)
            return nil
        case .waiting?, nil:
            assertionFailure("a request is waited for once, and reserved before")
            return .cancelled(wasQueued: false)
        }
    }

    /// The request has ended. Returns the target to resume, if a call waits.
    mutating func finish(_ request: RequestID, _ result: Result) -> Target? {
        switch self.table[request] {
        case .waiting(let target)?:
            self.table.remove(request)
            return target
        case .reserved?:
            self.table.insert(.finished(result), for: request)
            return nil
        case .finished?, nil: return nil
        }
    }

    /// No call will wait for the request. Does nothing if one is already waiting.
    mutating func forget(_ request: RequestID) {
        if case .waiting? = self.table[request] { return }
        self.table.remove(request)
    }
}
