/// How much may come in a time: so many a second, and so many at once (a token bucket).
///
/// What comes is never refused here; it is told how long to wait before taking more.
package struct RateLimit: Sendable {
    private let perSecond: Double
    private let burst: Double
    /// How much may come at once now; below zero, so much came too early.
    private var allowance: Double
    private var updated: Timestamp

    package init(perSecond: Int, burst: Int, now: Timestamp) {
        self.perSecond = Double(max(1, perSecond))
        self.burst = Double(max(1, burst))
        self.allowance = self.burst
        self.updated = now
    }

    /// Takes `amount`, and returns how long to take nothing more; zero if that is not necessary.
    package mutating func take(_ amount: Int, now: Timestamp) -> Duration {
        let passed =
            Double((now - self.updated).components.seconds) + Double((now - self.updated).components.attoseconds) / 1e18
        self.updated = max(now, self.updated)
        self.allowance = min(self.burst, self.allowance + max(0, passed) * self.perSecond) - Double(amount)
        guard self.allowance < 0 else { return .zero }
        return .nanoseconds(Int64(min(-self.allowance / self.perSecond, 3600) * 1e9))
    }
}
