package import NIOCore

// Handles the packets that a connected server may send.
extension ClientSession {
    /// What to do about a packet, besides collecting completions and sending what was appended to `out`.
    package enum Received: Equatable {
        /// Nothing more.
        case nothing
        /// Deliver the message to these subscribers. It is acknowledged when each has passed the token. Without
        /// subscribers it is unclaimed, and acknowledged when the owner has passed the token once. Without a token
        /// nothing is to be passed: at QoS 0 and for a filter that was given up.
        case message(Publish, to: [SubscriberID], DeliveryToken?)
        /// The answer to a PINGREQ.
        case pong
        /// A step of a re-authentication.
        case authenticate(Auth)
        /// The server ended the connection.
        case disconnected(Disconnect)
        /// The server broke the protocol, but its intention is clear: continue.
        case deviation(Deviation)
        /// The server broke the protocol: close the connection with this reason code.
        case violation(ReasonCode, String)
    }

    /// A harmless protocol violation by the server.
    package enum Deviation: Hashable, Sendable, CaseIterable {
        /// PUBACK for a QoS 2 message; ends its exchange.
        case pubackAtQoS2
        /// PUBREC for a QoS 1 message; ends its exchange.
        case pubrecAtQoS1
        /// PUBREC for a message whose PUBREL was sent on this connection.
        case repeatedPubrec
        /// PUBCOMP for a message that was not released; ends its exchange.
        case pubcompBeforePubrec

        /// Describes what the server did, as part of a sentence.
        package var summary: String {
            switch self {
            case .pubackAtQoS2: "it answered a message at QoS 2 with PUBACK"
            case .pubrecAtQoS1: "it answered a message at QoS 1 with PUBREC"
            case .repeatedPubrec: "it sent PUBREC again after PUBREL"
            case .pubcompBeforePubrec: "it sent PUBCOMP before PUBREL"
            }
        }
    }

    /// The server sent a packet after its CONNACK. Packets that arrive after the connection was lost are ignored.
    package mutating func received(
        _ packet: consuming Packet, now: Timestamp, into out: inout ByteBuffer
    ) -> Received {
        guard self.connection != nil else { return .nothing }
        switch consume packet {
        case .publish(let packet): return self.receivedPublish(consume packet, now, into: &out)
        case .puback(let packet): return self.pumped(self.receivedPuback(packet), now, &out)
        case .pubrec(let packet): return self.pumped(self.receivedPubrec(packet, into: &out), now, &out)
        case .pubcomp(let packet): return self.pumped(self.receivedPubcomp(packet), now, &out)
        case .pubrel(let packet): return self.receivedPubrel(packet, into: &out)
        case .suback(let packet): return self.pumped(self.receivedSuback(packet), now, &out)
        case .unsuback(let packet): return self.pumped(self.receivedUnsuback(packet), now, &out)
        case .pingresp:
            if let verdict = self.poison.ponged() { self.giveUp(verdict, now: now, into: &out) }
            return .pong
        case .auth(let packet): return .authenticate(packet)
        case .disconnect(let packet): return .disconnected(packet)
        case .connack: return .violation(.protocolError, "the server sent a second CONNACK")  // [MQTT-3.2.0-2]
        case .connect, .subscribe, .unsubscribe, .pingreq:
            return .violation(.protocolError, "the server sent a packet that only a client may send")
        }
    }

    private mutating func pumped(_ result: Received, _ now: Timestamp, _ out: inout ByteBuffer) -> Received {
        // The answer may have made room in the window, freed a packet identifier, or ended the exchange of a filter
        // that needs another one.
        if self.subscriptions.needsUpdate || !self.outbox.isEmpty || self.outgoing.hasResends {
            self.pump(now: now, into: &out)
        }
        return result
    }

    private mutating func receivedPublish(
        _ packet: consuming Publish, _ now: Timestamp, into out: inout ByteBuffer
    ) -> Received {
        if packet.topicAlias != nil || packet.topic == nil, let violation = self.resolveTopic(&packet) {
            return violation
        }
        guard let topic = packet.topic else {
            return .violation(.protocolError, "PUBLISH has neither a topic nor an alias")
        }
        let identifiers = packet.properties.isEmpty ? [] : packet.properties.subscriptionIdentifiers
        let receivers = self.subscriptions.route(topic, identifiers, retain: packet.retain)
        guard let id = packet.packetID else {
            return .message(consume packet, to: receivers, nil)
        }
        let isUnclaimed =
            receivers.isEmpty
            && !self.givenUp.expectsNobody(for: topic, identifiers, knowsAll: self.found == .absent, at: now)
        let count = isUnclaimed ? 1 : receivers.count
        switch self.incoming.receivedPublish(id, qos: packet.qos, dup: packet.dup, receivers: count) {
        case .new(let token):
            guard count == 0 else { return .message(consume packet, to: receivers, token) }
            self.sendAcknowledgements(into: &out)
            return .message(consume packet, to: [], nil)
        case .duplicate:
            self.sendAcknowledgements(into: &out)
            return .nothing
        case .receiveMaximumExceeded:
            return .violation(.receiveMaximumExceeded, "the server sent more messages than Receive Maximum allows")
        }
    }

    private mutating func resolveTopic(_ packet: inout Publish) -> Received? {
        do {
            packet.topic = try self.connection?.incomingAliases.resolve(packet.topic, alias: packet.topicAlias)
            return nil
        } catch {
            return .violation(error.reasonCode, "PUBLISH has a topic alias that stands for nothing: \(error)")
        }
    }

    /// A PUBLISH that exceeded a limit; it has no payload. It is acknowledged in its turn, with a failure where the
    /// version has one: without an answer the server would send it again and again, and nothing else.
    ///
    /// - Returns: As ``received(_:now:into:)``; with `message`, the subscribers that would have received the message.
    package mutating func receivedSkipped(_ packet: Publish, into out: inout ByteBuffer) -> Received {
        guard self.connection != nil else { return .nothing }
        var packet = packet
        if let violation = self.resolveTopic(&packet) { return violation }
        guard let topic = packet.topic else {
            return .violation(.protocolError, "PUBLISH has neither a topic nor an alias")
        }
        let receivers = self.subscriptions.route(
            topic, packet.properties.subscriptionIdentifiers, retain: packet.retain)
        guard let id = packet.packetID else { return .message(packet, to: receivers, nil) }
        switch self.incoming.receivedPublish(id, qos: packet.qos, dup: packet.dup, receivers: 1) {
        case .new(let token):
            self.consumed(token, reasonCode: .implementationSpecificError, into: &out)
            return .message(packet, to: receivers, nil)
        case .duplicate:
            self.sendAcknowledgements(into: &out)
            return .nothing
        case .receiveMaximumExceeded:
            return .violation(.receiveMaximumExceeded, "the server sent more messages than Receive Maximum allows")
        }
    }

    private mutating func receivedPubrel(_ packet: Acknowledgement, into out: inout ByteBuffer) -> Received {
        switch self.incoming.receivedPubrel(packet.packetID) {
        case .complete(let code):
            self.send(.pubcomp, Acknowledgement(packet.packetID, reasonCode: code), into: &out)
            return .nothing
        case .protocolError:
            return .violation(.protocolError, "PUBREL came before PUBREC")
        }
    }

    /// A subscriber has passed a message. Acknowledgements whose turn has come are appended to `out`.
    package mutating func consumed(
        _ token: DeliveryToken, reasonCode: ReasonCode = .success, into out: inout ByteBuffer
    ) {
        self.incoming.consumed(token, reasonCode: reasonCode)
        self.sendAcknowledgements(into: &out)
    }

    /// Whether the server still waits for a subscriber to pass this message, on this connection or the next.
    package func isOwed(_ token: DeliveryToken) -> Bool { self.incoming.isOwed(token) }

    /// Whether the server has lost its session since it sent this message, and will not send it again.
    package func isOrphan(_ token: DeliveryToken) -> Bool { self.incoming.isOrphan(token) }

    private mutating func sendAcknowledgements(into out: inout ByteBuffer) {
        guard self.connection != nil else { return }
        while let (kind, acknowledgement) = self.incoming.nextAcknowledgement() {
            self.send(kind, acknowledgement, into: &out)
        }
    }
}
