import DequeModule

/// Spaces PUBLISH packets for a server that permits only a number of them in each second.
///
/// Lives as long as the session: the server counts across connections.
struct PublishPace {
    private static let window = Duration.seconds(1)

    private let maximum: Int
    /// When the last packets were sent, at most ``maximum`` of them.
    private var times: Deque<Timestamp> = []
    /// When the next packet may be sent; `nil` if none has had to wait.
    private var wait: Timestamp?
    /// Whether the owner has taken ``wait``, and has not called ``waitIsOver()`` yet.
    private var isTaken = false

    init(maximum: Int) { self.maximum = max(1, maximum) }

    /// Whether a packet may be sent; otherwise ``takeWait()`` says until when it must wait.
    mutating func maySend(at now: Timestamp) -> Bool {
        guard self.times.count == self.maximum, let oldest = self.times.first, now < oldest + Self.window else {
            return true
        }
        self.wait = oldest + Self.window
        return false
    }

    mutating func sent(at now: Timestamp) {
        if self.times.count == self.maximum { self.times.removeFirst() }
        self.times.append(now)
    }

    /// When to try again; `nil` if nothing waits, or if the owner knows already.
    mutating func takeWait() -> Timestamp? {
        guard !self.isTaken, let wait else { return nil }
        self.isTaken = true
        return wait
    }

    /// The owner tries again.
    mutating func waitIsOver() {
        self.wait = nil
        self.isTaken = false
    }
}
