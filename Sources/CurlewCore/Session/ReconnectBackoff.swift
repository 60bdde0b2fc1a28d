/// The numbers of reconnection.
package struct ReconnectSettings: Hashable, Sendable {
    /// The greatest delay after the first round of failures; each further round doubles it. Default: 1 s.
    package var baseDelay: Duration = .seconds(1)
    /// Where the doubling ends. Default: 120 s.
    package var maximumDelay: Duration = .seconds(120)
    /// No delay is shorter. Default: 250 ms.
    package var minimumDelay: Duration = .milliseconds(250)
    /// Which part of the delay is random: 1 from the minimum on, 0 none. Default: 1.
    package var jitter = 1.0
    /// A connection that lasted so long was good: the next delay is a first one. Default: 30 s.
    package var stableAfter: Duration = .seconds(30)
    /// How many tries in a row to connect again may fail, or end before they were stable. Default: `nil`, no limit.
    package var maximumTries: Int?
    /// Whether to go on where a server that has accepted the client refuses its credentials. Default: `true`.
    package var retriesRefusedCredentials = true
    /// How many redirections are followed in a row, without a delay or a stable connection in between. Default: 4.
    package var maximumRedirections = 4

    package init() {}
}

/// How long to wait before the next try: a random part of a bound that doubles (“full jitter”), so that a thousand
/// clients that lost the same server do not come back at the same time.
package struct ReconnectBackoff: Sendable {
    private let settings: ReconnectSettings
    /// How many delays since the last stable connection.
    private var delays = 0

    package init(settings: ReconnectSettings) { self.settings = settings }

    /// The next delay lies evenly between the minimum and base × 2ⁿ or the maximum; with less jitter, in the upper part of that.
    ///
    /// - Parameter random: any number, all equally likely.
    package mutating func next(random: UInt64) -> Duration {
        let floor = Self.nanoseconds(self.settings.minimumDelay)
        let cap = Self.nanoseconds(self.settings.maximumDelay)
        // The bound saturates: 63 doublings pass every cap that fits.
        let (base, doublings) = (Self.nanoseconds(self.settings.baseDelay), min(self.delays, 62))
        let bound = max(floor, base > cap >> doublings ? cap : min(cap, base << doublings))
        self.delays += self.delays < .max ? 1 : 0
        // Below 1, in steps of a millionth: the whole range must come out exactly.
        let share = self.settings.jitter >= 1 ? 1_000_000 : Int64(max(0, self.settings.jitter) * 1_000_000)
        let range = share == 1_000_000 ? bound - floor : (bound - floor) / 1_000_000 * share
        let (part, _) = UInt64(range + 1).multipliedFullWidth(by: random)
        return .nanoseconds(bound - range + Int64(part))
    }

    package mutating func reset() { self.delays = 0 }

    /// Below half of what fits, so that sums do.
    private static func nanoseconds(_ duration: Duration) -> Int64 {
        min(max(0, Timestamp(elapsed: duration).nanoseconds), .max / 2)
    }
}
