#if Tools
import Curlew
import CurlewCore
import CurlewTransport
import Synchronization

/// How far a run is and whether it is over: what all its tasks share.
final class Progress: Sendable {
    /// When the measured time began.
    struct Start {
        let instant: ContinuousClock.Instant
        let processorMicroseconds: Double
    }

    /// How many messages shall be done; `nil` for no bound.
    let limit: Int?
    let latencies = Latencies()
    private let done = Atomic<Int>(0)
    private let isEnded = Atomic<Bool>(false)
    private let end = OneShot<Void>()
    /// Guards when the first message came or was sent.
    private let started = Mutex<Start?>(nil)

    init(limit: Int?) { self.limit = limit }

    /// How many messages are done.
    var count: Int { self.done.load(ordering: .relaxed) }

    /// Counts one message, and ends the run with the last. Returns `false` for one too many.
    func countOne() -> Bool {
        let count = self.done.add(1, ordering: .relaxed).newValue
        guard let limit else { return true }
        if count == limit { self.finish() }
        return count <= limit
    }

    /// The time counts from now on, if it does not yet.
    func begin() {
        self.started.withLock { start in
            guard start == nil else { return }
            start = Start(instant: .now, processorMicroseconds: ProcessUsage.processorMicroseconds)
        }
    }

    var start: Start? { self.started.withLock { $0 } }

    /// Whether nothing more shall be done.
    var isOver: Bool { self.isEnded.load(ordering: .relaxed) }

    func finish() {
        self.isEnded.store(true, ordering: .relaxed)
        self.end.set(())
    }

    /// Waits until the run is over, or the task cancelled.
    func waitForEnd() async { _ = await self.end.wait() }
}
#endif
