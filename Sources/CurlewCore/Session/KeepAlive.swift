/// When a client must send PINGREQ, and when it must give up on a silent server (MQTT 5.0 section 3.1.2.10). Lives as
/// long as the connection.
///
/// It requests a ping when nothing was *sent* for almost the interval, as the standard requires [MQTT-3.1.2-22], and
/// also when nothing was *received* for that long: otherwise a client that only publishes at QoS 0 would never notice a
/// dead server.
package struct KeepAlive: Sendable {
    /// What to do when the deadline is reached.
    package enum AtDeadline: Hashable, Sendable {
        /// Something was sent or received in the meantime: wait for the new deadline.
        case none
        /// Send PINGREQ now. It counts as sent.
        case sendPing
        /// The server has not answered in time: close the connection.
        case serverIsDead
    }

    /// The interval in seconds; 0 disables keep alive.
    package private(set) var interval: UInt16

    private let responseTimeout: Duration
    private var lastSent: Timestamp
    private var lastReceived: Timestamp
    /// When the first PINGREQ since the last received bytes was written.
    private var pinged: Timestamp?

    /// - Parameters:
    ///   - interval: The Keep Alive of CONNECT in seconds; 0 disables keep alive.
    ///   - responseTimeout: How long a server may be silent after a PINGREQ, unless the interval is shorter.
    ///   - now: When CONNECT is sent.
    package init(interval: UInt16, responseTimeout: Duration, now: Timestamp) {
        self.interval = interval
        self.responseTimeout = responseTimeout
        self.lastSent = now
        self.lastReceived = now
    }

    /// The server's CONNACK contains another interval; the server closes the connection after one and a half of it
    /// [MQTT-3.1.2-23] [MQTT-3.2.2-21]. If it is longer, or 0, the client still checks the server as often as
    /// configured: it may send a ping at any time (section 3.1.2.10).
    package mutating func serverKeepAlive(_ interval: UInt16) {
        guard interval > 0 else { return }
        self.interval = self.interval > 0 ? min(self.interval, interval) : interval
    }

    /// A control packet was written.
    package mutating func sent(at now: Timestamp) { self.lastSent = now }

    /// Bytes were received. Any bytes, PINGRESP or not, show that the server is alive.
    package mutating func received(at now: Timestamp) {
        self.lastReceived = now
        self.pinged = nil
    }

    /// The server has accepted bytes that were written before the PINGREQ, which is still waiting to be sent: the
    /// server is not responsible for the silence.
    package mutating func pingIsWaiting(at now: Timestamp) {
        if self.pinged != nil { self.pinged = now }
    }

    /// When to call ``deadlineReached(at:)``; `nil` if keep alive is disabled. Every other event may move it, usually
    /// to a later time. The timer need not follow each time: let it fire, then set it again.
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

    /// A tenth of the interval before its end, at most 5 s: the standard counts to the *start* of the next packet on
    /// the wire, and timers fire late. The server waits for one and a half intervals, so a larger margin would only
    /// waste pings.
    private var pingAfter: Duration {
        let interval = Duration.seconds(self.interval)
        return interval - min(interval / 10, .seconds(5))
    }
}
