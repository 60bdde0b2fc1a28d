package import NIOCore

// Sends messages to the client.
extension BrokerSession {
    /// Delivers a message to the client: writes it, or queues it.
    ///
    /// - Parameters:
    ///   - canWrite: Whether the connection can take more bytes now.
    ///   - room: How many more bytes the broker's memory has for this client; called only if the message has to be
    ///     queued.
    package mutating func deliver(
        _ publication: inout Publication, _ terms: DeliveryTerms, canWrite: Bool, room: () -> Int, now: Timestamp,
        into out: inout ByteBuffer
    ) -> Delivered {
        guard canWrite, self.hasWindow(for: terms.qos) else {
            return self.enqueue(&publication, terms, room: room(), now: now)
        }
        guard terms.qos > .atMostOnce else {
            return self.write(&publication, terms, packetID: nil, now: now, into: &out) ? .written : .tooLarge
        }
        let pending = Pending(message: self.message(&publication), terms: terms, number: self.makeNumber(terms.qos))
        guard let id = self.outgoing.publish(.publish(pending), qos: terms.qos) else {
            return self.enqueue(&publication, terms, room: room(), now: now)
        }
        guard self.write(&publication, terms, packetID: id, now: now, into: &out) else {
            self.outgoing.end(id)
            return .tooLarge
        }
        self.record(.added(pending, id))
        return .written
    }

    /// A message that was dropped while writing queued messages.
    package enum Dropped: Equatable, Sendable {
        case expired(TopicName)
        case tooLarge(TopicName)
    }

    /// The result of ``pump(limit:now:into:)``.
    package struct Pumped: Equatable, Sendable {
        /// The number of messages written.
        package var written = 0
        /// Messages that were dropped.
        package var dropped: [Dropped] = []

        package init(written: Int = 0, dropped: [Dropped] = []) {
            self.written = written
            self.dropped = dropped
        }
    }

    /// Writes queued messages until the window is full or `out` holds `limit` bytes.
    package mutating func pump(limit: Int, now: Timestamp, into out: inout ByteBuffer) -> Pumped {
        var pumped = Pumped()
        guard self.isConnected else { return pumped }
        let before = self.backlog.bytes
        defer { if self.backlog.bytes < before { self.progressed(bytes: before - self.backlog.bytes, now: now) } }
        self.resend(limit: limit, now: now, into: &out, &pumped)
        guard !self.outgoing.hasResends else { return pumped }
        while out.readableBytes < limit, let pending = self.first {
            guard !pending.message.isExpired(at: now) else {  // [MQTT-3.3.2-5]
                _ = self.removeFirst()
                self.record(.removed(pending.number))
                pumped.dropped.append(.expired(pending.message.topic))
                continue
            }
            var publication = Publication(pending.message)
            if pending.terms.qos == .atMostOnce {
                if !self.write(&publication, pending.terms, packetID: nil, now: now, into: &out) {
                    pumped.dropped.append(.tooLarge(pending.message.topic))
                } else {
                    pumped.written += 1
                }
                _ = self.removeFirst()
                continue
            }
            guard self.outgoing.mayPublish, self.hasRoomInFlight,
                let id = self.outgoing.publish(.publish(pending), qos: pending.terms.qos)
            else { return pumped }
            if self.write(&publication, pending.terms, packetID: id, now: now, into: &out) {
                self.record(.sent(pending.number, id))
                pumped.written += 1
            } else {
                self.outgoing.end(id)
                self.record(.removed(pending.number))
                pumped.dropped.append(.tooLarge(pending.message.topic))
            }
            _ = self.removeFirst()
        }
        return pumped
    }

    /// Resends what an earlier connection left unacknowledged, with DUP and the same packet identifier [MQTT-4.4.0-1]
    /// [MQTT-3.3.1-1].
    private mutating func resend(
        limit: Int, now: Timestamp, into out: inout ByteBuffer, _ pumped: inout Pumped
    ) {
        while out.readableBytes < limit, self.outgoing.quota > 0, let resend = self.outgoing.nextResend() {
            switch resend {
            case .publish(let id, let exchange):
                guard case .publish(let pending) = exchange else {
                    self.outgoing.skipResend()
                    continue
                }
                // A message whose delivery has begun does not expire (section 3.3.2.3.3).
                var packet = Publication(pending.message).packet(pending.terms, packetID: id, dup: true, now: now)
                guard self.write(&packet, into: &out) else {
                    self.finish(id)
                    pumped.dropped.append(.tooLarge(pending.message.topic))
                    continue
                }
                pumped.written += 1
                self.outgoing.resent(id)
            case .release(let id):
                self.send(.pubrel, Acknowledgement(id), into: &out)
                self.outgoing.resent(id)
            }
        }
    }

    /// Appends one PUBLISH. Returns `false` and appends nothing if the packet is larger than the client accepts.
    private mutating func write(
        _ publication: inout Publication, _ terms: DeliveryTerms, packetID: PacketID?, now: Timestamp,
        into out: inout ByteBuffer
    ) -> Bool {
        guard let version = self.connection?.publishes.version else { return false }
        if self.connection?.publishes.isUnrestricted == true {
            return (try? publication.write(terms, packetID: packetID, version: version, now: now, into: &out)) != nil
        }
        var packet = publication.packet(terms, packetID: packetID, now: now)
        return self.write(&packet, into: &out)
    }

    private mutating func write(_ packet: inout Publish, into out: inout ByteBuffer) -> Bool {
        do {
            try self.connection?.publishes.write(&packet, into: &out)
            return true
        } catch {
            return false
        }
    }

    func send(_ kind: Acknowledgement.Kind, _ acknowledgement: Acknowledgement, into out: inout ByteBuffer) {
        guard let version = self.connection?.terms.version else { return }
        // An acknowledgement without properties can always be encoded.
        try? acknowledgement.encode(as: kind, into: &out, version: version)
    }
}

// Handles acknowledgements from the client.
extension BrokerSession {
    /// The effect of an acknowledgement.
    package enum Acknowledged: Equatable, Sendable {
        /// A message was delivered, or refused by the client with a reason code.
        case delivered(TopicName, ReasonCode)
        /// The exchange continues; or the acknowledgement belongs to none, which is not an error while a session is
        /// resumed.
        case nothing
        /// The client has broken the protocol.
        case violation(String)
    }

    package mutating func receivedPuback(_ packet: Acknowledgement) -> Acknowledged {
        switch self.outgoing.receivedPuback(packet.packetID) {
        case .acknowledged(let exchange):
            self.record(.removed(exchange.number))
            return Self.delivered(exchange, packet.reasonCode)
        case .unexpected: return .violation("PUBACK answers a message that was not sent at QoS 1.")
        case .unknown: return .nothing
        }
    }

    private static func delivered(_ exchange: Exchange, _ reasonCode: ReasonCode) -> Acknowledged {
        guard case .publish(let pending) = exchange else { return .nothing }
        return .delivered(pending.message.topic, reasonCode)
    }

    package mutating func receivedPubrec(_ packet: Acknowledgement, into out: inout ByteBuffer) -> Acknowledged {
        switch self.outgoing.receivedPubrec(packet.packetID, packet.reasonCode) {
        case .accepted(let exchange):
            self.send(.pubrel, Acknowledgement(packet.packetID), into: &out)
            self.record(.received(exchange.number))
            return Self.delivered(exchange, packet.reasonCode)
        case .refused(let exchange):
            self.record(.removed(exchange.number))
            return Self.delivered(exchange, packet.reasonCode)
        case .repeated:
            self.send(.pubrel, Acknowledgement(packet.packetID), into: &out)
            return .nothing
        case .unexpected: return .violation("PUBREC answers a message that was not sent at QoS 2.")
        case .unknown:
            guard !packet.reasonCode.isFailure else { return .nothing }
            self.send(.pubrel, Acknowledgement(packet.packetID, reasonCode: .packetIdentifierNotFound), into: &out)
            return .nothing
        }
    }

    package mutating func receivedPubcomp(_ packet: Acknowledgement) -> Acknowledged {
        switch self.outgoing.receivedPubcomp(packet.packetID) {
        case .completed(let exchange):
            self.record(.removed(exchange.number))
            return .nothing
        case .unexpected: return .violation("PUBCOMP came before PUBREC.")
        case .unknown: return .nothing
        }
    }

    /// Ends an exchange that the client has not finished.
    mutating func finish(_ id: PacketID) {
        if let exchange = self.outgoing.end(id) { self.record(.removed(exchange.number)) }
    }
}
