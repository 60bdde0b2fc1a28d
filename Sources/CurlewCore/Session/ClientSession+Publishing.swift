package import NIOCore

// The sending side: publishes and the acknowledgements that the server sends for them.
extension ClientSession {
    /// What became of a publish that was accepted.
    package enum Submitted: Equatable {
        /// QoS 0 and written: there is nothing to wait for, and no completion follows.
        case written
        /// A completion follows.
        case accepted
    }

    /// Accepts a message. `isAwaited` tells that somebody waits for the outcome, who thereby bounds how much there can
    /// be; what nobody waits for is bounded by the outbox's limits. `now` counts for messages with an expiry interval
    /// alone.
    package mutating func publish(
        _ message: OutgoingMessage, request: RequestID, isAwaited: Bool, now: Timestamp, into out: inout ByteBuffer
    ) throws(Rejection) -> Submitted {
        if let limits { try Self.check(message, against: limits) }
        let expiresAt = message.properties.messageExpiryInterval.map { now + .seconds(Int64($0)) }
        // Also where it could be sent at once: a server that never acknowledges would have it kept.
        guard isAwaited || message.qos == .atMostOnce || self.hasRoom else { throw .queueFull }
        if self.maySendAtOnce(message.qos, request, out) {
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

    /// Gives up waiting. Returns whether the message was never sent and is dropped now; otherwise its exchange goes on,
    /// and its completion may be ignored.
    package mutating func cancel(_ request: RequestID) -> Bool { self.outbox.cancel(request) }

    /// Sends what may be sent now: after an acknowledgement, and when the outgoing buffer has been written.
    package mutating func pump(now: Timestamp, into out: inout ByteBuffer) {
        guard self.connection != nil else { return }
        self.pumpSubscriptions(into: &out)
        while let id = self.connection?.resends.last, self.hasWindow(out) {
            guard self.mayResend(id) else { break }
            self.connection?.resends.removeLast()
            if case .release? = self.inFlight[id] { self.release(id, into: &out) }
            guard case .publish(var sent)? = self.inFlight[id], !sent.isOnWire, !sent.isGivenUp else { continue }
            do {
                if let limits { try Self.check(sent.message, against: limits) }
                try self.write(
                    sent.message, id: id, dup: true, expiresAt: sent.expiresAt, now: now, into: &out)
                self.connection?.sendQuota -= 1
                sent.isOnWire = true
                self.noteSent(.publish(sent), id)
            } catch {
                // The server came back with lower limits. It may have received the message all the same, and takes whatever
                // has the same identifier for a repetition: the exchange waits for a connection on which it can go on.
                if let request = exchange(&sent.request, with: nil) {
                    self.complete(request, .abandoned(error))
                    self.unawaited += 1
                }
            }
            self.inFlight.replace(id, with: .publish(sent))
        }
        while let entry = self.outbox.first(), out.readableBytes < self.settings.highWaterMark {
            guard let message = entry.message else { break }
            if let expiresAt = entry.expiresAt, expiresAt <= now {  // [MQTT-4.3.3-7]
                self.outbox.removeFirst()
                // What a server had that has lost the session may have been delivered in its time.
                self.complete(entry.request, entry.wasSent ? .abandoned(.expired) : .rejected(.expired))
                continue
            }
            do {
                if let limits { try Self.check(message, against: limits) }
                if message.qos == .atMostOnce {
                    try self.write(message, id: nil, dup: false, expiresAt: entry.expiresAt, now: now, into: &out)
                    self.complete(entry.request, .published(.success, reason: nil))
                } else {
                    guard self.hasWindow(out), self.connection?.resends.isEmpty == true,
                        self.poison.maySend(.publish(entry.request)),
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

    /// Whether the message need not wait behind others. QoS 0 needs no place in the window and may overtake QoS 1 and
    /// 2, never QoS 0 (section 4.6).
    private func maySendAtOnce(_ qos: QoS, _ request: RequestID, _ out: ByteBuffer) -> Bool {
        guard let connection, out.readableBytes < self.settings.highWaterMark else { return false }
        if qos == .atMostOnce { return self.outbox.countAtMostOnce == 0 }
        return connection.sendQuota > 0 && self.outbox.isEmpty && connection.resends.isEmpty
            && self.poison.maySend(.publish(request))
    }

    /// Whether another publish at QoS 1 or 2 may be sent.
    private func hasWindow(_ out: ByteBuffer) -> Bool {
        guard let connection else { return false }
        return connection.sendQuota > 0 && out.readableBytes < self.settings.highWaterMark
    }

    /// Sends a QoS 1 or 2 message for the first time. Returns `false` when no packet identifier is free.
    private mutating func send(
        _ message: OutgoingMessage, request: RequestID, expiresAt: Timestamp?, now: Timestamp,
        into out: inout ByteBuffer
    ) throws(Rejection) -> Bool {
        let sent = Sent(request: request, message: message, expiresAt: expiresAt, isOnWire: true)
        guard let id = self.inFlight.insert(.publish(sent)) else { return false }
        do {
            try self.write(message, id: id, dup: false, expiresAt: expiresAt, now: now, into: &out)
        } catch {
            _ = self.inFlight.remove(id)
            throw error
        }
        self.connection?.sendQuota -= 1
        self.bytesInFlight += message.byteCount
        if self.poison.isIsolating { self.poison.sent(.publish(request)) }
        return true
    }

    /// Encodes one PUBLISH. The expiry interval counts down by the time that the message has waited, as
    /// it does at a server.
    private mutating func write(
        _ message: OutgoingMessage, id: PacketID?, dup: Bool, expiresAt: Timestamp?, now: Timestamp,
        into out: inout ByteBuffer
    ) throws(Rejection) {
        guard let version else { return }
        var packet = Publish(
            topic: message.topic, payload: message.payload, qos: message.qos, retain: message.retain, dup: dup,
            packetID: id, properties: message.properties)
        if !packet.properties.isEmpty {
            // Whoever passes a message on may pass its properties on: these are between our server and us
            // [MQTT-3.3.4-6].
            packet.properties.subscriptionIdentifiers = []
            if let expiresAt, let interval = packet.properties.messageExpiryInterval, version >= .v5_0 {
                // What is sent again may be late; an interval of 0 is the publisher's own wish.
                let left = UInt32(clamping: max(1, (expiresAt - now).components.seconds))
                packet.properties.messageExpiryInterval = min(interval, left)
            }
        }
        var room = Int.max
        if let maximum = self.connection?.limits.maximumPacketSize {
            let size = try Self.size(of: packet, version)
            guard size <= maximum else { throw .packetTooLarge(size: size, maximum: maximum) }
            room = Int(maximum) - size
        }
        // An alias takes three bytes, and may make both lengths before it longer.
        if !dup, room >= 5 { self.assignAlias(to: &packet, message.topic) }
        do throws(EncodingError) {
            try packet.encode(into: &out, version: version)
        } catch {
            if packet.topic != nil, let alias = packet.topicAlias { self.connection?.outgoingAliases.withdraw(alias) }
            throw .encoding(error)
        }
    }

    private static func size(of packet: Publish, _ version: ProtocolVersion) throws(Rejection) -> Int {
        do throws(EncodingError) {
            return try packet.encodedSize(version: version)
        } catch {
            throw .encoding(error)
        }
    }

    /// Has the topic named by an alias, if it is used often [MQTT-3.2.2-17] [MQTT-3.2.2-18].
    private mutating func assignAlias(to packet: inout Publish, _ topic: TopicName) {
        guard self.settings.outgoingTopicAliasMaximum > 0 else { return }
        switch self.connection?.outgoingAliases.assign(topic) {
        case .introduce(let alias)?: packet.topicAlias = alias
        case .use(let alias)?:
            packet.topicAlias = alias
            packet.topic = nil
        case Optional.none, .some(.none): break
        }
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
        switch self.inFlight[packet.packetID] {
        case .publish(let sent)? where sent.message.qos == .atLeastOnce:
            self.returnQuota(sent)
            self.bytesInFlight -= sent.message.byteCount
            self.finish(
                packet.packetID, sent.request,
                .published(packet.reasonCode, reason: packet.properties.reasonString))
            return .nothing
        case .publish(let sent)?:
            // RabbitMQ up to 3.12 answers QoS 2 so. The message is the server's: to send it again would double it.
            return self.endEarly(packet, sent, .pubackAtQoS2)
        case .release(let released)?:
            self.returnQuota(released)
            self.finish(packet.packetID, released.request, .published(released.reasonCode, reason: nil))
            return .deviation(.pubackAtQoS2)
        case nil: return .nothing  // legal noise: an acknowledgement that crossed the loss of a connection
        case .subscribe?, .unsubscribe?:
            return .violation(.protocolError, "PUBACK answers a packet that was not a PUBLISH")
        }
    }

    mutating func receivedPubrec(_ packet: Acknowledgement, into out: inout ByteBuffer) -> Received {
        switch self.inFlight[packet.packetID] {
        case .publish(let sent)? where sent.message.qos == .exactlyOnce:
            self.bytesInFlight -= sent.message.byteCount
            guard !packet.reasonCode.isFailure else {
                self.returnQuota(sent)
                self.finish(
                    packet.packetID, sent.request,
                    .published(packet.reasonCode, reason: packet.properties.reasonString))
                return .nothing
            }
            // [MQTT-4.3.3-4] [MQTT-4.6.0-4]: PUBREL, in the order of the PUBRECs; the message is the server's now
            // [MQTT-4.3.3-6].
            if !sent.isOnWire { self.connection?.sendQuota -= 1 }
            self.inFlight.replace(
                packet.packetID, with: .release(Released(request: sent.request, reasonCode: packet.reasonCode)))
            self.inFlight.moveToSecondLane(packet.packetID)
            self.send(.pubrel, Acknowledgement(packet.packetID), into: &out)
            self.noteReleased(sent, packet.packetID)
            return .nothing
        case .publish(let sent)?:
            // So that the server can end what it takes for an exchange at QoS 2.
            if sent.isOnWire, !packet.reasonCode.isFailure {
                self.send(.pubrel, Acknowledgement(packet.packetID), into: &out)
            }
            return self.endEarly(packet, sent, .pubrecAtQoS1)
        case .release(var released)?:
            // Two peers could go on so for ever.
            guard released.repetitions < Self.maximumRepetitions else {
                return .violation(.protocolError, "PUBREC came again after each PUBREL")
            }
            released.repetitions += 1
            if !released.isOnWire, !released.isGivenUp { self.connection?.sendQuota -= 1 }
            released.isOnWire = true
            self.inFlight.replace(packet.packetID, with: .release(released))
            self.send(.pubrel, Acknowledgement(packet.packetID), into: &out)
            return .deviation(.repeatedPubrec)
        case nil:
            // An acknowledgement that crossed the loss of a connection, or of something that was never sent.
            guard !packet.reasonCode.isFailure else { return .nothing }
            self.send(
                .pubrel, Acknowledgement(packet.packetID, reasonCode: .packetIdentifierNotFound), into: &out)
            return .nothing
        case .subscribe?, .unsubscribe?:
            return .violation(.protocolError, "PUBREC answers a packet that was not a PUBLISH")
        }
    }

    mutating func receivedPubcomp(_ packet: Acknowledgement) -> Received {
        switch self.inFlight[packet.packetID] {
        case .release(let released)?:
            self.returnQuota(released)
            // 0x92 answers the second PUBREL of an exchange that the server finished at the first: the message was
            // delivered. In answer to the only PUBREL it says that the server has lost the message.
            let isLost = packet.reasonCode.isFailure && !released.wasRepeated
            self.finish(
                packet.packetID, released.request,
                isLost ? .abandoned(.sessionLost) : .published(released.reasonCode, reason: nil))
            return .nothing
        case .publish(let sent)?: return self.endEarly(packet, sent, .pubcompBeforePubrec)
        case nil: return .nothing
        case .subscribe?, .unsubscribe?:
            return .violation(.protocolError, "PUBCOMP answers a packet that was not a PUBLISH")
        }
    }

    /// How often PUBREL answers a repeated PUBREC on one connection.
    private static var maximumRepetitions: Int { 8 }

    /// The server has answered a PUBLISH with a packet that belongs elsewhere, which tells enough: it has the message, or does not
    /// want it. To insist on the right one would mean to send the message again and again.
    private mutating func endEarly(
        _ packet: Acknowledgement, _ sent: Sent, _ deviation: Deviation
    ) -> Received {
        // What was not sent on this connection has no answer on it.
        guard sent.isOnWire else { return .nothing }
        self.returnQuota(sent)
        self.bytesInFlight -= sent.message.byteCount
        self.finish(
            packet.packetID, sent.request, .published(packet.reasonCode, reason: packet.properties.reasonString))
        return .deviation(deviation)
    }

    private mutating func returnQuota(_ sent: Sent) {
        if sent.isOnWire { self.connection?.sendQuota += 1 }
    }

    private mutating func returnQuota(_ released: Released) {
        if released.isOnWire, !released.isGivenUp { self.connection?.sendQuota += 1 }
    }
}
