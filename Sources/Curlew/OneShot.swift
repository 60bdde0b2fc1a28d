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
            await self.suspend(id, isCancellable: true)
        } onCancel: {
            let continuation: UnsafeContinuation<Value?, Never>? = self.state.withLock { shared in
                guard case .empty(var waiting) = shared.state else { return nil }
                defer { shared.state = .empty(waiting) }
                return waiting.removeValue(forKey: id)
            }
            continuation?.resume(returning: nil)
        }
    }

    /// Waits until it is set, though the task may be cancelled: for what is sure to come. Never `nil`.
    package nonisolated(nonsending) func waitRegardless() async -> Value? {
        await self.suspend(self.makeID(), isCancellable: false)
    }

    private func makeID() -> Int {
        self.state.withLock { shared in
            shared.next += 1
            return shared.next
        }
    }

    private nonisolated(nonsending) func suspend(_ id: Int, isCancellable: Bool) async -> Value? {
        await withUnsafeContinuation { continuation in
            let known: Value?? = self.state.withLock { shared in
                switch shared.state {
                case .full(let value): return .some(value)
                // Asked under the lock: a cancellation that comes later finds the continuation.
                case .empty where isCancellable && Task.isCancelled: return .some(nil)
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
