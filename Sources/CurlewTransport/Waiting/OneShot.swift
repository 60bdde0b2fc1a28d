import Synchronization

/// A value that is set once. Any number of tasks can wait for it.
package final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case empty([Int: UnsafeContinuation<Value?, Never>])
        case full(Value)
    }

    /// Guards the value, the waiting tasks, and the next number for one.
    private let state = Mutex((state: State.empty([:]), next: 0))

    package init() {}

    /// Sets the value; does nothing if it is already set.
    package func set(_ value: Value) {
        let waiting: [Int: UnsafeContinuation<Value?, Never>] = self.state.withLock { shared in
            guard case .empty(let waiting) = shared.state else { return [:] }
            shared.state = .full(value)
            return waiting
        }
        for continuation in waiting.values { continuation.resume(returning: value) }
    }

    /// The value, if it is set.
    package var value: Value? {
        self.state.withLock { shared in if case .full(let value) = shared.state { value } else { nil } }
    }

    /// Waits for the value; `nil` if the task is cancelled first.
    package nonisolated(nonsending) func wait() async -> Value? {
        // The value is usually set already: each request asks whether its inbox is subscribed.
        if let value = self.value { return value }
        let id = self.makeID()
        return await withTaskCancellationHandler {
            await self.suspend(id) { Task.isCancelled }
        } onCancel: {
            self.giveUp(id)
        }
    }

    /// Waits for a value that is sure to come, even if the task is cancelled. Never returns `nil`.
    package nonisolated(nonsending) func waitRegardless() async -> Value? {
        await self.suspend(self.makeID()) { false }
    }

    /// The result of a wait with a time limit.
    package enum Waited {
        case value(Value)
        case timedOut
        case cancelled
    }

    /// Waits for the value, up to a time limit.
    ///
    /// - Parameters:
    ///   - limit: How long to wait; `nil` for no limit.
    ///   - deadlines: Measures the time.
    package nonisolated(nonsending) func wait(for limit: Duration?, by deadlines: Deadlines) async -> Waited {
        if let value = self.value { return .value(value) }
        guard let limit else { return await self.wait().map { .value($0) } ?? .cancelled }
        let id = self.makeID()
        let isOver = Atomic(false)
        let deadline = deadlines.schedule(after: limit) {
            isOver.store(true, ordering: .releasing)
            self.giveUp(id)
        }
        defer { deadlines.cancel(deadline) }
        let value = await withTaskCancellationHandler {
            await self.suspend(id) { Task.isCancelled || isOver.load(ordering: .acquiring) }
        } onCancel: {
            self.giveUp(id)
        }
        if let value { return .value(value) }
        return isOver.load(ordering: .acquiring) ? .timedOut : .cancelled
    }

    /// Ends one wait without a value.
    private func giveUp(_ id: Int) {
        let continuation: UnsafeContinuation<Value?, Never>? = self.state.withLock { shared in
            guard case .empty(var waiting) = shared.state else { return nil }
            defer { shared.state = .empty(waiting) }
            return waiting.removeValue(forKey: id)
        }
        continuation?.resume(returning: nil)
    }

    private func makeID() -> Int {
        self.state.withLock { shared in
            shared.next += 1
            return shared.next
        }
    }

    /// - Parameter isOver: Whether the wait has already ended. Called under the lock: a later event finds the
    ///   continuation.
    private nonisolated(nonsending) func suspend(_ id: Int, isOver: () -> Bool) async -> Value? {
        await withUnsafeContinuation { continuation in
            let known: Value?? = self.state.withLock { shared in
                switch shared.state {
                case .full(let value): return .some(value)
                case .empty where isOver(): return .some(nil)
                case .empty(var waiting):
                    waiting[id] = continuation
                    shared.state = .empty(waiting)
                    return .none
                }
            }
            if let known { continuation.resume(returning: known) }
        }
    }
}
