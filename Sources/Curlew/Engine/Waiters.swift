import CurlewCore

/// Who waits for which request: the map from identifier to continuation.
///
/// A request is reserved under the lock that accepts it, and waited for under a later one; what completes it may come between.
struct Waiters {
    /// How a wait ends.
    enum Result: Sendable {
        case completed(Completion.Outcome)
        /// The task was cancelled. `wasQueued`: the message had not left the outbox, and is gone from it.
        case cancelled(wasQueued: Bool)
        /// The time that the caller allowed is over.
        case timedOut(wasQueued: Bool)
        /// Nobody has called `connect()`.
        case notConnected
    }

    typealias Continuation = UnsafeContinuation<Result, Never>

    /// Who is to be told of a result, once no lock is held.
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

    /// How many requests are waited for.
    var count: Int { self.table.count }

    /// A request was accepted, and somebody will wait for it or call ``forget(_:)``.
    mutating func reserve(_ request: RequestID) { self.table.insert(.reserved, for: request) }

    /// How a request has ended for which nobody waits yet; `nil` when it has not. It is not waited for afterwards.
    mutating func takeResult(of request: RequestID) -> Result? {
        guard case .finished(let result)? = self.table[request] else { return nil }
        self.table.remove(request)
        return result
    }

    /// Begins to wait; the result is there already if one is returned.
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

    /// The request has ended: returns who is to be resumed.
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

    /// Nobody will wait.
    mutating func forget(_ request: RequestID) {
        if case .waiting? = self.table[request] { return }
        self.table.remove(request)
    }
}
