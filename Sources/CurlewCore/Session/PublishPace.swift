import DequeModule

/// Limits PUBLISH packets for a server that permits only a number of them in each second.
///
/// Counts them when they are encoded; a buffer that the network holds up may leave faster.
///
/// Lives as long as the session: the server counts across connections.
struct PublishPace {
    private static let window = Duration.seconds(1)

    private let maximum: Int
    /// When packets were sent within the last second, at most ``maximum`` of them.
    private var times: Deque<Timestamp> = []
    /// When the next packet may be sent; `nil` if none has had to wait.
    private var wait: Timestamp?
    /// The deadline that the owner has taken and that is not over yet.
    private var taken: Timestamp?

    init(maximum: Int) { self.maximum = max(1, maximum) }

    /// Whether a packet may be sent now.
    enum Permission: Equatable {
        case send
        /// Not before ``PublishPace/takeWait()``.
        case wait
    }

    /// A packet is ready to be sent.
    mutating func ready(at now: Timestamp) -> Permission {
        guard self.times.count >= self.maximum, let oldest = self.times.first, now < oldest + Self.window else {
            return .send
        }
        self.wait = oldest + Self.window
        return .wait
    }

    mutating func sent(at now: Timestamp) {
        while let oldest = self.times.first, self.times.count >= self.maximum || oldest + Self.window <= now {
            self.times.removeFirst()
        }
        self.times.append(now)
    }

    /// When to try again; `nil` if nothing waits, or if the owner knows already.
    mutating func takeWait() -> Timestamp? {
        guard self.taken == nil, let wait else { return nil }
        self.taken = wait
        return wait
    }

    /// What a deadline of the owner means.
    enum AtDeadline: Equatable {
        /// Packets may be sent.
        case send
        /// It is one from before a reconnection: another one follows.
        case none
    }

    /// The owner's deadline has come.
    mutating func deadlineReached(_ deadline: Timestamp) -> AtDeadline {
        guard self.taken == deadline else { return .none }
        self.wait = nil
        self.taken = nil
        return .send
    }

    /// The client has reconnected: the owner may have forgotten its deadline.
    mutating func connected() {
        self.wait = nil
        self.taken = nil
    }
}
