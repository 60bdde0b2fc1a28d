#if Tools
import Curlew

/// The measurement of one task of a benchmark.
struct Measurement: Sendable {
    /// The number of messages that were sent, received or answered.
    var count = 0
    var bytes = 0
    var lost = 0
    var reordered = 0
    /// The number of expected messages that did not arrive.
    var missing = 0
    /// The number of messages that this client's queue has dropped.
    var dropped = 0
    /// When the last message was counted.
    var end: ContinuousClock.Instant?
    /// The memory of an idle client in bytes, if it was measured.
    var memoryPerClient: Int?
    /// Why the first message was lost.
    private(set) var firstError: MQTTError?

    /// Counts a lost message. One that was cancelled does not count.
    mutating func lose(_ error: MQTTError) {
        guard error.code != .cancelled else { return }
        self.lost += 1
        if self.firstError == nil { self.firstError = error }
    }

    mutating func add(_ other: Self) {
        self.count += other.count
        self.bytes += other.bytes
        self.lost += other.lost
        self.reordered += other.reordered
        self.missing += other.missing
        self.dropped += other.dropped
        if let end = other.end { self.end = max(self.end ?? end, end) }
        if self.firstError == nil { self.firstError = other.firstError }
    }
}
#endif
