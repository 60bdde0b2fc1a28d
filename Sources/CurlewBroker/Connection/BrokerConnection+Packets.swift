import CurlewCore
import NIOCore
import Synchronization

// The packets of a connected client, except SUBSCRIBE and UNSUBSCRIBE.
extension BrokerConnection {
    // MARK: Messages

    func receivedPublish(_ packet: consuming Publish, now: Timestamp) {
        self.worker.counters.publishesReceived.count()
        self.worker.counters.publishBytesReceived.count(packet.payload.readableBytes)
        let topic: TopicName
        do throws(IncomingTopicAliases.Failure) {
            topic = try self.aliases.resolve(packet.topic, alias: packet.topicAlias)
        } catch {
            return self.close(error.reasonCode, error.description)
        }
        guard packet.qos <= self.rules.terms.maximumQoS else {  // [MQTT-3.2.2-11]
            return self.close(.qosNotSupported, "The QoS is above \(self.rules.terms.maximumQoS.rawValue).")
        }
        guard !packet.retain || self.rules.terms.retainAvailable else {  // [MQTT-3.2.2-14]
            return self.close(.retainNotSupported, "The server keeps no retained messages.")
        }
        guard let id = packet.packetID else {
            // Not acknowledged, so that nothing waits for the store even if the message is to be retained.
            _ = self.submit(packet, topic: topic, now: now)
            return
        }
        switch self.incoming.receivedPublish(id, qos: packet.qos) {
        case .receiveMaximumExceeded:
            self.close(.receiveMaximumExceeded, "More messages are in flight than the Receive Maximum allows.")
        case .duplicate: self.acknowledge(.pubrec, id, .success)
        case .new where packet.qos == .exactlyOnce:
            let received = MQTTBrokerChange.received(clientIdentifier: self.client.identifier, id)
            let (code, position) = self.submit(packet, topic: topic, with: self.isStored ? received : nil, now: now)
            if code.isFailure { self.incoming.refused(id) }
            self.holdReplies(for: position)
            self.acknowledge(.pubrec, id, code)  // [MQTT-4.3.3-8]
        case .new:
            let (code, position) = self.submit(packet, topic: topic, now: now)
            self.incoming.acknowledged()
            self.holdReplies(for: position)
            self.acknowledge(.puback, id, code)  // [MQTT-4.3.2-4]
        }
    }

    /// Whether the session is stored.
    private var isStored: Bool { self.engine.journal != nil && self.admitted?.sessionExpiry != .atDisconnect }

    /// Publishes a message if the client may do so.
    ///
    /// - Returns: The reason code of the acknowledgement, and the position in the journal that it waits for.
    private func submit(
        _ packet: consuming Publish, topic: TopicName, with change: MQTTBrokerChange? = nil, now: Timestamp
    ) -> (ReasonCode, JournalPosition) {
        guard let session, topic.isForClients, self.mayPublish(to: topic) else { return (.notAuthorized, .none) }
        let publisher = BrokerEngine.Publisher(client: self.client, session: session)
        let published = self.engine.publish(
            packet, topic: topic, from: publisher, holding: self.life.canHoldMessages ? self.handle : nil, with: change,
            on: self.worker, now: now)
        switch published {
        case .routed(let routing):
            if !routing.holders.isEmpty { self.hold(for: routing) }
            let code: ReasonCode = routing.receivers == 0 ? .noMatchingSubscribers : .success
            return (routing.isRefused ? .quotaExceeded : code, routing.effects.position)
        case .rejected(let code): return (code.isFailure ? code : .notAuthorized, .none)
        }
    }

    private func mayPublish(to topic: TopicName) -> Bool {
        guard !self.rules.authorizers.isEmpty else { return true }
        let version = self.engine.authorizationVersion.load(ordering: .relaxed)
        return self.permissions.allows(topic, version: version) { [rules, client] in
            rules.allows(client, .publish(topic))
        }
    }

    private func acknowledge(_ kind: Acknowledgement.Kind, _ id: PacketID, _ code: ReasonCode) {
        let acknowledgement = Acknowledgement(id, reasonCode: code)
        switch kind {
        case .puback: self.reply(.puback(acknowledgement))
        case .pubrec: self.reply(.pubrec(acknowledgement))
        case .pubrel: self.reply(.pubrel(acknowledgement))
        case .pubcomp: self.reply(.pubcomp(acknowledgement))
        }
    }

    func receivedPubrel(_ packet: Acknowledgement) {
        let code = self.incoming.receivedPubrel(packet.packetID)
        if self.isStored, code == .success {
            self.holdReplies(
                for: self.engine.recorder.record(.released(clientIdentifier: self.client.identifier, packet.packetID)))
        }
        self.acknowledge(.pubcomp, packet.packetID, code)
    }

    // MARK: Acknowledgements

    func receivedPuback(_ packet: Acknowledgement) {
        self.acknowledged { state in state.session.receivedPuback(packet) }
    }

    func receivedPubrec(_ packet: Acknowledgement) {
        self.acknowledged { state in state.session.receivedPubrec(packet, into: &state.out) }
    }

    func receivedPubcomp(_ packet: Acknowledgement) {
        self.acknowledged { state in state.session.receivedPubcomp(packet) }
    }

    private func acknowledged(_ body: (inout HostedSession.State) -> BrokerSession.Acknowledged) {
        guard let session else { return }
        let (outcome, mustFlush) = session.state.withLock { state in
            let outcome = body(&state)
            if case .delivered = outcome { state.session.progressed(messages: 1, now: self.life.reading.lastRead) }
            session.account(&state)
            return (outcome, state.out.readableBytes > 0 || state.session.hasMoreToWrite)
        }
        if mustFlush || !self.retained.isEmpty { self.flushSoon() }
        switch outcome {
        case .delivered(let topic, let code):
            self.engine.events.tell(
                .acknowledged, .acknowledged(clientIdentifier: self.client.identifier, topic, code))
        case .nothing: break
        case .violation(let reason): self.close(.protocolError, reason)
        }
    }

    // MARK: The end

    func receivedDisconnect(_ packet: Disconnect) {
        guard let session, let admitted else { return }
        if let seconds = packet.properties.sessionExpiryInterval {
            guard admitted.sessionExpiry != .atDisconnect || seconds == 0 else {  // section 3.14.2.2.2
                return self.close(
                    .protocolError, "A session expiry interval of 0 in CONNECT cannot be changed by DISCONNECT.")
            }
            let expiry = SessionExpiry(seconds: seconds).limited(to: self.rules.terms.maximumSessionExpiry)
            session.state.withLock { $0.expiry = expiry }
        }
        if packet.reasonCode == .normalDisconnection { session.state.withLock { $0.will = nil } }  // [MQTT-3.14.4-3]
        self.finish(packet.reasonCode)
    }
}

extension TopicName {
    /// Whether only the broker itself may publish to it (section 4.7.2).
    var isReserved: Bool { self.string.utf8.starts(with: "$SYS/".utf8) }

    /// Whether clients may publish to it, unless an authorizer denies it. Bridges of mosquitto publish their state
    /// below `$SYS`.
    var isForClients: Bool { !self.isReserved || Self.bridgeStates?.matches(self) == true }

    private static let bridgeStates = try? TopicFilter("$SYS/broker/connection/+/state")
}
