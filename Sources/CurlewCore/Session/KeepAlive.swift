/// When a client must send PINGREQ, and when it must give up on a silent server (MQTT 5.0 section 3.1.2.10). Lives as
/// long as the connection.
///
/// It asks for a ping when nothing was *sent* for almost the interval, as the standard demands [MQTT-3.1.2-22], and
/// also when nothing was *received* for that long: a client that only publishes at QoS 0 would otherwise never notice a
/// dead server.
package struct KeepAlive: Sendable {
    /// What is to be done when the deadline is reached.
    package enum AtDeadline: Hashable, Sendable {
        /// Something was sent or received meanwhile; wait for the new deadline.
        case none
        /// Send PINGREQ now. It counts as sent.
        case sendPing
        /// The server has not answered in time: close the connection.
        case serverIsDead
    }

    /// The interval in seconds that is in force; 0 is off.
    package private(set) var interval: UInt16

    private let responseTimeout: Duration
    private var lastSent: Timestamp
    private var lastReceived: Timestamp
    /// When the first PINGREQ was written since something was received.
    private var pinged: Timestamp?

    /// - Parameters:
    ///   - interval: the Keep Alive of CONNECT in seconds; 0 turns the machine off.
    ///   - responseTimeout: how long a server may be silent after a PINGREQ, unless the interval is shorter.
    ///   - now: when CONNECT is sent.
    package init(interval: UInt16, responseTimeout: Duration, now: Timestamp) {
        self.interval = interval
        self.responseTimeout = responseTimeout
        self.lastSent = now
        self.lastReceived = now
    }

    /// The server names another interval in CONNACK, and closes after one and a half of it [MQTT-3.1.2-23]
    /// [MQTT-3.2.2-21]. A longer one, or none, does not keep this end from looking after the server as often as it
    /// wanted to: a ping may be sent at any time (section 3.1.2.10).
    package mutating func serverKeepAlive(_ interval: UInt16) {
        guard interval > 0 else { return }
        self.interval = self.interval > 0 ? min(self.interval, interval) : interval
    }

    /// A control packet was written.
    package mutating func sent(at now: Timestamp) { self.lastSent = now }

    /// Bytes came in. Whatever they are, PINGRESP or not, the server lives.
    package mutating func received(at now: Timestamp) {
        self.lastReceived = now
        self.pinged = nil
    }

    /// The server has taken some of what was written before the PINGREQ, which still waits to leave: the silence is not
    /// the server's.
    package mutating func pingIsWaiting(at now: Timestamp) {
        if self.pinged != nil { self.pinged = now }
    }

    /// When to call ``deadlineReached(at:)``; `nil` if keep alive is off. It may move after every other event, mostly
    /// to later, so a timer need not be moved each time: let it fire and set it anew.
    package var deadline: Timestamp? {
        guard self.interval > 0 else { return nil }
        return min(self.lastSent + self.pingAfter, self.receivingDeadline)
    }

    package mutating func deadlineReached(at now: Timestamp) -> AtDeadline {
        guard let deadline, now >= deadline else { return .none }
        if self.pinged != nil, now >= self.receivingDeadline { return .serverIsDead }
        self.pinged = self.pinged ?? now
        self.lastSent = now
        return .sendPing
    }

    private var receivingDeadline: Timestamp {
        if let pinged { return pinged + min(self.responseTimeout, .seconds(self.interval)) }
        return self.lastReceived + self.pingAfter
    }

    /// A tenth of the interval, at most 5 s, before it ends: the standard counts to the *start* of the next packet on
    /// the wire, and timers fire late. The server waits for one and a half intervals, so no ping is wasted on more of a
    /// margin.
    private var pingAfter: Duration {
        let interval = Duration.seconds(self.interval)
        return interval - min(interval / 10, .seconds(5))
    }
}
