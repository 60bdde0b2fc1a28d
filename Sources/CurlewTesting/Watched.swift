import CurlewTransport
import NIOCore
import Synchronization

/// A value that tasks wait on until it has become what they want; each wait ends with an error rather than never.
final class Watched<State: Sendable>: Sendable {
    private struct Waiter {
        let id: UInt64
        /// Returns what resumes the waiter, if the value is what it wants.
        let look: @Sendable (inout State) -> (@Sendable () -> Void)?
        let fail: @Sendable (any Error) -> Void
    }

    private struct Shared {
        var state: State
        /// In the order in which they began to wait.
        var waiters: [Waiter] = []
        var nextID: UInt64 = 0
    }

    /// Guards the value and who waits for it.
    private let shared: Mutex<Shared>

    init(_ state: State) { self.shared = Mutex(Shared(state: state)) }

    /// Changes the value, and resumes those who have waited for what it is now.
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

    /// Waits until `take` returns something; it may take that out of the value.
    ///
    /// - Parameters:
    ///   - what: What is waited for, in words.
    ///   - limit: How long to wait, in real time.
    func wait<Result: Sendable>(
        for what: String, within limit: Duration, _ take: @escaping @Sendable (inout State) -> Result?
    ) async throws -> Result {
        let id = self.shared.withLock { shared in
            shared.nextID += 1
            return shared.nextID
        }
        let deadline = EventLoops.shared.next().scheduleTask(in: TimeAmount(limit)) {
            self.giveUp(id, ScriptError("Nothing came within \(limit) of waiting for \(what)."))
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
