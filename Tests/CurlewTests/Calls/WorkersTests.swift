import CurlewTesting
import CurlewTransport
import DequeModule
import Synchronization
import Testing

@testable import Curlew

@Suite("Workers that wait for work", .bounded)
struct WorkersTests {
    /// Work in a queue that several workers share.
    private final class Queue: Sendable {
        private let state = Mutex((items: Deque<Int>(), isOver: false, error: MQTTError?.none))
        let workers: Workers<Int>

        init(limit: Int) { self.workers = Workers(limit: limit) }

        func add(_ items: [Int]) {
            self.state.withLock { $0.items += items }
            self.workers.news.wake(for: items.count)
        }

        func end(_ error: MQTTError? = nil) {
            self.state.withLock { state in
                state.isOver = true
                state.error = error
            }
            self.workers.news.wakeAll()
        }

        func run(_ work: @escaping @Sendable (Int) async -> Void) async throws {
            try await self.workers.run(
                take: { try self.take() },
                hasNews: { self.state.withLock { !$0.items.isEmpty || $0.isOver } }, work: work)
        }

        private func take() throws -> Workers<Int>.Taken {
            let taken: Result<Workers<Int>.Taken, MQTTError> = self.state.withLock { state in
                if let item = state.items.popFirst() { return .success(.work(item)) }
                if let error = state.error { return .failure(error) }
                return .success(state.isOver ? .end : .nothing)
            }
            return try taken.get()
        }
    }

    @Test("All work is done, by as many workers at once as are permitted", arguments: [1, 2, 8])
    func limit(limit: Int) async throws {
        let queue = Queue(limit: limit)
        let running = Mutex((now: 0, most: 0, done: 0))
        let gate = Latch()
        let working = Task {
            try await queue.run { _ in
                running.withLock { running in
                    running.now += 1
                    running.most = max(running.most, running.now)
                }
                while !gate.isRaised { await Task.yield() }
                running.withLock { running in
                    running.now -= 1
                    running.done += 1
                }
            }
        }
        queue.add(Array(0..<20))
        try await eventually("\(limit) workers at once") { running.withLock { $0.now } == limit }
        gate.raise()
        try await eventually("all work is done") { running.withLock { $0.done } == 20 }
        queue.add([21])
        try await eventually("later work is done") { running.withLock { $0.done } == 21 }
        queue.end()
        try await working.value
        #expect(running.withLock { $0.most } == limit)
    }

    @Test("An error that ends the work ends all workers, and is thrown")
    func error() async throws {
        let queue = Queue(limit: 4)
        let working = Task { try await queue.run { _ in } }
        queue.add([1, 2, 3])
        queue.end(MQTTError(.queueOverflow, "full"))
        #expect(try await failure { try await working.value }.code == .queueOverflow)
    }

    @Test("A cancellation ends workers that wait and those that work")
    func cancelled() async throws {
        let queue = Queue(limit: 4)
        let hasBegun = Latch()
        let working = Task {
            try await queue.run { _ in
                hasBegun.raise()
                try? await Task.sleep(for: .seconds(3600))
            }
        }
        queue.add([1])
        try await eventually("work has begun") { hasBegun.isRaised }
        working.cancel()
        try await working.value
    }
}
