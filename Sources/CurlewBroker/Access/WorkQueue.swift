import Dispatch
import NIOCore
import Synchronization

/// Runs work that keeps a processor busy, neither on event loops nor on the threads of Swift's tasks, and with limited
/// concurrency. Sources take turns, so that a source that floods the queue delays others by at most one piece of work.
final class WorkQueue: Sendable {
    /// Why work was not done.
    enum Refusal: Error {
        /// Too much work of the same source is queued.
        case full
        /// The task was cancelled before the work began.
        case cancelled
    }

    private struct Job {
        /// Does the work unless it is refused, and reports the outcome.
        let end: @Sendable (Refusal?) -> Void
    }

    private struct State {
        var waiting: FairQueue<Job>
        var workers = 0
        var nextNumber: UInt64 = 0
    }

    /// Guards the queue and the number of workers.
    private let state: Mutex<State>
    private let maximumWorkers: Int
    private let queue = DispatchQueue(label: "curlew.work", qos: .utility, attributes: .concurrent)

    /// - Parameter maximumWaiting: How much work of one source may wait.
    init(maximumWorkers: Int, maximumWaiting: Int) {
        self.maximumWorkers = max(1, maximumWorkers)
        self.state = Mutex(State(waiting: FairQueue(maximumPerSource: maximumWaiting)))
    }

    /// The queue of all password files. It leaves half of the processors for serving clients, even under an attack that
    /// guesses passwords.
    static let passwords = WorkQueue(maximumWorkers: System.coreCount / 2, maximumWaiting: 1000)

    /// How much work waits.
    var waitingCount: Int { self.state.withLock { $0.waiting.count } }

    /// Waits for a turn, then does the work.
    ///
    /// - Parameter source: The source that the work counts for.
    func run<Value: Sendable>(
        for source: String, _ work: @escaping @Sendable () -> Value
    ) async throws(Refusal) -> Value {
        let number = self.state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        let result: Result<Value, Refusal> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let job = Job { refusal in
                    continuation.resume(returning: refusal.map { .failure($0) } ?? .success(work()))
                }
                // The task may have been cancelled before the job was queued, when the handler found nothing to cancel.
                let refusal: Refusal? = Task.isCancelled ? .cancelled : self.enqueue(job, number, source)
                if let refusal { job.end(refusal) } else if Task.isCancelled { self.cancel(number) }
            }
        } onCancel: {
            self.cancel(number)
        }
        return try result.get()
    }

    private func enqueue(_ job: Job, _ number: UInt64, _ source: String) -> Refusal? {
        let (refusal, needsWorker): (Refusal?, Bool) = self.state.withLock { state in
            guard state.waiting.append(job, number: number, from: source) else { return (.full, false) }
            guard state.workers < self.maximumWorkers else { return (nil, false) }
            state.workers += 1
            return (nil, true)
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
        self.state.withLock { $0.waiting.remove(number) }?.end(.cancelled)
    }
}
