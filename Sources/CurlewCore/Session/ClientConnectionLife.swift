/// The life of a client's connection to a server, from CONNECT to its end: the phase, keep alive, and why nothing is
/// read.
///
/// Lives as long as the connection.
package struct ClientConnectionLife: Sendable {
    /// How far the connection has come.
    package enum Phase: Equatable, Sendable {
        /// CONNECT was sent; CONNACK was not received yet.
        case handshake
        /// The server has accepted the client.
        case connected
        /// Incoming packets are ignored, and nothing is written.
        case closing
        /// The link is closed.
        case closed
    }

    /// Why nothing is read for a while.
    package struct Pauses: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The server does not read its answers as fast as it causes them.
        package static let answers = Self(rawValue: 1)
        /// A consumer of messages cannot keep up.
        package static let consumer = Self(rawValue: 2)
    }

    package private(set) var phase = Phase.handshake
    private var keepAlive: KeepAlive
    private var pauses: Pauses = []
    /// How many bytes were handed to the link.
    private var written = 0
    /// Set while a PINGREQ waits behind other bytes: how many bytes the link must send until it has left, and how many
    /// it had sent at the last check.
    private var waitingPing: (position: Int, sent: Int)?

    /// The size of PINGREQ (MQTT 5.0 section 3.12).
    private static let pingSize = 2

    /// - Parameter keepAlive: Begins when CONNECT is sent.
    package init(keepAlive: KeepAlive) { self.keepAlive = keepAlive }

    /// Whether packets are still processed and written.
    package var isOpen: Bool { self.phase == .handshake || self.phase == .connected }

    // MARK: Connecting

    /// The server has accepted the client.
    ///
    /// - Parameter serverKeepAlive: The Server Keep Alive of CONNACK, in seconds.
    package mutating func accepted(serverKeepAlive: UInt16?) {
        guard self.phase == .handshake else { return }
        self.phase = .connected
        if let serverKeepAlive { self.keepAlive.serverKeepAlive(serverKeepAlive) }
    }

    // MARK: Reading and writing

    /// Bytes were read.
    package mutating func received(at now: Timestamp) { self.keepAlive.received(at: now) }

    /// Bytes were handed to the link.
    package mutating func sent(_ byteCount: Int, at now: Timestamp) {
        self.written += byteCount
        self.keepAlive.sent(at: now)
    }

    /// What follows from a reason not to read.
    package enum Paused: Equatable, Sendable {
        /// The link is not read any more.
        case stopReading
        /// It was not read before.
        case none
    }

    /// There is a reason not to read.
    package mutating func pause(_ reason: Pauses) -> Paused {
        defer { self.pauses.insert(reason) }
        return self.pauses.isEmpty ? .stopReading : .none
    }

    /// What follows when a reason not to read is gone.
    package enum Resumed: Equatable, Sendable {
        /// The link is read again.
        case startReading
        /// It is read already, or there is another reason not to.
        case none
    }

    /// A reason not to read is gone.
    package mutating func resume(_ reason: Pauses) -> Resumed {
        self.pauses.remove(reason) != nil && self.pauses.isEmpty ? .startReading : .none
    }

    // MARK: Keep alive

    /// When to call ``deadlineReached(unsent:at:)``; `nil` if keep alive is disabled or the connection has ended.
    package var deadline: Timestamp? { self.isOpen ? self.keepAlive.deadline : nil }

    /// The deadline is reached, if nothing has moved it.
    ///
    /// - Parameter unsent: How many of the bytes that were handed to the link have not left yet.
    package mutating func deadlineReached(unsent: Int, at now: Timestamp) -> KeepAlive.AtDeadline {
        guard self.phase == .connected else { return .none }
        // The server's answers wait with everything else that is not read.
        if self.pauses.contains(.consumer) { self.keepAlive.received(at: now) }
        self.checkWaitingPing(unsent: unsent, at: now)
        let action = self.keepAlive.deadlineReached(at: now)
        if action == .sendPing, self.waitingPing == nil, unsent > 0 {
            self.waitingPing = (position: self.written + Self.pingSize, sent: self.written - unsent)
        }
        return action
    }

    /// A PINGREQ behind a large message leaves late on a slow network. As long as the server accepts the bytes before
    /// it, the server is alive.
    private mutating func checkWaitingPing(unsent: Int, at now: Timestamp) {
        guard let ping = self.waitingPing else { return }
        let sent = self.written - unsent
        if sent > ping.sent { self.keepAlive.pingIsWaiting(at: now) }
        self.waitingPing = sent < ping.position ? (ping.position, sent) : nil
    }

    // MARK: The end

    /// What follows from the end of the exchange of packets.
    package enum Finished: Equatable, Sendable {
        /// The session loses its connection, and the link is to be closed.
        case leave
        /// The same, and the link is read again, since only reading shows that it has closed.
        case leaveAndRead
        /// It has ended before.
        case again
    }

    /// No more packets are processed or written: the client disconnects, the server has disconnected or refused the
    /// client, or the server is dead.
    package mutating func finished() -> Finished {
        guard self.isOpen else { return .again }
        self.phase = .closing
        return self.resume(.consumer) == .startReading ? .leaveAndRead : .leave
    }

    /// What follows from the end of the link.
    package enum LinkClosed: Equatable, Sendable {
        /// The connection was lost.
        case lost
        /// The end was expected.
        case expected
        /// It was closed before.
        case again
    }

    /// The link is closed.
    package mutating func linkClosed() -> LinkClosed {
        defer { self.phase = .closed }
        switch self.phase {
        case .handshake, .connected: return .lost
        case .closing: return .expected
        case .closed: return .again
        }
    }
}
