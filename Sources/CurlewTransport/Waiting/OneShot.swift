import Synchronization

/// A value that is set once and waited for by any number of tasks.
package final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case empty([Int: UnsafeContinuation<Value?, Never>])
        case full(Value)
    }

    /// Guards the value, who waits for it, and the number of the next who does.
    private let state = Mutex((state: State.empty([:]), next: 0))

    package init() {}

    /// Sets the value; does nothing if it is set already.
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

    /// Waits until it is set; `nil` when the task is cancelled before.
    package nonisolated(nonsending) func wait() async -> Value? {
        // Most who ask come late: each request asks whether its inbox is subscribed.
        if let value = self.value { return value }
        let id = self.makeID()
        return await withTaskCancellationHandler {
            await self.suspend(id) { Task.isCancelled }
        } onCancel: {
            self.giveUp(id)
        }
    }

    /// Waits until it is set, though the task may be cancelled: for what is sure to come. Never `nil`.
    package nonisolated(nonsending) func waitRegardless() async -> Value? {
        await self.suspend(self.makeID()) { false }
    }

    /// How a wait with a deadline ends.
    package enum Waited {
        case value(Value)
        case timedOut
        case cancelled
    }

    /// Waits until it is set, but no longer than that.
    ///
    /// - Parameters:
    ///   - limit: How long to wait; `nil` for as long as it takes.
    ///   - deadlines: What measures the time.
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

    /// - Parameter isOver: Whether the wait has ended by now. Asked under the lock: what ends it later finds the continuation.
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
