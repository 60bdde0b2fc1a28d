import CurlewCore

/// Pauses accepting when there are no file descriptors or no memory for another connection.
///
/// An episode begins with the first failure and ends when accepting has worked for a while. A log thus has one line for
/// each episode, even if single connections succeed in between.
struct AcceptPause {
    enum Failed: Equatable {
        /// The first failure of an episode: pause for this time.
        case begins(rest: Duration)
        /// Another failure of the same episode: pause for this time.
        case goesOn(rest: Duration)
    }

    enum Accepted: Equatable {
        case normal
        /// The episode has ended.
        case recovered
    }

    /// Short, because a file descriptor that becomes free is soon used, and a failed attempt costs almost nothing.
    private static let rest = Duration.milliseconds(100)
    /// How long accepting must work until the episode ends.
    private static let recovery = Duration.seconds(10)

    /// The time of the last failure; `nil` outside an episode.
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
