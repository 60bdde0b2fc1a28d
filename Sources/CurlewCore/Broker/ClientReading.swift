/// Whether a client is read, and since when it has been silent.
///
/// Lives as long as the connection.
package struct ClientReading: Sendable {
    /// Why nothing is read from a client. Several reasons may hold at once; reading resumes when none is left.
    package struct Pauses: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The client is being authenticated, or waits for its session.
        package static let connecting = Self(rawValue: 1 << 0)
        /// The client has sent more than its rate limits allow.
        package static let rate = Self(rawValue: 1 << 1)
        /// The store is behind.
        package static let store = Self(rawValue: 1 << 2)
        /// Answers cannot leave.
        package static let answers = Self(rawValue: 1 << 3)
        /// What was read is not processed yet: other connections have their turn first.
        package static let turn = Self(rawValue: 1 << 4)
        /// The client has published as much as may wait for its receivers.
        package static let receivers = Self(rawValue: 1 << 5)
    }

    /// What to do with the link.
    package enum Change: Equatable, Sendable {
        case none
        /// Turn reading off.
        case stop
        /// Turn reading on.
        case start
    }

    /// Why nothing is read; empty if the client is read.
    package private(set) var pauses: Pauses = []
    /// When the client was last read, or its silence last began for another reason.
    package private(set) var lastRead: Timestamp
    /// Until when the broker itself did not read the client. What the client sent meanwhile was not seen, so this was
    /// no silence.
    private var restedUntil: Timestamp

    package init(now: Timestamp) {
        self.lastRead = now
        self.restedUntil = now
    }

    /// Bytes of the client have come.
    package mutating func received(now: Timestamp) { self.lastRead = now }

    /// Something else than bytes shows that the client is not silent: it has been let in, or its messages no longer
    /// wait.
    package mutating func silenceBegins(now: Timestamp) { self.lastRead = max(self.lastRead, now) }

    /// There is a reason not to read.
    package mutating func pause(for reason: Pauses) -> Change {
        defer { self.pauses.formUnion(reason) }
        return self.pauses.isEmpty ? .stop : .none
    }

    /// A reason not to read is gone.
    package mutating func resume(after reason: Pauses, now: Timestamp) -> Change {
        guard self.pauses.contains(reason) else { return .none }
        self.pauses.subtract(reason)
        // A wait for the client's turn is short, and one for its session precedes its keep alive.
        if reason != .turn, reason != .connecting { self.restedUntil = max(self.restedUntil, now) }
        return self.pauses.isEmpty ? .start : .none
    }

    /// The client has sent more than its rate limits allow, and is not read for so long.
    ///
    /// - Returns: Whether this begins a pause: then pause for ``Pauses/rate``, and call ``rateRest(now:)`` after the
    ///   duration.
    package mutating func exceededRate(for duration: Duration) -> Bool {
        self.restedUntil = max(self.restedUntil, self.lastRead + duration)
        return !self.pauses.contains(.rate)
    }

    /// How long the pause for the rate limits still lasts; `nil` if it is over.
    package func rateRest(now: Timestamp) -> Duration? {
        let left = self.restedUntil - now
        return left > .zero ? left : nil
    }

    /// Whether the client has been silent for longer than that.
    ///
    /// - Parameter answersWaitForStore: Whether answers that cannot leave wait for the store, and not for the client.
    package func isSilent(for duration: Duration, answersWaitForStore: Bool, now: Timestamp) -> Bool {
        guard self.pauses.isDisjoint(with: [.store, .receivers]),
            !self.pauses.contains(.answers) || !answersWaitForStore
        else { return false }
        return now - max(self.lastRead, self.restedUntil) > duration
    }

    /// Whether the rest of a packet is overdue. While the client is not read, it cannot be.
    func isOverdue(_ packet: PartialPacket, now: Timestamp) -> Bool {
        self.pauses.isEmpty && packet.isOverdue(now: now, rested: self.restedUntil)
    }
}
