/// The life of a client's connection to the broker: how far the client has come, which deadline it has missed, and what
/// is left to do until the connection is forgotten.
///
/// Client and link end independently: what was written still leaves after the client has disconnected, and what the
/// client has sent is still processed after its link was lost.
///
/// Lives as long as the connection.
package struct ConnectionLife: Sendable {
    /// How far the client has come.
    package enum Phase: Equatable, Sendable {
        /// Only CONNECT may come.
        case opening
        /// CONNECT was received: the client is being authenticated or waits for its session, and nothing is read.
        case connecting
        /// The client is in an authentication of several steps, and only AUTH may come.
        case challenged
        /// The client is connected to its session.
        case connected
        /// Incoming packets are ignored.
        case closed
    }

    private enum Link: Sendable {
        case open
        /// Nothing more is written.
        case closing
        case closed
    }

    package private(set) var phase = Phase.opening
    private var link = Link.open
    /// Whether the client's messages may be held until their receivers keep up. A client that is gone, or about to be,
    /// cannot be slowed down.
    package private(set) var canHoldMessages = true
    /// Whether everything received is processed first, because the connection is about to end.
    private var isSettling = false
    /// Whether the rights of the client's session are being checked: until then, others find the session occupied by
    /// this connection.
    package private(set) var isRechecking = false
    /// Whether the connection was removed from all tables.
    package private(set) var isForgotten = false

    /// Whether the client is read.
    package var reading: ClientReading
    /// How long the rest of a packet has been awaited.
    package var partialPacket: PartialPacket

    private let opened: Timestamp
    private let connectTimeout: Duration
    /// One and a half times the client's keep alive; `nil` for none.
    private var longestSilence: Duration?

    /// - Parameters:
    ///   - connectTimeout: How long the client may take until it is connected.
    ///   - packetTimeout: How long a packet may take; see ``PartialPacket``.
    package init(connectTimeout: Duration, packetTimeout: Duration, now: Timestamp) {
        self.opened = now
        self.connectTimeout = connectTimeout
        self.reading = ClientReading(now: now)
        self.partialPacket = PartialPacket(patience: packetTimeout)
    }

    // MARK: Connecting

    /// CONNECT was received.
    package mutating func receivedConnect() { if self.phase == .opening { self.phase = .connecting } }

    /// What follows from a step of an authentication.
    package enum Challenged: Equatable, Sendable {
        /// The client is read again, for its answer.
        case read
        /// A connected client authenticates again: everything else goes on.
        case none
    }

    /// The authenticator sent a challenge.
    package mutating func challenged() -> Challenged {
        guard self.phase == .connecting else { return .none }
        self.phase = .challenged
        return .read
    }

    /// What follows from AUTH.
    package enum Answered: Equatable, Sendable {
        /// Nothing more is read until the authenticator has decided.
        case pause
        /// A connected client authenticates again: everything else goes on.
        case none
    }

    /// The client has answered the authenticator.
    package mutating func answered() -> Answered {
        guard self.phase == .challenged else { return .none }
        self.phase = .connecting
        return .pause
    }

    /// The rights of the session begin to be checked.
    package mutating func recheckBegan() { self.isRechecking = true }

    /// What follows from the check.
    package enum Rechecked: Equatable, Sendable {
        /// The client is accepted, if it still has the right to be.
        case start
        /// The session is given back: its client has gone.
        case giveBack
    }

    /// The rights of the session are checked.
    package mutating func rechecked() -> Rechecked {
        self.isRechecking = false
        return self.phase == .connecting && self.link != .closed ? .start : .giveBack
    }

    /// The client is connected to its session.
    ///
    /// - Parameter keepAlive: In seconds; 0 for none.
    package mutating func started(keepAlive: UInt16, now: Timestamp) {
        self.phase = .connected
        // [MQTT-3.1.2-24]
        self.longestSilence = keepAlive == 0 ? nil : .milliseconds(Int64(keepAlive) * 1500)
        self.reading.silenceBegins(now: now)
    }

    // MARK: Deadlines

    /// A deadline that has passed.
    package enum TimeOut: Equatable, Sendable {
        /// The client was not connected in time.
        case connect
        /// Nothing was received for one and a half times the keep alive.
        case keepAlive
        /// A packet was not complete in time.
        case packet
    }

    /// The deadline that has passed, if any.
    ///
    /// - Parameter answersWaitForStore: Whether answers that cannot leave wait for the store, and not for the client.
    package func timeOut(answersWaitForStore: Bool, now: Timestamp) -> TimeOut? {
        guard self.link != .closed else { return nil }
        if self.reading.isOverdue(self.partialPacket, now: now) { return .packet }
        switch self.phase {
        case .opening, .connecting, .challenged: return now - self.opened > self.connectTimeout ? .connect : nil
        case .connected:
            guard let longestSilence,
                self.reading.isSilent(for: longestSilence, answersWaitForStore: answersWaitForStore, now: now)
            else { return nil }
            return .keepAlive
        case .closed: return nil
        }
    }

    // MARK: The end

    /// The connection is about to end: everything received is processed first, even for slow receivers.
    package mutating func settle() {
        self.isSettling = true
        self.canHoldMessages = false
    }

    /// What follows once everything received is processed.
    package enum Processed: Equatable, Sendable {
        /// The connection continues as before.
        case goOn
        /// The connection is settled: nothing of the client waits any more.
        case settled
    }

    /// Everything received is processed.
    package mutating func processed() -> Processed {
        self.canHoldMessages = self.link != .closed
        return exchange(&self.isSettling, with: false) ? .settled : .goOn
    }

    /// What follows from the end of the client.
    package enum Closed: Equatable, Sendable {
        /// It gives its session back, if it has one.
        case leave
        /// It has ended before.
        case again
    }

    /// The client has disconnected, is disconnected, or is refused.
    package mutating func closed() -> Closed {
        guard self.phase != .closed else { return .again }
        self.phase = .closed
        return .leave
    }

    /// Whether something may be written.
    package var canWrite: Bool { self.link == .open }

    /// Whether the link is closed, so that the connection ends once nothing is left to do.
    package var isLinkClosed: Bool { self.link == .closed }

    /// The last bytes are written: the link closes.
    package mutating func linkCloses() { if self.link == .open { self.link = .closing } }

    /// What follows from the end of the link.
    package enum LinkClosed: Equatable, Sendable {
        /// The connection ends.
        case end
        /// What was received is processed first, in a turn of its own.
        case processFirst
        /// What was received is about to be processed, and the connection ends after that.
        case wait
    }

    /// The link is closed.
    ///
    /// - Parameter hasMuchToDo: Whether packets wait to be processed, or a will is to be published.
    package mutating func linkClosed(hasMuchToDo: Bool) -> LinkClosed {
        self.link = .closed
        self.canHoldMessages = false
        if self.reading.pauses.contains(.turn) { return .wait }
        return self.phase == .connected && hasMuchToDo ? .processFirst : .end
    }

    /// What follows when a connection is to be forgotten.
    package enum Ended: Equatable, Sendable {
        /// It is forgotten.
        case forget
        /// Nothing: the rights of its session are still being checked, or it was forgotten before.
        case none
    }

    /// The link is closed, and everything received is processed.
    package mutating func ended() -> Ended {
        guard !self.isRechecking, !self.isForgotten else { return .none }
        self.isForgotten = true
        return .forget
    }
}
