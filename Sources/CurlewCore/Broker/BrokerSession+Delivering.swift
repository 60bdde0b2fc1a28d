package import NIOCore

// Messages to the client.
extension BrokerSession {
    /// Has the client get a message.
    ///
    /// - Parameters:
    ///   - canWrite: Whether the connection can take more bytes now.
    ///   - room: How many bytes more the memory of the broker has for this client; asked for when the message has to wait.
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
        guard let id = self.inFlight.insert(.publish(pending, isOnWire: true)) else {
            return self.enqueue(&publication, terms, room: room(), now: now)
        }
        guard self.write(&publication, terms, packetID: id, now: now, into: &out) else {
            _ = self.inFlight.remove(id)
            return .tooLarge
        }
        self.connection?.sendQuota -= 1
        self.addInFlight(pending)
        self.record(.added(pending, id))
        return .written
    }

    /// What was given up while writing what waits.
    package enum Dropped: Equatable, Sendable {
        case expired(TopicName)
        case tooLarge(TopicName)
    }

    /// What ``pump(limit:now:into:)`` has done.
    package struct Pumped: Equatable, Sendable {
        /// How many messages were written.
        package var written = 0
        /// What was given up on the way.
        package var dropped: [Dropped] = []

        package init(written: Int = 0, dropped: [Dropped] = []) {
            self.written = written
            self.dropped = dropped
        }
    }

    /// Writes what waits, until the window is full or `out` holds `limit` bytes.
    package mutating func pump(limit: Int, now: Timestamp, into out: inout ByteBuffer) -> Pumped {
        var pumped = Pumped()
        guard self.isConnected else { return pumped }
        let before = self.backlog.bytes
        defer { if self.backlog.bytes < before { self.progressed(bytes: before - self.backlog.bytes, now: now) } }
        self.resend(limit: limit, now: now, into: &out, &pumped)
        guard self.connection?.resends.isEmpty == true else { return pumped }
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
            guard let quota = self.connection?.sendQuota, quota > 0, self.hasRoomInFlight,
                let id = self.inFlight.insert(.publish(pending, isOnWire: true))
            else { return pumped }
            if self.write(&publication, pending.terms, packetID: id, now: now, into: &out) {
                self.connection?.sendQuota -= 1
                self.addInFlight(pending)
                self.record(.sent(pending.number, id))
                pumped.written += 1
            } else {
                _ = self.inFlight.remove(id)
                self.record(.removed(pending.number))
                pumped.dropped.append(.tooLarge(pending.message.topic))
            }
            _ = self.removeFirst()
        }
        return pumped
    }

    /// Writes again what an earlier connection left unacknowledged, with DUP and the same packet identifier [MQTT-4.4.0-1] [MQTT-3.3.1-1].
    private mutating func resend(
        limit: Int, now: Timestamp, into out: inout ByteBuffer, _ pumped: inout Pumped
    ) {
        while out.readableBytes < limit, let connection, let id = connection.resends.last, connection.sendQuota > 0 {
            self.connection?.resends.removeLast()
            switch self.inFlight[id] {
            case .publish(let pending, isOnWire: false)?:
                // A message that has begun to be delivered does not expire (section 3.3.2.3.3).
                let packet = Publication(pending.message).packet(pending.terms, packetID: id, dup: true, now: now)
                guard self.fits(packet), (try? packet.encode(into: &out, version: connection.terms.version)) != nil
                else {
                    self.finish(id)
                    pumped.dropped.append(.tooLarge(pending.message.topic))
                    continue
                }
                pumped.written += 1
                self.inFlight.replace(id, with: .publish(pending, isOnWire: true))
            case .release(let number, isOnWire: false)?:
                self.send(.pubrel, Acknowledgement(id), into: &out)
                self.inFlight.replace(id, with: .release(number, isOnWire: true))
            // Acknowledged meanwhile.
            case .publish?, .release?, nil: continue
            }
            self.connection?.sendQuota -= 1
        }
    }

    /// Appends one PUBLISH. Returns `false`, having appended nothing, when it is larger than the client accepts.
    private mutating func write(
        _ publication: inout Publication, _ terms: DeliveryTerms, packetID: PacketID?, now: Timestamp,
        into out: inout ByteBuffer
    ) -> Bool {
        guard let connection else { return false }
        let version = connection.terms.version
        guard connection.terms.maximumPacketSize != nil || connection.aliases.maximum > 0 else {
            return (try? publication.write(terms, packetID: packetID, version: version, now: now, into: &out)) != nil
        }
        var packet = publication.packet(terms, packetID: packetID, now: now)
        guard self.fits(packet) else { return false }
        self.assignAlias(to: &packet, publication.topic)
        return (try? packet.encode(into: &out, version: version)) != nil
    }

    /// Whether the client accepts a packet of that size, and five bytes more for a topic alias.
    private func fits(_ packet: Publish) -> Bool {
        guard let terms = self.connection?.terms, let maximum = terms.maximumPacketSize else { return true }
        guard let size = try? packet.encodedSize(version: terms.version) else { return false }
        return size <= Int(maximum)
    }

    /// Has the topic named by an alias, if it is used often [MQTT-3.1.2-29] [MQTT-3.1.2-30].
    private mutating func assignAlias(to packet: inout Publish, _ topic: TopicName) {
        if let maximum = self.connection?.terms.maximumPacketSize {
            guard let size = try? packet.encodedSize(version: .v5_0), size <= Int(maximum) - 5 else { return }
        }
        switch self.connection?.aliases.assign(topic) {
        case .introduce(let alias)?: packet.topicAlias = alias
        case .use(let alias)?:
            packet.topicAlias = alias
            packet.topic = nil
        case Optional.none, .some(.none): break
        }
    }

    func send(_ kind: Acknowledgement.Kind, _ acknowledgement: Acknowledgement, into out: inout ByteBuffer) {
        guard let version = self.connection?.terms.version else { return }
        // An acknowledgement without properties can always be encoded.
        try? acknowledgement.encode(as: kind, into: &out, version: version)
    }
}

// What the client acknowledges.
extension BrokerSession {
    /// What an acknowledgement of the client means.
    package enum Acknowledged: Equatable, Sendable {
        /// A message has been delivered, or refused by the client with a reason code.
        case delivered(TopicName, ReasonCode)
        /// The exchange goes on; or the acknowledgement belongs to none, which is no fault while a session is recovered.
        case nothing
        /// The client has broken the protocol.
        case violation(String)
    }

    package mutating func receivedPuback(_ packet: Acknowledgement) -> Acknowledged {
        switch self.inFlight[packet.packetID] {
        case .publish(let pending, _)? where pending.terms.qos == .atLeastOnce:
            self.finish(packet.packetID)
            return .delivered(pending.message.topic, packet.reasonCode)
        case nil: return .nothing
        default: return .violation("PUBACK answers a message that was not sent at QoS 1.")
        }
    }

    package mutating func receivedPubrec(_ packet: Acknowledgement, into out: inout ByteBuffer) -> Acknowledged {
        switch self.inFlight[packet.packetID] {
        case .publish(let pending, let isOnWire)? where pending.terms.qos == .exactlyOnce:
            guard !packet.reasonCode.isFailure else {  // [MQTT-4.3.3-4]
                self.finish(packet.packetID)
                return .delivered(pending.message.topic, packet.reasonCode)
            }
            self.removeInFlight(pending)
            self.release(packet.packetID, pending.number, isOnWire: isOnWire, into: &out)
            self.record(.received(pending.number))
            self.inFlight.moveToSecondLane(packet.packetID)
            return .delivered(pending.message.topic, packet.reasonCode)
        case .release(let number, let isOnWire)?:
            self.release(packet.packetID, number, isOnWire: isOnWire, into: &out)
            return .nothing
        case nil:
            guard !packet.reasonCode.isFailure else { return .nothing }
            self.send(.pubrel, Acknowledgement(packet.packetID, reasonCode: .packetIdentifierNotFound), into: &out)
            return .nothing
        default: return .violation("PUBREC answers a message that was not sent at QoS 2.")
        }
    }

    package mutating func receivedPubcomp(_ packet: Acknowledgement) -> Acknowledged {
        switch self.inFlight[packet.packetID] {
        case .release?:
            self.finish(packet.packetID)
            return .nothing
        case nil: return .nothing
        default: return .violation("PUBCOMP came before PUBREC.")
        }
    }

    /// Answers PUBREC. An exchange that waited to be written again takes its place in the window with that.
    private mutating func release(_ id: PacketID, _ number: UInt64, isOnWire: Bool, into out: inout ByteBuffer) {
        if !isOnWire { self.connection?.sendQuota -= 1 }
        self.inFlight.replace(id, with: .release(number, isOnWire: true))
        self.send(.pubrel, Acknowledgement(id), into: &out)
    }

    /// Ends an exchange, and gives its place in the window back if it has one on this connection.
    mutating func finish(_ id: PacketID) {
        switch self.inFlight.remove(id) {
        case .publish(let pending, let isOnWire)?:
            self.removeInFlight(pending)
            self.record(.removed(pending.number))
            if isOnWire { self.connection?.sendQuota += 1 }
        case .release(let number, let isOnWire)?:
            self.record(.removed(number))
            if isOnWire { self.connection?.sendQuota += 1 }
        case nil: break
        }
    }
}
