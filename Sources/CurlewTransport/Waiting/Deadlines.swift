package import CurlewCore
import HeapModule
import Synchronization

/// Calls closures at given times, with one sleeping task for all of them.
package final class Deadlines: Sendable {
    /// Identifies a deadline, to cancel it.
    package struct ID: Hashable, Sendable {
        fileprivate let rawValue: UInt64
    }

    private struct Entry: Comparable {
        let time: Timestamp
        let id: UInt64

        static func < (left: Self, right: Self) -> Bool { (left.time, left.id) < (right.time, right.id) }
    }

    private struct State {
        var heap = Heap<Entry>()
        /// Those that are not cancelled.
        var actions: [UInt64: @Sendable () -> Void] = [:]
        var nextID: UInt64 = 0
        /// The time until which the task sleeps; `nil` if there is no task.
        var sleepsUntil: Timestamp?
        var task: Task<Void, Never>?
    }

    private let clock: MonotonicClock
    private let executor: EventLoopExecutor
    /// Guards the deadlines and the task that sleeps until the first one.
    private let state = Mutex(State())

    package init(clock: MonotonicClock, executor: EventLoopExecutor) {
        self.clock = clock
        self.executor = executor
    }

    /// Calls `action` once, on the event loop's thread, after `delay`, unless it is cancelled before.
    @discardableResult
    package func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void) -> ID {
        self.schedule(at: self.clock.now() + delay, action)
    }

    /// Calls `action` once, on the event loop's thread, at the given time, or immediately if that has passed.
    @discardableResult
    package func schedule(at time: Timestamp, _ action: @escaping @Sendable () -> Void) -> ID {
        self.state.withLock { state in
            let id = state.nextID
            state.nextID += 1
            state.actions[id] = action
            state.heap.insert(Entry(time: time, id: id))
            self.wake(&state)
            return ID(rawValue: id)
        }
    }

    package func cancel(_ id: ID) {
        self.state.withLock { state in
            state.actions[id.rawValue] = nil
            // Cancelled entries stay in the heap until their time, but must not pile up there.
            if state.heap.count > 64, state.heap.count > 2 * state.actions.count {
                let live = state.heap.unordered.filter { state.actions[$0.id] != nil }
                state.heap = Heap(live)
            }
        }
    }

    /// Cancels all deadlines.
    package func cancelAll() {
        self.state.withLock { state in
            state.actions.removeAll()
            state.heap = Heap()
            state.task?.cancel()
            state.task = nil
            state.sleepsUntil = nil
        }
    }

    /// Makes sure that a task sleeps no longer than until the first entry.
    private func wake(_ state: inout State) {
        guard let first = state.heap.min else { return }
        if let sleepsUntil = state.sleepsUntil, sleepsUntil <= first.time { return }
        state.task?.cancel()
        state.sleepsUntil = first.time
        let time = first.time
        state.task = Task(executorPreference: self.executor) { [weak self, clock] in
            do { try await clock.sleep(time) } catch { return }
            self?.fire(time)
        }
    }

    private func fire(_ slept: Timestamp) {
        let now = max(self.clock.now(), slept)
        let due = self.state.withLock { state in
            var due: [@Sendable () -> Void] = []
            guard state.sleepsUntil == slept else { return due }
            state.sleepsUntil = nil
            state.task = nil
            while let first = state.heap.min, first.time <= now || state.actions[first.id] == nil {
                state.heap.removeMin()
                if let action = state.actions.removeValue(forKey: first.id) { due.append(action) }
            }
            self.wake(&state)
            return due
        }
        for action in due { action() }
    }
}
