#if Tools
import Histogram
import Synchronization

/// The latencies recorded by all tasks of a run. They share one histogram, because each takes 256 KiB.
final class Latencies: Sendable {
    /// One hour, in nanoseconds. Longer latencies count as one hour.
    private static let longest: UInt64 = 3_600_000_000_000

    /// Guards the counts. The histogram has its final size from the beginning: growing takes longer than what it
    /// measures.
    private let histogram = Mutex(
        Histogram<UInt64>(highestTrackableValue: Latencies.longest, numberOfSignificantValueDigits: .three))

    func record(_ latency: Duration) {
        let (seconds, attoseconds) = latency.components
        self.record(nanoseconds: seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    /// Records a latency. A negative one, caused by clocks that differ, counts as zero.
    func record(nanoseconds: Int64) {
        let value = min(Self.longest, UInt64(max(0, nanoseconds)))
        self.histogram.withLock { _ = $0.record(value) }
    }

    /// The latency at a percentile, in microseconds; `nil` if none was recorded.
    func microseconds(atPercentile percent: Double) -> Double? {
        self.histogram.withLock { $0.totalCount == 0 ? nil : Double($0.valueAtPercentile(percent)) / 1000 }
    }

    /// The longest latency, in microseconds; `nil` if none was recorded.
    var maximum: Double? { self.histogram.withLock { $0.totalCount == 0 ? nil : Double($0.max) / 1000 } }
}
#endif
