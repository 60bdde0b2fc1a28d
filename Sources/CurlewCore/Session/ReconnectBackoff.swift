/// The parameters of reconnecting.
package struct ReconnectSettings: Hashable, Sendable {
    /// The longest delay after the first round of failures; each further round doubles it. Default: 1 s.
    package var baseDelay: Duration = .seconds(1)
    /// The longest delay after any number of rounds. Default: 120 s.
    package var maximumDelay: Duration = .seconds(120)
    /// The shortest delay. Default: 250 ms.
    package var minimumDelay: Duration = .milliseconds(250)
    /// The random part of the delay: 1 from the minimum on, 0 none. Default: 1.
    package var jitter = 1.0
    /// A connection that lasts this long is stable: the delays start from the beginning. Default: 30 s.
    package var stableAfter: Duration = .seconds(30)
    /// The maximum number of consecutive attempts to reconnect that fail, or whose connection is not stable. Default:
    /// `nil`, no limit.
    package var maximumAttempts: Int?
    /// Whether to keep trying when a server that has accepted the client refuses its credentials. Default: `true`.
    package var retriesRefusedCredentials = true
    /// The maximum number of consecutive redirections without a delay or a stable connection in between. Default: 4.
    package var maximumRedirections = 4

    package init() {}
}

/// The delay before the next attempt: a random part of a bound that doubles (“full jitter”), so that a thousand clients
/// that lost the same server do not return at the same time.
package struct ReconnectBackoff: Sendable {
    private let settings: ReconnectSettings
    /// The number of delays since the last stable connection.
    private var delays = 0

    package init(settings: ReconnectSettings) { self.settings = settings }

    /// The next delay, distributed evenly between the minimum and base × 2ⁿ or the maximum; with less jitter, in the
    /// upper part of that range.
    ///
    /// - Parameter random: Any number, all equally likely.
    package mutating func next(random: UInt64) -> Duration {
        let floor = Self.nanoseconds(self.settings.minimumDelay)
        let cap = Self.nanoseconds(self.settings.maximumDelay)
        // The bound saturates: 63 doublings exceed every possible maximum.
        let (base, doublings) = (Self.nanoseconds(self.settings.baseDelay), min(self.delays, 62))
        let bound = max(floor, base > cap >> doublings ? cap : min(cap, base << doublings))
        self.delays += self.delays < .max ? 1 : 0
        // Below 1, in steps of a millionth: a jitter of 1 must use the exact range.
        let share = self.settings.jitter >= 1 ? 1_000_000 : Int64(max(0, self.settings.jitter) * 1_000_000)
        let range = share == 1_000_000 ? bound - floor : (bound - floor) / 1_000_000 * share
        let (part, _) = UInt64(range + 1).multipliedFullWidth(by: random)
        return .nanoseconds(bound - range + Int64(part))
    }

    package mutating func reset() { self.delays = 0 }

    /// At most half of the maximum, so that sums do not overflow.
    private static func nanoseconds(_ duration: Duration) -> Int64 {
        min(max(0, Timestamp(elapsed: duration).nanoseconds), .max / 2)
    }
}
