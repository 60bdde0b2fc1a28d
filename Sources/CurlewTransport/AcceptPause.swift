import CurlewCore

/// When a listener rests from accepting because no descriptors or no memory are left for another connection.
///
/// An episode begins with the first failure and ends when accepting has worked for a while: a log has one line for each, however often a
/// single connection is accepted and the next one fails.
struct AcceptPause {
    enum Failed: Equatable {
        /// The first failure of an episode: rest for that time.
        case begins(rest: Duration)
        /// Another failure of the same episode: rest for that time.
        case goesOn(rest: Duration)
    }

    enum Accepted: Equatable {
        case normal
        /// The episode is over.
        case recovered
    }

    /// A descriptor that becomes free is used soon, and trying costs nothing that could be noticed.
    private static let rest = Duration.milliseconds(100)
    /// How long accepting must work for the episode to be over.
    private static let recovery = Duration.seconds(10)

    /// When accepting failed last, during an episode.
    private var lastFailure: Timestamp?

    mutating func failed(now: Timestamp) -> Failed {
        defer { self.lastFailure = now }
        return self.lastFailure == nil ? .begins(rest: Self.rest) : .goesOn(rest: Self.rest)
    }

    mutating func accepted(now: Timestamp) -> Accepted {
        guard let lastFailure, now - lastFailure >= Self.recovery else { return .normal }
        self.lastFailure = nil
        return .recovered
    }
}
