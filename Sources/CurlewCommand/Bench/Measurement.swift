#if Tools
    import Curlew
    import Histogram

    /// What one task of a benchmark has seen.
    struct Measurement: Sendable {
        /// In nanoseconds.
        private(set) var latencies = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
        /// How many messages were done.
        var count = 0
        var bytes = 0
        var lost = 0
        var reordered = 0
        /// When the last of it happened.
        var end: ContinuousClock.Instant?
        /// In bytes, of an idle client; only where it was measured.
        var memoryPerClient: Int?
        /// Why something was lost, the first time.
        private(set) var firstError: MQTTError?

        init() { self.latencies.autoResize = true }

        mutating func record(_ latency: Duration) {
            let (seconds, attoseconds) = latency.components
            self.record(nanoseconds: max(0, seconds * 1_000_000_000 + attoseconds / 1_000_000_000))
        }

        mutating func record(nanoseconds: Int64) { self.latencies.record(UInt64(max(0, nanoseconds))) }

        /// Something was not delivered. That the run was cut short is no loss.
        mutating func lose(_ error: MQTTError) {
            guard error.code != .cancelled else { return }
            self.lost += 1
            if self.firstError == nil { self.firstError = error }
        }

        mutating func add(_ other: Self) {
            self.latencies.add(other.latencies)
            self.count += other.count
            self.bytes += other.bytes
            self.lost += other.lost
            self.reordered += other.reordered
            if let end = other.end { self.end = max(self.end ?? end, end) }
            if self.firstError == nil { self.firstError = other.firstError }
        }
    }
#endif
