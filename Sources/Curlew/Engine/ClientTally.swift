import CurlewCore

/// What a client has done so far, in numbers.
struct ClientTally {
    var statistics = MQTTStatistics()
    /// How many published messages the metrics know of.
    private var reportedPublishes = 0
    /// One publish that is timed until its acknowledgement.
    private var sample: (request: RequestID, since: Timestamp)?

    /// How many messages were published since this was asked before.
    mutating func takePublishes() -> Int {
        let count = self.statistics.published - self.reportedPublishes
        self.reportedPublishes = self.statistics.published
        return count
    }

    /// Times that publish, unless another is being timed.
    mutating func timeLatency(of request: RequestID, since now: Timestamp) {
        // An acknowledgement that was faster than this call leaves a sample that never ends.
        if let sample, now - sample.since < .seconds(60) { return }
        self.sample = (request, now)
    }

    /// A request is completed.
    ///
    /// - Parameter now: When its acknowledgement came; `nil` if none has come.
    mutating func completed(_ request: RequestID, at now: Timestamp?) {
        guard let sample, sample.request == request else { return }
        self.sample = nil
        guard let now else { return }
        let latency = now - sample.since
        let average = self.statistics.acknowledgementLatency
        self.statistics.acknowledgementLatency = average.map { ($0 * 7 + latency) / 8 } ?? latency
    }
}
