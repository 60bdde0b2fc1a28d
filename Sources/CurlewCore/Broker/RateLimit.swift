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
        self.refill(now: now)
        self.allowance -= Double(amount)
        guard self.allowance < 0 else { return .zero }
        return .nanoseconds(Int64(min(-self.allowance / self.perSecond, 3600) * 1e9))
    }

    /// Takes `amount` if so much may come now, and nothing otherwise. Returns whether it did.
    package mutating func takeIfAllowed(_ amount: Int, now: Timestamp) -> Bool {
        self.refill(now: now)
        guard self.allowance >= Double(amount) else { return false }
        self.allowance -= Double(amount)
        return true
    }

    private mutating func refill(now: Timestamp) {
        let passed = (now - self.updated).components
        self.updated = max(now, self.updated)
        let seconds = max(0, Double(passed.seconds) + Double(passed.attoseconds) / 1e18)
        self.allowance = min(self.burst, self.allowance + seconds * self.perSecond)
    }
}
