/// Why and until when a publisher's messages are held: for the clients whose queues fill faster than they acknowledge,
/// and for a bounded time in total, however many clients there are (see ``Backpressure``).
///
/// Lives as long as the connection.
package struct PublishHold<Holder: Hashable & Sendable>: Sendable {
    /// The clients whose queues have to drain first.
    private var holders: Set<Holder> = []
    /// When the publisher continues in any case; `nil` while it is not held.
    package private(set) var deadline: Timestamp?

    package init() {}

    /// Whether the publisher's messages are held.
    package var isActive: Bool { self.deadline != nil }

    /// What ``held(by:until:longest:now:)`` requires.
    package enum Held: Equatable, Sendable {
        /// The publisher is held already, and no longer than before.
        case again
        /// Call ``timeIsUp(now:)`` at that time, and read no message until then or until ``released(by:)`` returns
        /// `true`.
        case began(until: Timestamp)
    }

    /// A message of the publisher waits in these clients' queues.
    ///
    /// - Parameters:
    ///   - until: When holding for any of them is no longer worthwhile.
    ///   - longest: The maximum time for which the publisher is held.
    package mutating func held(
        by holders: some Sequence<Holder>, until: Timestamp, longest: Duration, now: Timestamp
    ) -> Held {
        self.holders.formUnion(holders)
        guard self.deadline == nil else { return .again }
        let deadline = min(until, now + longest)
        self.deadline = deadline
        return .began(until: deadline)
    }

    /// One of the clients has drained its queue, or is gone.
    ///
    /// - Returns: Whether the publisher continues now.
    package mutating func released(by holder: Holder) -> Bool {
        guard self.holders.remove(holder) != nil, self.holders.isEmpty else { return false }
        self.deadline = nil
        return true
    }

    /// A requested time has come.
    ///
    /// - Returns: Whether the publisher continues now; otherwise it is not held, or not for that time.
    package mutating func timeIsUp(now: Timestamp) -> Bool {
        guard let deadline, deadline <= now else { return false }
        self.end()
        return true
    }

    /// The publisher continues, regardless of the clients that it was held for.
    package mutating func end() {
        self.holders.removeAll()
        self.deadline = nil
    }
}
