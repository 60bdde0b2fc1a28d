import CurlewTransport
import Synchronization
import Testing

@testable import CurlewBroker

/// The queue for work that keeps a processor busy.
@Suite struct WorkQueueTests {
    @Test("All work is done, with at most the given number of workers at a time")
    func bound() async throws {
        let queue = WorkQueue(maximumWorkers: 3, maximumWaiting: 1000)
        let running = Counter()
        let results = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<200 {
                group.addTask {
                    try await queue.run(for: "a") {
                        running.enter()
                        defer { running.leave() }
                        return number
                    }
                }
            }
            return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect(results == Set(0..<200))
        #expect(running.most <= 3)
    }

    @Test("Work is not done if its task is cancelled while it waits")
    func cancellation() async throws {
        let queue = WorkQueue(maximumWorkers: 1, maximumWaiting: 10)
        let blocker = Blocker()
        async let blocked: Void = queue.run(for: "a") { blocker.block() }
        await blocker.isBlocking()
        let waiting = Task { () -> WorkQueue.Refusal? in
            do throws(WorkQueue.Refusal) {
                try await queue.run(for: "a") { _ = Issue.record("cancelled work was done") }
                return nil
            } catch {
                return error
            }
        }
        while queue.waitingCount == 0 { try await letOthersRun() }
        waiting.cancel()
        #expect(await waiting.value == .cancelled)
        #expect(queue.waitingCount == 0)
        blocker.release()
        try await blocked
    }

    @Test("Sources take turns: work of another source waits for at most one piece of a flooding source's work")
    func turns() async throws {
        let queue = WorkQueue(maximumWorkers: 1, maximumWaiting: 1000)
        let blocker = Blocker()
        async let blocked: Void = queue.run(for: "flood") { blocker.block() }
        await blocker.isBlocking()
        let order = Order()
        try await withThrowingTaskGroup { group in
            for number in 1...100 {
                group.addTask { try await queue.run(for: "flood") { order.add("flood") } }
                while queue.waitingCount < number { try await letOthersRun() }
            }
            group.addTask { try await queue.run(for: "honest") { order.add("honest") } }
            while queue.waitingCount < 101 { try await letOthersRun() }
            blocker.release()
            try await group.waitForAll()
        }
        try await blocked
        #expect(try #require(order.all.firstIndex(of: "honest")) <= 1)
    }

    @Test("Work is refused at once if too much work of the same source is waiting; other sources are not affected")
    func full() async throws {
        let queue = WorkQueue(maximumWorkers: 1, maximumWaiting: 1)
        let blocker = Blocker()
        async let blocked: Void = queue.run(for: "a") { blocker.block() }
        await blocker.isBlocking()
        async let waiting: Void = queue.run(for: "a") {}
        while queue.waitingCount == 0 { try await letOthersRun() }
        await #expect(throws: WorkQueue.Refusal.full) { try await queue.run(for: "a") {} }
        async let other: Void = queue.run(for: "b") {}
        while queue.waitingCount < 2 { try await letOthersRun() }
        blocker.release()
        try await blocked
        try await waiting
        try await other
        try await queue.run(for: "a") {}
    }
}

/// The sources in the order in which they were served.
private final class Order: Sendable {
    private let sources = Mutex<[String]>([])

    var all: [String] { self.sources.withLock { $0 } }

    func add(_ source: String) { self.sources.withLock { $0.append(source) } }
}
