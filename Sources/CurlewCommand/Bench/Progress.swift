#if Tools
import Curlew
import CurlewCore
import CurlewTransport
import Synchronization

/// The progress of a run, shared by all its tasks.
final class Progress: Sendable {
    /// When the measured time began.
    struct Start {
        let instant: ContinuousClock.Instant
        let processorMicroseconds: Double
    }

    /// The number of messages after which the run ends; `nil` for no limit.
    let limit: Int?
    let latencies = Latencies()
    private let done = Atomic<Int>(0)
    private let isEnded = Atomic<Bool>(false)
    private let end = OneShot<Void>()
    /// Guards when the measured time began.
    private let started = Mutex<Start?>(nil)

    init(limit: Int?) { self.limit = limit }

    /// The number of messages counted so far.
    var count: Int { self.done.load(ordering: .relaxed) }

    /// Counts one message; the last one ends the run. Returns `false` for messages beyond the limit.
    func countOne() -> Bool {
        let count = self.done.add(1, ordering: .relaxed).newValue
        guard let limit else { return true }
        if count == limit { self.finish() }
        return count <= limit
    }

    /// Starts the clock, unless it is running.
    func begin() {
        self.started.withLock { start in
            guard start == nil else { return }
            start = Start(instant: .now, processorMicroseconds: ProcessUsage.processorMicroseconds)
        }
    }

    var start: Start? { self.started.withLock { $0 } }

    /// Whether the run is over.
    var isOver: Bool { self.isEnded.load(ordering: .relaxed) }

    func finish() {
        self.isEnded.store(true, ordering: .relaxed)
        self.end.set(())
    }

    /// Waits until the run is over or the task is cancelled.
    func waitForEnd() async { _ = await self.end.wait() }
}
#endif
