import CurlewTransport
import NIOCore
import Synchronization

/// A value that tasks can wait on until it satisfies a condition. Each wait has a time limit.
final class Watched<State: Sendable>: Sendable {
    private struct Waiter {
        let id: UInt64
        /// Returns a closure that resumes the waiter if the value satisfies its condition, otherwise `nil`.
        let look: @Sendable (inout State) -> (@Sendable () -> Void)?
        let fail: @Sendable (any Error) -> Void
    }

    private struct Shared {
        var state: State
        /// In the order in which they started to wait.
        var waiters: [Waiter] = []
        var nextID: UInt64 = 0
    }

    /// Guards the value and its waiters.
    private let shared: Mutex<Shared>

    init(_ state: State) { self.shared = Mutex(Shared(state: state)) }

    /// Changes the value, and resumes the waiters whose condition it now satisfies.
    func change<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
        let (result, resumptions) = self.shared.withLock { shared in
            let result = body(&shared.state)
            var resumptions: [@Sendable () -> Void] = []
            shared.waiters.removeAll { waiter in
                guard let resume = waiter.look(&shared.state) else { return false }
                resumptions.append(resume)
                return true
            }
            return (result, resumptions)
        }
        for resume in resumptions { resume() }
        return result
    }

    /// Waits until `take` returns a value. `take` may remove it from the state.
    ///
    /// - Parameters:
    ///   - what: What the wait is for, for the error message.
    ///   - limit: How long to wait, in real time.
    func wait<Result: Sendable>(
        for what: String, within limit: Duration, _ take: @escaping @Sendable (inout State) -> Result?
    ) async throws -> Result {
        let id = self.shared.withLock { shared in
            shared.nextID += 1
            return shared.nextID
        }
        let deadline = EventLoops.shared.next().scheduleTask(in: TimeAmount(limit)) {
            self.giveUp(id, ScriptError("Waited \(limit) for \(what) in vain."))
        }
        defer { deadline.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Result, any Error>) in
                let waiter = Waiter(
                    id: id,
                    look: { state in
                        guard let result = take(&state) else { return nil }
                        return { continuation.resume(returning: result) }
                    },
                    fail: { error in continuation.resume(throwing: error) })
                let resume: (@Sendable () -> Void)? = self.shared.withLock { shared in
                    if Task.isCancelled { return { waiter.fail(CancellationError()) } }
                    if let resume = waiter.look(&shared.state) { return resume }
                    shared.waiters.append(waiter)
                    return nil
                }
                resume?()
            }
        } onCancel: {
            self.giveUp(id, CancellationError())
        }
    }

    private func giveUp(_ id: UInt64, _ error: any Error) {
        let waiter: Waiter? = self.shared.withLock { shared in
            guard let index = shared.waiters.firstIndex(where: { $0.id == id }) else { return nil }
            return shared.waiters.remove(at: index)
        }
        waiter?.fail(error)
    }
}

#if CURLEW_THREAD_SANITIZER
typealias Mutex = SanitizedMutex
#endif
