/// A point in time, in nanoseconds since a start that the caller chose.
///
/// Time is always an argument; nothing in this module reads a clock.
package struct Timestamp: Hashable, Comparable, Sendable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The point `elapsed` after the start. Times beyond the 292 years that fit become the last one that fits.
    package init(elapsed: Duration) { self.nanoseconds = Self.nanoseconds(of: elapsed) }

    package static let start = Self(nanoseconds: 0)

    package static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    package static func + (time: Self, duration: Duration) -> Self {
        let (sum, overflow) = time.nanoseconds.addingReportingOverflow(Self.nanoseconds(of: duration))
        guard overflow else { return Self(nanoseconds: sum) }
        return Self(nanoseconds: duration < .zero ? .min : .max)
    }

    package static func - (end: Self, begin: Self) -> Duration {
        let (difference, overflow) = end.nanoseconds.subtractingReportingOverflow(begin.nanoseconds)
        return .nanoseconds(overflow ? (end < begin ? .min : .max) : difference)
    }

    private static func nanoseconds(of duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carried) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? (seconds < 0 ? .min : .max) : sum
    }
}
