import CurlewCore

/// The counters of a client's past work.
struct ClientTally {
    var statistics = MQTTClientStatistics()
    /// The number of published messages that were reported to the metrics.
    private var reportedPublishes = 0
    /// The publish whose acknowledgement is being timed.
    private var sample: (request: RequestID, since: Timestamp)?

    /// Returns the number of messages published since the last call.
    mutating func takePublishes() -> Int {
        let count = self.statistics.messagesPublished - self.reportedPublishes
        self.reportedPublishes = self.statistics.messagesPublished
        return count
    }

    /// Starts to time a publish, unless another one is being timed.
    mutating func timeLatency(of request: RequestID, since now: Timestamp) {
        // A sample never ends if its acknowledgement arrived before this call, so replace it after a minute.
        if let sample, now - sample.since < .seconds(60) { return }
        self.sample = (request, now)
    }

    /// A request has completed.
    ///
    /// - Parameter now: When the acknowledgement arrived; `nil` if the request completed without one.
    mutating func completed(_ request: RequestID, at now: Timestamp?) {
        guard let sample, sample.request == request else { return }
        self.sample = nil
        guard let now else { return }
        let latency = now - sample.since
        let average = self.statistics.acknowledgementLatency
        self.statistics.acknowledgementLatency = average.map { ($0 * 7 + latency) / 8 } ?? latency
    }
}
