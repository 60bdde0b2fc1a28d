#if Tools
import Curlew

/// What one task of a benchmark has seen.
struct Measurement: Sendable {
    /// How many messages were done.
    var count = 0
    var bytes = 0
    var lost = 0
    var reordered = 0
    /// How many of those that were to come had not come when none came any more.
    var missing = 0
    /// How many this client's own queue has dropped.
    var dropped = 0
    /// When the last of it happened.
    var end: ContinuousClock.Instant?
    /// In bytes, of an idle client; only where it was measured.
    var memoryPerClient: Int?
    /// Why something was lost, the first time.
    private(set) var firstError: MQTTError?

    /// Something was not delivered. That the run was cut short is no loss.
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
