package import NIOCore

// Sends messages and handles their acknowledgements.
extension ClientSession {
    /// The state of an accepted publish.
    package enum Submitted: Equatable {
        /// QoS 0 and written: no completion follows.
        case written
        /// A completion follows.
        case accepted
    }

    /// Accepts a message. `isAwaited` means that a caller waits for the outcome, which bounds the number of messages;
    /// all others are bounded by the outbox's limits. `now` matters only for messages with an expiry interval, and if
    /// the settings limit the publishes of a second.
    package mutating func publish(
        _ message: OutgoingMessage, request: RequestID, isAwaited: Bool, now: Timestamp, into out: inout ByteBuffer
    ) throws(Rejection) -> Submitted {
        if let limits { try Self.check(message, against: limits) }
        let expiresAt = message.properties.messageExpiryInterval.map { now + .seconds(Int64($0)) }
        // This applies even if it could be sent at once: with a server that never acknowledges, it would have to be
        // kept.
        guard isAwaited || message.qos == .atMostOnce || self.hasRoom else { throw .queueFull }
        if self.maySendAtOnce(message.qos, request, now, out) {
            guard message.qos != .atMostOnce else {
                try self.write(message, id: nil, dup: false, expiresAt: nil, now: now, into: &out)
                return .written
            }
            if try self.send(message, request: request, expiresAt: expiresAt, now: now, into: &out) { return .accepted }
        }
        guard isAwaited || self.hasRoom else { throw .queueFull }
        self.outbox.append(Outbox.Entry(request: request, message: message, expiresAt: expiresAt, wasSent: false))
        return .accepted
    }

    /// Stops waiting. Returns whether the message was never sent and is dropped now; otherwise its exchange continues,
    /// and its completion may be ignored.
    package mutating func cancel(_ request: RequestID) -> Bool { self.outbox.cancel(request) }

    /// Sends what can be sent now. Called after an acknowledgement, and when the outgoing buffer has been written.
    package mutating func pump(now: Timestamp, into out: inout ByteBuffer) {
        guard self.connection != nil else { return }
        self.pumpSubscriptions(into: &out)
        self.resend(now: now, into: &out)
        while let entry = self.outbox.first(), out.readableBytes < self.settings.highWaterMark {
            guard let message = entry.message else { break }
            if let expiresAt = entry.expiresAt, expiresAt <= now {  // [MQTT-4.3.3-7]
                self.outbox.removeFirst()
                // If it was sent in a session that the server has lost, it may have been delivered in time.
                self.complete(entry.request, entry.wasSent ? .abandoned(.expired) : .rejected(.expired))
                continue
            }
            do {
                if let limits { try Self.check(message, against: limits) }
                guard self.isInPace(now) else { return }
                if message.qos == .atMostOnce {
                    try self.write(message, id: nil, dup: false, expiresAt: entry.expiresAt, now: now, into: &out)
                    self.complete(entry.request, .published(.success, reason: nil))
                } else {
                    guard self.outgoing.mayPublish, self.poison.maySend(.publish(entry.request)),
                        try self.send(
                            message, request: entry.request, expiresAt: entry.expiresAt, now: now, into: &out)
                    else { return }
                }
            } catch {
                self.complete(entry.request, entry.wasSent ? .abandoned(error) : .rejected(error))
            }
            self.outbox.removeFirst()
        }
    }

    /// Resends what earlier connections left unfinished while the window has room.
    private mutating func resend(now: Timestamp, into out: inout ByteBuffer) {
        while self.outgoing.quota > 0, out.readableBytes < self.settings.highWaterMark,
            let resend = self.outgoing.nextResend(), self.mayResend(resend)
        {
            switch resend {
            case .release(let id): self.release(id, into: &out)
            case .publish(let id, let exchange):
                guard case .publish(let sent) = exchange else {
                    self.outgoing.skipResend()
                    continue
                }
                do {
                    if let limits { try Self.check(sent.message, against: limits) }
                    guard self.isInPace(now) else { return }
                    try self.write(
                        sent.message, id: id, dup: true, expiresAt: sent.expiresAt, now: now, into: &out)
                    self.outgoing.resent(id)
                    self.noteSent(id)
                } catch {
                    // The server came back with lower limits. It may have received the message all the same, and takes
                    // the next one with the same identifier for a repetition: the exchange waits for a connection on
                    // which it can continue.
                    self.outgoing.skipResend()
                    self.abandon(id, error)
                }
            }
        }
    }

    /// Completes the request of an exchange that continues.
    mutating func abandon(_ id: PacketID, _ rejection: Rejection) {
        var request: RequestID?
        self.outgoing.update(id) { request = $0.takeRequest() }
        guard let request else { return }
        self.unawaited += 1
        self.complete(request, .abandoned(rejection))
    }

    /// Whether the message can be sent before those that wait. QoS 0 needs no place in the window and may overtake QoS
    /// 1 and 2, but never QoS 0 (section 4.6): once one waits, for the pace or for room, all later ones do.
    private mutating func maySendAtOnce(
        _ qos: QoS, _ request: RequestID, _ now: Timestamp, _ out: ByteBuffer
    ) -> Bool {
        guard self.connection != nil, out.readableBytes < self.settings.highWaterMark else { return false }
        if qos == .atMostOnce { return self.outbox.countAtMostOnce == 0 && self.isInPace(now) }
        return self.outgoing.mayPublish && self.outbox.isEmpty && self.poison.maySend(.publish(request))
            && self.isInPace(now)
    }

    private mutating func isInPace(_ now: Timestamp) -> Bool { self.pace?.ready(at: now) != .wait }

    /// When to call ``paceDeadlineReached(_:now:into:)``; `nil` if no message waits for it, or if this was returned
    /// before.
    package mutating func takePaceDeadline() -> Timestamp? { self.pace?.takeWait() }

    /// The time that ``takePaceDeadline()`` returned has come.
    package mutating func paceDeadlineReached(_ deadline: Timestamp, now: Timestamp, into out: inout ByteBuffer) {
        if self.pace?.deadlineReached(deadline) == .send { self.pump(now: now, into: &out) }
    }

    /// Sends a QoS 1 or 2 message for the first time. Returns `false` when no packet identifier is free.
    private mutating func send(
        _ message: OutgoingMessage, request: RequestID, expiresAt: Timestamp?, now: Timestamp,
        into out: inout ByteBuffer
    ) throws(Rejection) -> Bool {
        let sent = Sent(request: request, message: message, expiresAt: expiresAt)
        guard let id = self.outgoing.publish(.publish(sent), qos: message.qos) else { return false }
        do {
            try self.write(message, id: id, dup: false, expiresAt: expiresAt, now: now, into: &out)
        } catch {
            self.outgoing.end(id)
            throw error
        }
        if self.poison.isIsolating { self.poison.sent(.publish(request)) }
        return true
    }

    /// Encodes one PUBLISH. The expiry interval counts down by the time that the message has waited, as it does at a
    /// server.
    private mutating func write(
        _ message: OutgoingMessage, id: PacketID?, dup: Bool, expiresAt: Timestamp?, now: Timestamp,
        into out: inout ByteBuffer
    ) throws(Rejection) {
        var packet = Publish(
            topic: message.topic, payload: message.payload, qos: message.qos, retain: message.retain, dup: dup,
            packetID: id, properties: message.properties)
        if !packet.properties.isEmpty {
            // The properties may come from a received message; its subscription identifiers concern only the server
            // and us [MQTT-3.3.4-6].
            packet.properties.subscriptionIdentifiers = []
            packet.countDownExpiry(to: expiresAt, now: now)
        }
        try self.connection?.publishes.write(&packet, into: &out)
        self.pace?.sent(at: now)
    }

    /// What the server's CONNACK forbids [MQTT-3.2.2-11] [MQTT-3.2.2-14].
    private static func check(_ message: OutgoingMessage, against limits: ServerLimits) throws(Rejection) {
        guard message.qos <= limits.maximumQoS else { throw .qosAboveMaximum(limits.maximumQoS) }
        guard !message.retain || limits.retainAvailable else { throw .retainNotAvailable }
    }

    func send(_ kind: Acknowledgement.Kind, _ acknowledgement: Acknowledgement, into out: inout ByteBuffer) {
        guard let version = self.connection?.version else { return }
        // An acknowledgement without properties can always be encoded.
        try? acknowledgement.encode(as: kind, into: &out, version: version)
    }

    // MARK: The server acknowledges

    mutating func receivedPuback(_ packet: Acknowledgement) -> Received {
        let id = packet.packetID
        switch self.outgoing.receivedPuback(id) {
        case .acknowledged(let publish):
            self.finished(id, publish.request, .published(packet.reasonCode, reason: packet.properties.reasonString))
            return .nothing
        case .unexpected:
            // RabbitMQ up to 3.12 answers QoS 2 like this. The server has the message: sending it again would
            // duplicate it.
            return self.endEarly(packet, .pubackAtQoS2)
                ?? .violation(.protocolError, "PUBACK answers a packet that was not a PUBLISH")
        case .unknown: return .nothing
        }
    }

    mutating func receivedPubrec(_ packet: Acknowledgement, into out: inout ByteBuffer) -> Received {
        let id = packet.packetID
        switch self.outgoing.receivedPubrec(id, packet.reasonCode) {
        case .accepted(let publish):
            self.send(.pubrel, Acknowledgement(id), into: &out)
            self.noteReleased(publish, id)
            return .nothing
        case .refused(let publish):
            self.finished(id, publish.request, .published(packet.reasonCode, reason: packet.properties.reasonString))
            return .nothing
        case .repeated(let count):
            // Otherwise two peers could continue for ever.
            guard count <= Self.maximumRepetitions else {
                return .violation(.protocolError, "PUBREC came again after each PUBREL")
            }
            self.send(.pubrel, Acknowledgement(id), into: &out)
            return .deviation(.repeatedPubrec)
        case .unexpected:
            // Lets the server end what it takes for an exchange at QoS 2.
            if let status = self.outgoing.status(id), status.stage == .atLeastOnce, status.position == .sent,
                !packet.reasonCode.isFailure
            {
                self.send(.pubrel, Acknowledgement(id), into: &out)
            }
            return self.endEarly(packet, .pubrecAtQoS1)
                ?? .violation(.protocolError, "PUBREC answers a packet that was not a PUBLISH")
        case .unknown:
            // An acknowledgement that crossed the loss of a connection, or of something that was never sent.
            guard !packet.reasonCode.isFailure else { return .nothing }
            self.send(.pubrel, Acknowledgement(id, reasonCode: .packetIdentifierNotFound), into: &out)
            return .nothing
        }
    }

    mutating func receivedPubcomp(_ packet: Acknowledgement) -> Received {
        switch self.outgoing.receivedPubcomp(packet.packetID) {
        case .completed(let exchange):
            guard case .release(let released) = exchange else { return .nothing }
            // 0x92 answers the second PUBREL of an exchange that the server finished at the first: the message was
            // delivered. As the answer to the only PUBREL it says that the server has lost the message.
            let isLost = packet.reasonCode.isFailure && !released.wasRepeated
            self.finished(
                packet.packetID, released.request,
                isLost ? .abandoned(.sessionLost) : .published(released.reasonCode, reason: nil))
            return .nothing
        case .unexpected:
            return self.endEarly(packet, .pubcompBeforePubrec)
                ?? .violation(.protocolError, "PUBCOMP answers a packet that was not a PUBLISH")
        case .unknown: return .nothing
        }
    }

    /// How often PUBREL answers a repeated PUBREC on one connection.
    private static var maximumRepetitions: Int { 8 }

    /// The server has answered a PUBLISH or PUBREL with the wrong packet. It has the message, or does not want it: to
    /// insist on the right answer would mean sending the message again and again. Returns `nil` where the identifier
    /// is that of a request.
    private mutating func endEarly(_ packet: Acknowledgement, _ deviation: Deviation) -> Received? {
        let id = packet.packetID
        guard let status = self.outgoing.status(id), status.stage != .request else { return nil }
        // A message that was not sent on this connection has no answer on it.
        guard status.stage == .released || status.position == .sent, let exchange = self.outgoing.end(id) else {
            return .nothing
        }
        if case .release(let released) = exchange {
            self.finished(id, released.request, .published(released.reasonCode, reason: nil))
        } else {
            self.finished(id, exchange.request, .published(packet.reasonCode, reason: packet.properties.reasonString))
        }
        return .deviation(deviation)
    }
}
