import DequeModule

/// The receiving side of QoS 1 and 2: what was handed on and not yet acknowledged (MQTT 5.0 section 4.3).
///
/// Acknowledgements leave in the order of arrival [MQTT-4.6.0-2] [MQTT-4.6.0-3], each when all receivers of its message
/// have passed it. What QoS 2 must remember so as not to deliver twice belongs to the session and survives the
/// connection.
struct IncomingQoS {
    /// One PUBLISH of this connection that waits to be acknowledged.
    private struct Arrival {
        let packetID: PacketID
        let qos: QoS
        /// Receivers that have not passed a QoS 1 message; a QoS 2 message counts in `exactlyOnce`.
        var remaining: Int
        var reasonCode = ReasonCode.success
        var isReady = false
    }

    /// A QoS 2 message between its PUBLISH and its PUBREL. `arrival` is where the PUBREC of this connection waits for
    /// its turn; `nil` where none does.
    private enum ExactlyOnce {
        /// Handed on; receivers remain that have not passed it. Without an arrival, the server has yet to send the
        /// message again on this connection.
        case held(origin: UInt64, arrival: UInt64?, remaining: Int, reasonCode: ReasonCode)
        /// Handed on to receivers that have ended since. If the server sends it again before they have passed it, it is
        /// handed on again: they may never pass it, and nothing behind it could be acknowledged.
        case left(origin: UInt64, remaining: Int, reasonCode: ReasonCode)
        /// All have passed it, but the connection was lost before the PUBREC could leave.
        case passed(reasonCode: ReasonCode)
        /// PUBREC sent; PUBREL will end it. With an arrival, the server sent the message again and is answered again.
        case received(arrival: UInt64?)
    }

    // MARK: As long as the session

    /// Bounded by the 65,535 packet identifiers.
    private var exactlyOnce: [PacketID: ExactlyOnce] = [:]
    /// The sequence of the next arrival.
    private var nextSequence: UInt64 = 0
    /// What came before this one came in a session that the server has lost.
    private var firstOfSession: UInt64 = 0

    // MARK: As long as the connection

    /// Unacknowledged arrivals, the first of which has sequence `nextSequence - arrivals.count`. No more than the
    /// Receive Maximum allows.
    private var arrivals = Deque<Arrival>()
    /// What the server has in flight.
    private var window = ReceiveWindow()
    /// Whether the server may have another session than the one that `exactlyOnce` is of.
    private var isUncertain = false
    /// Whether a PUBREC can refuse. One without a reason code, before 5.0, accepts.
    private var mayRefuse = true

    /// How many messages wait to be acknowledged.
    var unacknowledged: Int { self.arrivals.count }

    /// How many QoS 2 messages are remembered so as not to be delivered twice.
    var remembered: Int { self.exactlyOnce.count }

    /// The sequence of the first of `arrivals`.
    private var base: UInt64 { self.nextSequence - UInt64(self.arrivals.count) }

    // MARK: PUBLISH

    /// What to do with a PUBLISH at QoS 1 or 2.
    enum ReceivedPublish: Equatable {
        /// Hand it on; it is acknowledged when all its receivers passed the token.
        case deliver(DeliveryToken)
        /// It was handed on before: say nothing to the application.
        case duplicate
        /// The server sends more than the Receive Maximum allows [MQTT-3.3.4-9].
        case receiveMaximumExceeded
    }

    /// A PUBLISH arrived that has so many receivers. With none, it is acknowledged in its turn.
    mutating func receivedPublish(_ id: PacketID, qos: QoS, dup: Bool, receivers: Int) -> ReceivedPublish {
        if self.isUncertain, !dup, qos == .exactlyOnce, !self.window.contains(id) {
            self.exactlyOnce[id] = nil  // a server that knew of the exchange would have set DUP
        }
        guard self.window.receivedPublish(id, qos) else { return .receiveMaximumExceeded }
        let sequence = self.nextSequence
        guard qos == .exactlyOnce else {
            self.append(Arrival(packetID: id, qos: qos, remaining: receivers, isReady: receivers == 0))
            return .deliver(DeliveryToken(sequence: sequence, packetID: id, qos: qos))
        }
        switch self.exactlyOnce[id] {
        case .left?, nil:
            self.exactlyOnce[id] = .held(
                origin: sequence, arrival: sequence, remaining: receivers, reasonCode: .success)
            self.append(Arrival(packetID: id, qos: qos, remaining: 0, isReady: receivers == 0))
            return .deliver(DeliveryToken(sequence: sequence, packetID: id, qos: qos))
        case .held(let origin, nil, let remaining, let code)?:
            self.exactlyOnce[id] = .held(origin: origin, arrival: sequence, remaining: remaining, reasonCode: code)
            self.append(Arrival(packetID: id, qos: qos, remaining: 0))
        case .passed(let code)?:
            self.exactlyOnce[id] = .held(origin: sequence, arrival: sequence, remaining: 0, reasonCode: code)
            self.append(Arrival(packetID: id, qos: qos, remaining: 0, reasonCode: code, isReady: true))
        case .received(nil)?:
            // Our PUBREC was lost [MQTT-4.3.3-10].
            self.exactlyOnce[id] = .received(arrival: sequence)
            self.append(Arrival(packetID: id, qos: qos, remaining: 0, isReady: true))
        case .held?, .received?: break  // its PUBREC waits for its turn already
        }
        return .duplicate
    }

    private mutating func append(_ arrival: Arrival) {
        self.arrivals.append(arrival)
        self.nextSequence += 1
    }

    // MARK: Passing

    /// A receiver has passed the message. A token of an earlier connection counts for QoS 2 alone: at QoS 1 the server
    /// will send the message again, and that one has its own token.
    mutating func passed(_ token: DeliveryToken, reasonCode: ReasonCode) {
        if token.qos == .exactlyOnce {
            self.passedExactlyOnce(token, reasonCode)
        } else if let index = self.index(of: token.sequence), !self.arrivals[index].isReady {
            self.arrivals[index].remaining -= 1
            if reasonCode.isFailure { self.arrivals[index].reasonCode = reasonCode }
            self.arrivals[index].isReady = self.arrivals[index].remaining <= 0
        }
    }

    private mutating func passedExactlyOnce(_ token: DeliveryToken, _ reasonCode: ReasonCode) {
        if case .left(token.sequence, let remaining, let earlier)? = self.exactlyOnce[token.packetID] {
            let code = reasonCode.isFailure ? reasonCode : earlier
            self.exactlyOnce[token.packetID] =
                remaining > 1
                ? .left(origin: token.sequence, remaining: remaining - 1, reasonCode: code) : .passed(reasonCode: code)
            return
        }
        guard case .held(let origin, let arrival, let remaining, let earlier)? = self.exactlyOnce[token.packetID],
            origin == token.sequence, remaining > 0
        else { return }
        let code = reasonCode.isFailure ? reasonCode : earlier
        guard remaining == 1, arrival == nil else {
            self.exactlyOnce[token.packetID] = .held(
                origin: origin, arrival: arrival, remaining: remaining - 1, reasonCode: code)
            if remaining == 1, let arrival, let index = self.index(of: arrival) {
                self.arrivals[index].reasonCode = code
                self.arrivals[index].isReady = true
            }
            return
        }
        self.exactlyOnce[token.packetID] = .passed(reasonCode: code)
    }

    /// Whether a receiver of the message still owes it to the server: its acknowledgement waits for `passed`. Nothing is owed
    /// for a QoS 1 message of an earlier connection, or after the end of the session's owner: the server sends it again.
    func isOwed(_ token: DeliveryToken) -> Bool {
        if token.qos == .exactlyOnce {
            guard case .held(token.sequence, _, let remaining, _)? = self.exactlyOnce[token.packetID] else {
                return false
            }
            return remaining > 0
        }
        return self.index(of: token.sequence).map { !self.arrivals[$0].isReady } ?? false
    }

    /// Whether the server has lost its session since it sent this message: it will not come again.
    func isOrphan(_ token: DeliveryToken) -> Bool { token.sequence < self.firstOfSession }

    private func index(of sequence: UInt64) -> Int? {
        guard sequence >= self.base, sequence < self.nextSequence else { return nil }
        return Int(sequence - self.base)
    }

    // MARK: Acknowledging

    /// The next acknowledgement whose turn has come, a PUBACK or a PUBREC; call until `nil`.
    mutating func nextAcknowledgement() -> (Acknowledgement.Kind, Acknowledgement)? {
        while let arrival = self.arrivals.first, arrival.isReady {
            let sequence = self.base
            self.arrivals.removeFirst()
            let acknowledgement = Acknowledgement(arrival.packetID, reasonCode: arrival.reasonCode)
            guard arrival.qos == .exactlyOnce else {
                self.window.acknowledged()
                return (.puback, acknowledgement)
            }
            switch self.exactlyOnce[arrival.packetID] {
            case .held(_, sequence, _, _)? where self.mayRefuse && arrival.reasonCode.isFailure:
                // A PUBREC that refuses ends the exchange: the identifier is free again (section 4.3.3).
                self.exactlyOnce[arrival.packetID] = nil
                self.window.finished(arrival.packetID)
                return (.pubrec, acknowledgement)
            case .held(_, sequence, _, _)?, .received(sequence)?:
                self.exactlyOnce[arrival.packetID] = .received(arrival: nil)
                return (.pubrec, acknowledgement)
            default: break  // PUBREL came before the second PUBREC: nothing is left to answer
            }
        }
        return nil
    }

    /// What to do with a PUBREL.
    enum ReceivedPubrel: Equatable {
        /// Answer with a PUBCOMP of this reason code: success, or that the identifier is unknown.
        case complete(ReasonCode)
        /// The server released a message before we acknowledged it.
        case protocolError
    }

    mutating func receivedPubrel(_ id: PacketID) -> ReceivedPubrel {
        switch self.exactlyOnce[id] {
        case .received?:
            self.exactlyOnce[id] = nil
            self.window.finished(id)
            return .complete(.success)
        case .held?, .left?, .passed?:
            guard self.isUncertain, !self.window.contains(id) else { return .protocolError }
            return .complete(.packetIdentifierNotFound)  // it may be of another session
        case nil: return .complete(.packetIdentifierNotFound)
        }
    }

    // MARK: Connection

    /// What the server has of the session.
    enum Session {
        /// All of it.
        case present
        /// Nothing: what it sent before has no meaning any more.
        case absent
        /// Nobody knows: it may have all of it, nothing, or an older one.
        case uncertain
    }

    /// A connection begins.
    mutating func connected(_ session: Session, version: ProtocolVersion, receiveMaximum: UInt16) {
        self.connectionLost()
        self.mayRefuse = version >= .v5_0
        self.window = ReceiveWindow(maximum: receiveMaximum)
        self.isUncertain = session == .uncertain
        guard session == .absent else { return }
        self.exactlyOnce.removeAll()
        self.firstOfSession = self.nextSequence
    }

    /// The connection is gone: QoS 1 messages will be sent again, QoS 2 messages keep their state.
    mutating func connectionLost() {
        for arrival in self.arrivals where arrival.qos == .exactlyOnce {
            switch self.exactlyOnce[arrival.packetID] {
            case .held(_, _, _, let code)? where arrival.isReady:
                self.exactlyOnce[arrival.packetID] = .passed(reasonCode: code)
            case .held(let origin, _, let remaining, let code)?:
                self.exactlyOnce[arrival.packetID] = .held(
                    origin: origin, arrival: nil, remaining: remaining, reasonCode: code)
            case .received?: self.exactlyOnce[arrival.packetID] = .received(arrival: nil)
            case .left?, .passed?, nil: break
            }
        }
        self.arrivals.removeAll()
        self.window = ReceiveWindow()
    }

    /// All receivers have ended. The connection is gone already.
    mutating func end() {
        for case (let id, .held(let origin, _, let remaining, let code)) in self.exactlyOnce {
            self.exactlyOnce[id] = .left(origin: origin, remaining: remaining, reasonCode: code)
        }
    }
}
