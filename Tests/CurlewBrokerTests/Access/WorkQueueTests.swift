import Testing

@testable import CurlewBroker

/// Work that keeps processors busy.
@Suite struct WorkQueueTests {
    @Test("All work is done, and so much at once at the most")
    func bound() async throws {
        let queue = WorkQueue(maximumWorkers: 3, maximumWaiting: 1000)
        let running = Counter()
        let results = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<200 {
                group.addTask {
                    try await queue.run {
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

    @Test("Work whose task is cancelled before its turn is not done")
    func cancellation() async throws {
        let queue = WorkQueue(maximumWorkers: 1, maximumWaiting: 10)
        let blocker = Blocker()
        async let blocked: Void = queue.run { blocker.block() }
        await blocker.isBlocking()
        let waiting = Task { () -> WorkQueue.Refusal? in
            do throws(WorkQueue.Refusal) {
                try await queue.run { _ = Issue.record("cancelled work was done") }
                return nil
            } catch {
                return error
            }
        }
        while queue.waitingCount == 0 { await Task.yield() }
        waiting.cancel()
        #expect(await waiting.value == .cancelled)
        #expect(queue.waitingCount == 0)
        blocker.release()
        try await blocked
    }

    @Test("What comes when too much waits is refused at once")
    func full() async throws {
        let queue = WorkQueue(maximumWorkers: 1, maximumWaiting: 0)
        let blocker = Blocker()
        async let blocked: Void = queue.run { blocker.block() }
        await blocker.isBlocking()
        await #expect(throws: WorkQueue.Refusal.full) { try await queue.run {} }
        blocker.release()
        try await blocked
        // The worker has its place back, if not at once.
        while true {
            do throws(WorkQueue.Refusal) {
                try await queue.run {}
                break
            } catch {
                await Task.yield()
            }
        }
    }
}
