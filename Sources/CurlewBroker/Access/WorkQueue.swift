import DequeModule
import Dispatch
import NIOCore
import Synchronization

/// Runs work that keeps a processor busy: away from event loops and from the threads of Swift's tasks, only so much at once, first come
/// first served. Whoever floods it makes others wait in this line, but nobody outside it.
final class WorkQueue: Sendable {
    /// Why work was not done.
    enum Refusal: Error {
        /// Too much waits already.
        case full
        /// The task that wanted it was cancelled before it began.
        case cancelled
    }

    private struct Job {
        let number: UInt64
        /// Does the work when it is given leave to, and says how it ended.
        let end: @Sendable (Refusal?) -> Void
    }

    private struct State {
        var waiting: Deque<Job> = []
        var workers = 0
        var nextNumber: UInt64 = 0
    }

    /// Guards the line and the number of those who work it off.
    private let state = Mutex(State())
    private let maximumWorkers: Int
    private let maximumWaiting: Int
    private let queue = DispatchQueue(label: "curlew.work", qos: .utility, attributes: .concurrent)

    init(maximumWorkers: Int, maximumWaiting: Int) {
        self.maximumWorkers = max(1, maximumWorkers)
        self.maximumWaiting = maximumWaiting
    }

    /// What all password files share: half of the processors go on serving clients, whoever guesses passwords.
    static let passwords = WorkQueue(maximumWorkers: System.coreCount / 2, maximumWaiting: 1000)

    /// How much waits for its turn.
    var waitingCount: Int { self.state.withLock { $0.waiting.count } }

    /// Waits for a turn, and has the work done.
    func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async throws(Refusal) -> Value {
        let number = self.state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        let result: Result<Value, Refusal> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let job = Job(number: number) { refusal in
                    continuation.resume(returning: refusal.map { .failure($0) } ?? .success(work()))
                }
                // Cancellation may have come before the job was in line, where its handler found nothing.
                let refusal: Refusal? = Task.isCancelled ? .cancelled : self.enqueue(job)
                if let refusal { job.end(refusal) } else if Task.isCancelled { self.cancel(number) }
            }
        } onCancel: {
            self.cancel(number)
        }
        return try result.get()
    }

    private func enqueue(_ job: Job) -> Refusal? {
        let (refusal, needsWorker): (Refusal?, Bool) = self.state.withLock { state in
            if state.workers < self.maximumWorkers {
                state.waiting.append(job)
                state.workers += 1
                return (nil, true)
            }
            guard state.waiting.count < self.maximumWaiting else { return (.full, false) }
            state.waiting.append(job)
            return (nil, false)
        }
        if needsWorker { self.queue.async { self.workOff() } }
        return refusal
    }

    private func workOff() {
        while let job = self.next() { job.end(nil) }
    }

    private func next() -> Job? {
        self.state.withLock { state in
            if let job = state.waiting.popFirst() { return job }
            state.workers -= 1
            return nil
        }
    }

    private func cancel(_ number: UInt64) {
        let job: Job? = self.state.withLock { state in
            guard let index = state.waiting.firstIndex(where: { $0.number == number }) else { return nil }
            return state.waiting.remove(at: index)
        }
        job?.end(.cancelled)
    }
}
