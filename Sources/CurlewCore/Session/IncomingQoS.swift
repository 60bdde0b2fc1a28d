import DequeModule

/// The receiving side of QoS 1 and 2 in a client: messages that were delivered and not yet acknowledged (MQTT 5.0
/// section 4.3).
///
/// Acknowledgements are sent in the order of arrival [MQTT-4.6.0-2] [MQTT-4.6.0-3], each when all receivers of its
/// message have passed it. The QoS 2 state that prevents duplicates belongs to the session and survives the connection.
struct IncomingQoS {
    /// One PUBLISH of this connection that waits to be acknowledged.
    private struct Arrival {
        let packetID: PacketID
        let qos: QoS
        /// Receivers that have not passed a QoS 1 message. QoS 2 messages are counted in `exactlyOnce`.
        var remaining: Int
        var reasonCode = ReasonCode.success
        var isReady = false
    }

    /// A QoS 2 message between its PUBLISH and its PUBREL. `arrival` is the position at which the PUBREC of this
    /// connection waits for its turn; `nil` if none does.
    private enum ExactlyOnce {
        /// Delivered, but not passed by all receivers. Without an arrival, the server has not yet sent the message
        /// again on this connection.
        case held(origin: UInt64, arrival: UInt64?, remaining: Int, reasonCode: ReasonCode)
        /// Delivered to receivers that have ended since. If the server sends it again before they have passed it, it is
        /// delivered again: they may never pass it, which would block all later acknowledgements.
        case left(origin: UInt64, remaining: Int, reasonCode: ReasonCode)
        /// Passed by all receivers, but the connection was lost before PUBREC could be sent.
        case consumed(reasonCode: ReasonCode)
        /// PUBREC was sent, and PUBREL will end the exchange. With an arrival, the server sent the message again and
        /// gets another PUBREC.
        case received(arrival: UInt64?)
    }

    // MARK: As long as the session

    /// Bounded by the 65,535 packet identifiers.
    private var exactlyOnce: [PacketID: ExactlyOnce] = [:]
    /// The sequence of the next arrival.
    private var nextSequence: UInt64 = 0
    /// Earlier arrivals belong to a session that the server has lost.
    private var firstOfSession: UInt64 = 0

    // MARK: As long as the connection

    /// Unacknowledged arrivals, the first of which has sequence `nextSequence - arrivals.count`. Bounded by the Receive
    /// Maximum.
    private var arrivals = Deque<Arrival>()
    /// What the server has in flight.
    private var window = ReceiveWindow()
    /// Whether the server's session may differ from the one that `exactlyOnce` belongs to.
    private var isUncertain = false
    /// Whether a PUBREC can refuse a message. Before 5.0 it has no reason code, and always accepts.
    private var mayRefuse = true

    /// The number of messages that wait to be acknowledged.
    var unacknowledged: Int { self.arrivals.count }

    /// The number of QoS 2 messages remembered to prevent duplicates.
    var remembered: Int { self.exactlyOnce.count }

    /// The sequence of the first of `arrivals`.
    private var base: UInt64 { self.nextSequence - UInt64(self.arrivals.count) }

    // MARK: PUBLISH

    /// What to do with a PUBLISH at QoS 1 or 2.
    enum ReceivedPublish: Equatable {
        /// Deliver it. It is acknowledged when all its receivers have passed the token.
        case new(DeliveryToken)
        /// It was delivered before: ignore it.
        case duplicate
        /// The server has exceeded the Receive Maximum [MQTT-3.3.4-9].
        case receiveMaximumExceeded
    }

    /// A PUBLISH arrived for this number of receivers. Without receivers, it is acknowledged in its turn.
    mutating func receivedPublish(_ id: PacketID, qos: QoS, dup: Bool, receivers: Int) -> ReceivedPublish {
        if self.isUncertain, !dup, qos == .exactlyOnce, !self.window.contains(id) {
            self.exactlyOnce[id] = nil  // a server that knew of the exchange would have set DUP
        }
        guard self.window.receivedPublish(id, qos) else { return .receiveMaximumExceeded }
        let sequence = self.nextSequence
        guard qos == .exactlyOnce else {
            self.append(Arrival(packetID: id, qos: qos, remaining: receivers, isReady: receivers == 0))
            return .new(DeliveryToken(sequence: sequence, packetID: id, qos: qos))
        }
        switch self.exactlyOnce[id] {
        case .left?, nil:
            self.exactlyOnce[id] = .held(
                origin: sequence, arrival: sequence, remaining: receivers, reasonCode: .success)
            self.append(Arrival(packetID: id, qos: qos, remaining: 0, isReady: receivers == 0))
            return .new(DeliveryToken(sequence: sequence, packetID: id, qos: qos))
        case .held(let origin, nil, let remaining, let code)?:
            self.exactlyOnce[id] = .held(origin: origin, arrival: sequence, remaining: remaining, reasonCode: code)
            self.append(Arrival(packetID: id, qos: qos, remaining: 0))
        case .consumed(let code)?:
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

    /// A receiver has passed the message. A token of an earlier connection counts only at QoS 2: at QoS 1 the server
    /// sends the message again, with a new token.
    mutating func consumed(_ token: DeliveryToken, reasonCode: ReasonCode) {
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
                ? .left(origin: token.sequence, remaining: remaining - 1, reasonCode: code)
                : .consumed(reasonCode: code)
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
        self.exactlyOnce[token.packetID] = .consumed(reasonCode: code)
    }

    /// Whether the acknowledgement of the message still waits for a receiver to pass it. It does not for a QoS 1
    /// message of an earlier connection, or after the session's owner has ended: the server sends the message again.
    func isOwed(_ token: DeliveryToken) -> Bool {
        if token.qos == .exactlyOnce {
            guard case .held(token.sequence, _, let remaining, _)? = self.exactlyOnce[token.packetID] else {
                return false
            }
            return remaining > 0
        }
        return self.index(of: token.sequence).map { !self.arrivals[$0].isReady } ?? false
    }

    /// Whether the server has lost its session since it sent this message, and will not send it again.
    func isOrphan(_ token: DeliveryToken) -> Bool { token.sequence < self.firstOfSession }

    private func index(of sequence: UInt64) -> Int? {
        guard sequence >= self.base, sequence < self.nextSequence else { return nil }
        return Int(sequence - self.base)
    }

    // MARK: Acknowledging

    /// The next PUBACK or PUBREC whose turn has come; call until `nil`.
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
                // A PUBREC that refuses ends the exchange, and the identifier is free again (section 4.3.3).
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
        /// Answer with PUBCOMP and this reason code: success or packet identifier not found.
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
        case .held?, .left?, .consumed?:
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
        /// Nothing: messages of earlier connections are void.
        case absent
        /// Not known: all of it, nothing, or an older state.
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

    /// The connection is lost. The server will send QoS 1 messages again; QoS 2 messages keep their state.
    mutating func connectionLost() {
        for arrival in self.arrivals where arrival.qos == .exactlyOnce {
            switch self.exactlyOnce[arrival.packetID] {
            case .held(_, _, _, let code)? where arrival.isReady:
                self.exactlyOnce[arrival.packetID] = .consumed(reasonCode: code)
            case .held(let origin, _, let remaining, let code)?:
                self.exactlyOnce[arrival.packetID] = .held(
                    origin: origin, arrival: nil, remaining: remaining, reasonCode: code)
            case .received?: self.exactlyOnce[arrival.packetID] = .received(arrival: nil)
            case .left?, .consumed?, nil: break
            }
        }
        self.arrivals.removeAll()
        self.window = ReceiveWindow()
    }

    /// All receivers have ended, after the connection was lost.
    mutating func end() {
        for case (let id, .held(let origin, _, let remaining, let code)) in self.exactlyOnce {
            self.exactlyOnce[id] = .left(origin: origin, remaining: remaining, reasonCode: code)
        }
    }
}
