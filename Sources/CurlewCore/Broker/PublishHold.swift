/// Why and until when a publisher's messages wait: for the clients whose queues fill faster than they acknowledge, and for a bounded time in all,
/// however many clients there are (see ``Backpressure``).
///
/// As long as the connection.
package struct PublishHold<Holder: Hashable & Sendable>: Sendable {
    /// Those whose queues have to drain first.
    private var holders: Set<Holder> = []
    /// When the publisher goes on in any case; `nil` while it does not wait.
    package private(set) var deadline: Timestamp?

    package init() {}

    /// Whether the publisher's messages wait.
    package var isActive: Bool { self.deadline != nil }

    /// What ``held(by:until:longest:now:)`` asks for.
    package enum Held: Equatable, Sendable {
        /// The publisher waits already, and no longer than it did.
        case again
        /// Call ``timeIsUp(now:)`` at that time, and take no message until then or until ``released(by:)`` says so.
        case began(until: Timestamp)
    }

    /// A message of the publisher waits in the queues of these.
    ///
    /// - Parameters:
    ///   - until: When none of them is worth waiting for any more.
    ///   - longest: How long the publisher waits at the most.
    package mutating func held(
        by holders: some Sequence<Holder>, until: Timestamp, longest: Duration, now: Timestamp
    ) -> Held {
        self.holders.formUnion(holders)
        guard self.deadline == nil else { return .again }
        let deadline = min(until, now + longest)
        self.deadline = deadline
        return .began(until: deadline)
    }

    /// One of them has drained its queue, or is gone.
    ///
    /// - Returns: Whether the publisher goes on now.
    package mutating func released(by holder: Holder) -> Bool {
        guard self.holders.remove(holder) != nil, self.holders.isEmpty else { return false }
        self.deadline = nil
        return true
    }

    /// A time that was asked for has come.
    ///
    /// - Returns: Whether the publisher goes on now; otherwise it does not wait, or not for that time.
    package mutating func timeIsUp(now: Timestamp) -> Bool {
        guard let deadline, deadline <= now else { return false }
        self.end()
        return true
    }

    /// The publisher goes on, whoever it waits for.
    package mutating func end() {
        self.holders.removeAll()
        self.deadline = nil
    }
}
