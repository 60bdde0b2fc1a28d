import Synchronization

/// Wakes the tasks that wait for a change of some state: a condition variable for tasks.
///
/// The state has a lock of its own. Change it first, then call ``wakeAll()``, without holding its lock.
package final class Condition: Sendable {
    private struct State {
        var waiting: [UInt64: UnsafeContinuation<Void, Never>] = [:]
        var nextID: UInt64 = 0
    }

    /// Which tasks an event wakes.
    package enum Waking: Sendable {
        /// All of them.
        case all
        /// One for each new item: the tasks are workers, each of which takes one item.
        case onePerItem
    }

    /// Guards which tasks wait. The lock of the state may be taken under it.
    private let state = Mutex(State())
    private let waking: Waking

    package init(waking: Waking = .all) { self.waking = waking }

    /// Wakes all waiting tasks, which check the state again.
    package func wakeAll() {
        for continuation in self.state.withLock({ exchange(&$0.waiting, with: [:]) }).values { continuation.resume() }
    }

    /// Wakes the tasks that new items concern.
    package func wake(for items: Int) {
        guard self.waking == .onePerItem else { return self.wakeAll() }
        for _ in 0..<items {
            let continuation = self.state.withLock { state in
                state.waiting.keys.first.flatMap { state.waiting.removeValue(forKey: $0) }
            }
            guard let continuation else { return }
            continuation.resume()
        }
    }

    /// Waits for the next wake-up, or until the task is cancelled. Returns at once if it is not necessary to wait.
    ///
    /// - Parameter isNecessary: Whether the state is not yet as wanted. A change after this check is not missed.
    package nonisolated(nonsending) func wait(if isNecessary: () -> Bool) async {
        let id = self.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                let waits = self.state.withLock { state in
                    // Checked under the lock, so that a later cancellation or wake-up finds the continuation.
                    guard !Task.isCancelled, isNecessary() else { return false }
                    state.waiting[id] = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            self.state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }
}
