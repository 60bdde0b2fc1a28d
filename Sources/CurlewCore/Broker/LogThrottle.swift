/// Prevents log lines that peers can cause at will from filling the log: allows a burst and a number per second, and
/// counts the lines that it suppresses.
package struct LogThrottle: Sendable {
    private var rate: RateLimit
    private var leftOut = 0

    package init(perSecond: Int = 10, burst: Int = 100, now: Timestamp) {
        self.rate = RateLimit(perSecond: perSecond, burst: burst, now: now)
    }

    /// Whether to write a line; otherwise it counts as suppressed.
    package mutating func admits(now: Timestamp) -> Bool {
        if self.rate.takeIfAllowed(1, now: now) { return true }
        self.leftOut += 1
        return false
    }

    /// The number of suppressed lines since the last call.
    package mutating func takeLeftOut() -> Int { exchange(&self.leftOut, with: 0) }
}
