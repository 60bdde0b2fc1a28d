/// A limit on the amount per second, with a burst (a token bucket).
///
/// Nothing is refused here; the caller is told how long to wait before it accepts more.
package struct RateLimit: Sendable {
    private let perSecond: Double
    private let burst: Double
    /// The amount available now. Below zero, that much was taken early.
    private var allowance: Double
    private var updated: Timestamp

    package init(perSecond: Int, burst: Int, now: Timestamp) {
        self.perSecond = Double(max(1, perSecond))
        self.burst = Double(max(1, burst))
        self.allowance = self.burst
        self.updated = now
    }

    /// Takes `amount`, and returns how long to accept nothing more; zero if there is no need to wait.
    package mutating func take(_ amount: Int, now: Timestamp) -> Duration {
        self.refill(now: now)
        self.allowance -= Double(amount)
        guard self.allowance < 0 else { return .zero }
        return .nanoseconds(Int64(min(-self.allowance / self.perSecond, 3600) * 1e9))
    }

    /// Takes `amount` if it is available now, and nothing otherwise. Returns whether it was taken.
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
