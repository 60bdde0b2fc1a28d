import CurlewCore

// Packets from the broker.
extension Model {
    /// Processes a packet that the broker has written.
    func wrote(_ packet: Packet, on wire: Wire) {
        switch packet {
        case .publish(let packet): self.wrote(packet, on: wire)
        case .pubrel(let packet): self.wrotePubrel(packet, on: wire)
        case .disconnect(let packet):
            expect(
                wire.isTakenOver && packet.reasonCode == .sessionTakenOver,
                "the broker has sent DISCONNECT to a client that has done nothing wrong")
        default: wire.answered(packet)
        }
    }

    private func wrote(_ packet: Publish, on wire: Wire) {
        expect(wire.hasBegun, "a message came before CONNACK [MQTT-3.2.0-1]")
        guard let session = wire.session else { violation("a message came on a connection that is over") }
        var packet = packet
        do {
            packet.topic = try wire.aliases.resolve(packet.topic, alias: packet.topicAlias)
        } catch {
            violation("\(error)")
        }
        guard let number = Message.number(packet.payload) else {
            return expect(packet.qos == .atMostOnce, "an empty message has another QoS")
        }
        expect(number < self.messages.count, "there is no message \(number)")
        expect(Names.topic(packet.topic) == self.messages[number].topic, "message \(number) has another topic")
        guard let id = packet.packetID else {
            _ = self.take(number, packet, for: session, on: wire)
            return
        }
        if session.inFlight[id] != nil {
            self.wroteAgain(number, packet, id, of: session, on: wire)
        } else {
            self.wroteFirst(number, packet, id, of: session, on: wire)
        }
        let inFlight = session.inFlight.values.count { $0.publishedOn == wire.number }
        expect(inFlight <= wire.window, "\(inFlight) messages are in flight [MQTT-3.3.4-9]")
    }

    private func wroteFirst(_ number: Int, _ packet: Publish, _ id: PacketID, of session: Session, on wire: Wire) {
        // With a store, a message sent before may never have left, because it had to wait for the store.
        expect(!packet.dup || self.hasStore, "message \(number) has DUP and was not sent before [MQTT-3.3.1-1]")
        expect(
            session.inFlight.values.allSatisfy { $0.lastOn == wire.number },
            "message \(number) came before others were sent again [MQTT-4.4.0-1]")
        let group = self.take(number, packet, for: session, on: wire)
        self.begin(number, packet.qos, id, of: session)
        session.inFlight[id] = Session.InFlight(
            number: number, qos: packet.qos, order: self.nextOrder(), group: group, publishedOn: wire.number,
            lastOn: wire.number)
    }

    /// Counts an exchange, unless it was counted before the broker was restored.
    private func begin(_ number: Int, _ qos: QoS, _ id: PacketID, of session: Session) {
        guard session.written.updateValue(number, forKey: id) != number else { return }
        session.exchanges[Delivered(number: number, qos: qos), default: 0] += 1
    }

    private func wroteAgain(_ number: Int, _ packet: Publish, _ id: PacketID, of session: Session, on wire: Wire) {
        guard let sent = session.inFlight[id] else { return }
        expect(sent.number == number && sent.qos == packet.qos, "packet identifier \(id) is in use [MQTT-2.2.1-4]")
        expect(!sent.isReleased, "message \(number) is sent again after PUBREC [MQTT-4.3.3-6]")
        expect(packet.dup, "message \(number) is sent again without DUP [MQTT-3.3.1-1]")
        expect(sent.lastOn != wire.number, "message \(number) is sent twice on one connection [MQTT-4.4.0-1]")
        let isInOrder = session.inFlight.values.allSatisfy {
            $0.order <= sent.order || $0.isReleased || $0.publishedOn != wire.number
        }
        expect(isInOrder, "message \(number) is sent again after a later one [MQTT-4.6.0-1]")
        self.begin(number, packet.qos, id, of: session)
        session.inFlight[id]?.publishedOn = wire.number
        session.inFlight[id]?.lastOn = wire.number
    }

    private func wrotePubrel(_ packet: Acknowledgement, on wire: Wire) {
        let id = packet.packetID
        if let owed = wire.releases[id], owed > 0 {
            wire.releases[id] = owed - 1
            return
        }
        guard let sent = wire.session?.inFlight[id] else { violation("PUBREL \(id) belongs to nothing") }
        expect(sent.isReleased && sent.lastOn != wire.number, "PUBREL \(id) must not be sent")
        wire.session?.inFlight[id]?.lastOn = wire.number
    }
}
