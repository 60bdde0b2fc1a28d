import CurlewTransport
import Synchronization

/// Child tasks that take work, do it, and wait for more. While all are busy, another one is added, up to a limit, so
/// that one of them always waits: new work begins without the start of a task.
final class Workers<Work: Sendable>: Sendable {
    private struct State {
        var count = 0
        var idle = 0
        /// All are busy.
        var needsMore = false
        /// No more work follows.
        var isOver = false
    }

    /// What a worker finds.
    enum Taken {
        case work(Work)
        /// There is nothing to do now.
        case nothing
        /// No more work follows.
        case end
    }

    /// Wakes one worker for each new piece of work.
    let news = Condition(waking: .onePerItem)
    private let limit: Int
    private let state = Mutex(State())
    /// The task that adds workers waits until it has to.
    private let changed = Condition()

    /// More idle workers than this end.
    private static var maximumIdle: Int { 4 }

    /// - Parameter limit: The maximum number of workers.
    init(limit: Int) { self.limit = limit }

    /// Works until no more work follows, the task is cancelled, or `take` throws.
    ///
    /// - Parameters:
    ///   - take: Takes a piece of work, without waiting. Called by several workers at once.
    ///   - hasNews: Whether it is worth while to call `take`.
    ///   - work: Does a piece of work.
    func run(
        take: @escaping @Sendable () throws -> Taken, hasNews: @escaping @Sendable () -> Bool,
        work: @escaping @Sendable (Work) async -> Void
    ) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            while !Task.isCancelled, self.hire() {
                group.addTask { try await self.runWorker(take, hasNews, work) }
                await self.changed.wait { self.state.withLock { !$0.needsMore && !$0.isOver } }
            }
            // Those at work must not go on when there is nobody to work for.
            group.cancelAll()
        }
    }

    /// Counts a new worker. Returns `false` if no more work follows.
    private func hire() -> Bool {
        self.state.withLock { state in
            guard !state.isOver else { return false }
            state.count += 1
            state.needsMore = false
            return true
        }
    }

    private func runWorker(
        _ take: @Sendable () throws -> Taken, _ hasNews: @Sendable () -> Bool, _ work: @Sendable (Work) async -> Void
    ) async throws {
        do {
            while !Task.isCancelled {
                switch try take() {
                case .work(let piece):
                    self.begin()
                    await work(piece)
                case .nothing:
                    guard self.rest() else { return }
                    await self.news.wait { !hasNews() && !self.state.withLock { $0.isOver } }
                    self.state.withLock { $0.idle -= 1 }
                case .end: return self.finish()
                }
            }
        } catch {
            // A group does not cancel its own task when a child fails.
            self.finish()
            throw error
        }
    }

    /// A worker begins a piece of work.
    private func begin() {
        let needsMore = self.state.withLock { state in
            guard state.idle == 0, state.count < self.limit else { return false }
            state.needsMore = true
            return true
        }
        if needsMore { self.changed.wakeAll() }
    }

    /// A worker wants to wait. Returns `false` if it is not needed.
    private func rest() -> Bool {
        self.state.withLock { state in
            guard state.idle < Self.maximumIdle else {
                state.count -= 1
                return false
            }
            state.idle += 1
            return true
        }
    }

    private func finish() {
        self.state.withLock { $0.isOver = true }
        self.news.wakeAll()
        self.changed.wakeAll()
    }
}
