#if Tools
import Histogram
import Synchronization

/// The latencies of a run, from all its tasks: one histogram, since each takes a quarter of a mebibyte.
final class Latencies: Sendable {
    /// An hour, in nanoseconds: what takes longer counts as that.
    private static let longest: UInt64 = 3_600_000_000_000

    /// Guards the counts. They have their size from the beginning: to grow them takes longer than what they are to measure.
    private let histogram = Mutex(
        Histogram<UInt64>(highestTrackableValue: Latencies.longest, numberOfSignificantValueDigits: .three))

    func record(_ latency: Duration) {
        let (seconds, attoseconds) = latency.components
        self.record(nanoseconds: seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    /// Less than none, which clocks that differ bring about, counts as none.
    func record(nanoseconds: Int64) {
        let value = min(Self.longest, UInt64(max(0, nanoseconds)))
        self.histogram.withLock { _ = $0.record(value) }
    }

    /// The value in microseconds below which so many percent are; `nil` if there is none.
    func microseconds(atPercentile percent: Double) -> Double? {
        self.histogram.withLock { $0.totalCount == 0 ? nil : Double($0.valueAtPercentile(percent)) / 1000 }
    }

    /// The longest, in microseconds; `nil` if there is none.
    var maximum: Double? { self.histogram.withLock { $0.totalCount == 0 ? nil : Double($0.max) / 1000 } }
}
#endif
