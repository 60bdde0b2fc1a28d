import Dispatch
import NIOCore
import Synchronization

/// Runs work that keeps a processor busy: away from event loops and from the threads of Swift's tasks, and only so much at once. Sources take
/// turns, so that one that floods it delays nobody else by more than one piece of work.
final class WorkQueue: Sendable {
    /// Why work was not done.
    enum Refusal: Error {
        /// Too much of the same source waits already.
        case full
        /// The task that wanted it was cancelled before it began.
        case cancelled
    }

    private struct Job {
        /// Does the work unless it is refused, and says how it ended.
        let end: @Sendable (Refusal?) -> Void
    }

    private struct State {
        var waiting: FairQueue<Job>
        var workers = 0
        var nextNumber: UInt64 = 0
    }

    /// Guards the line and the number of those who work it off.
    private let state: Mutex<State>
    private let maximumWorkers: Int
    private let queue = DispatchQueue(label: "curlew.work", qos: .utility, attributes: .concurrent)

    /// - Parameter maximumWaiting: How much of one source may wait.
    init(maximumWorkers: Int, maximumWaiting: Int) {
        self.maximumWorkers = max(1, maximumWorkers)
        self.state = Mutex(State(waiting: FairQueue(maximumPerSource: maximumWaiting)))
    }

    /// What all password files share: half of the processors go on serving clients, whoever guesses passwords.
    static let passwords = WorkQueue(maximumWorkers: System.coreCount / 2, maximumWaiting: 1000)

    /// How much waits for its turn.
    var waitingCount: Int { self.state.withLock { $0.waiting.count } }

    /// Waits for a turn, and has the work done.
    ///
    /// - Parameter source: Whose work it is.
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
                // Cancellation may have come before the job was in line, where its handler found nothing.
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
