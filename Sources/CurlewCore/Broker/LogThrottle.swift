/// Keeps lines of a log that peers can cause at will from filling it: so many at once, so many a second after that, and a count of the others.
package struct LogThrottle: Sendable {
    private var rate: RateLimit
    private var leftOut = 0

    package init(perSecond: Int = 10, burst: Int = 100, now: Timestamp) {
        self.rate = RateLimit(perSecond: perSecond, burst: burst, now: now)
    }

    /// Whether a line is to be written; if not, it counts as left out.
    package mutating func admits(now: Timestamp) -> Bool {
        if self.rate.takeIfAllowed(1, now: now) { return true }
        self.leftOut += 1
        return false
    }

    /// How many lines were left out since this was last asked.
    package mutating func takeLeftOut() -> Int { exchange(&self.leftOut, with: 0) }
}
