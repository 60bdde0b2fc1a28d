import CurlewCore

/// A client that follows the standard, and keeps its state across connections.
final class Client {
    /// One of the client's own messages at QoS 1 or 2 that is not yet fully acknowledged.
    struct Outgoing {
        let id: PacketID
        let number: Int
        /// Whether PUBREC has been received.
        var isReleased = false
    }

    /// A packet that the client still has to send as an answer.
    struct Owed {
        let kind: Acknowledgement.Kind
        let id: PacketID
        /// The number of the broker's message that it answers, if any.
        let number: Int?
    }

    let index: Int
    private let model: Model
    private(set) var wire: Wire?
    /// The session that the following state belongs to.
    private var session: Session?
    /// In the order in which they were first sent.
    private(set) var outgoing: [Outgoing] = []
    /// QoS 2 messages from the broker that were accepted and not yet released.
    private var held: Set<PacketID> = []
    private(set) var owed: [Owed] = []
    /// Packet identifiers of unanswered SUBSCRIBEs and UNSUBSCRIBEs.
    private var requests: Set<PacketID> = []
    /// How often each message was accepted, and how often refused.
    private var accepted: [Delivered: Int] = [:]
    private var refused: [Delivered: Int] = [:]
    /// Whether the client still answers messages of an earlier connection before they are resent.
    private var keepsOwed = false

    init(_ index: Int, _ model: Model) {
        self.index = index
        self.model = model
    }

    /// The connection, if the broker has accepted it.
    private var accepting: Wire? { self.wire.flatMap { $0.isAccepted ? $0 : nil } }

    // MARK: Connections

    /// Connects, and replaces an earlier connection if there is one.
    func connect(_ wire: Wire, _ connect: Connect, keepsOwed: Bool) {
        // A connection whose CONNECT has not arrived is given up here; the broker closes any other.
        if let old = self.wire, old.session == nil { old.lose() }
        self.wire = wire
        self.requests = []
        self.keepsOwed = keepsOwed
        wire.send(.connect(connect))
    }

    func disconnect(withWill: Bool, endsSession: Bool) {
        guard let wire = self.accepting else { return }
        var packet = Disconnect(reasonCode: withWill ? .disconnectWithWillMessage : .normalDisconnection)
        if wire.version < .v5_0 { packet = Disconnect() }
        if wire.version == .v5_0, endsSession { packet.properties.list = [.sessionExpiryInterval(0)] }
        wire.send(.disconnect(packet))
        // The client then closes the connection, so that packets held up on it do not arrive.
        if wire.isStalled || !wire.deliver() { wire.lose() }
        self.wire = nil
    }

    func lose() { exchange(&self.wire, with: nil)?.lose() }

    /// The broker has died.
    func forgetWire() { self.wire = nil }

    // MARK: Packets that the client sends first

    private func makeID() -> PacketID? {
        // The first free identifier, so that identifiers are soon used again.
        (1...UInt16.max).lazy.compactMap(PacketID.init).first { id in
            !self.requests.contains(id) && !self.outgoing.contains { $0.id == id }
        }
    }

    func publish(topic: Int, qos: QoS, retain: Bool) {
        guard let wire = self.accepting else { return }
        guard qos > .atMostOnce else {
            return wire.send(.publish(self.publish(self.makeMessage(topic, qos, retain), id: nil, dup: false)))
        }
        guard self.outgoing.count < Model.receiveMaximum, let id = self.makeID() else { return }
        let outgoing = Outgoing(id: id, number: self.makeMessage(topic, qos, retain))
        self.outgoing.append(outgoing)
        wire.send(.publish(self.publish(outgoing.number, id: id, dup: false)))
    }

    private func makeMessage(_ topic: Int, _ qos: QoS, _ retain: Bool) -> Int {
        self.model.makeMessage(Message(publisher: self.index, topic: topic, qos: qos, retain: retain, isWill: false))
    }

    private func publish(_ number: Int, id: PacketID?, dup: Bool) -> Publish {
        let message = self.model.messages[number]
        return Publish(
            topic: Names.topics[message.topic], payload: Message.payload(number), qos: message.qos,
            retain: message.retain, dup: dup, packetID: id)
    }

    /// Removes a topic's retained message.
    func removeRetained(topic: Int) {
        self.accepting?.send(.publish(Publish(topic: Names.topics[topic], payload: Message.noPayload, retain: true)))
    }

    func subscribe(filter: Int, _ options: SubscriptionOptions) {
        guard let wire = self.accepting, let id = self.makeID() else { return }
        self.requests.insert(id)
        var options = options
        if wire.version < .v5_0 { options = SubscriptionOptions(qos: options.qos) }
        if Names.isShared(filter) { options.noLocal = false }
        var packet = Subscribe(id, [Subscribe.Subscription(Names.filters[filter], options)])
        // Each filter has its own subscription identifier.
        if wire.version == .v5_0 { packet.properties.list = [.subscriptionIdentifier(UInt32(filter) + 1)] }
        wire.send(.subscribe(packet))
    }

    func unsubscribe(filter: Int) {
        guard let wire = self.accepting, let id = self.makeID() else { return }
        self.requests.insert(id)
        wire.send(.unsubscribe(Unsubscribe(id, [Names.filters[filter]])))
    }

    func ping() { self.accepting?.send(.pingreq) }

    // MARK: Answers

    /// Sends one of the answers that are due.
    func answer(_ index: Int) {
        guard let wire = self.accepting, !self.owed.isEmpty else { return }
        let owed = self.owed.remove(at: index % self.owed.count)
        let packet = Acknowledgement(owed.id)
        switch owed.kind {
        case .puback: wire.send(.puback(packet))
        case .pubrec:
            if self.held.insert(owed.id).inserted { self.count(owed, .exactlyOnce, in: &self.accepted) }
            wire.send(.pubrec(packet))
        case .pubrel: wire.send(.pubrel(packet))
        case .pubcomp: wire.send(.pubcomp(packet))
        }
    }

    /// Refuses a message for which an answer is due, if there is one and the version allows it.
    func refuse() {
        guard let wire = self.accepting, wire.version == .v5_0,
            let index = self.owed.firstIndex(where: { owed in
                owed.kind == .puback || owed.kind == .pubrec && !self.held.contains(owed.id)
            })
        else { return }
        let owed = self.owed.remove(at: index)
        let packet = Acknowledgement(owed.id, reasonCode: .quotaExceeded)
        guard owed.kind == .pubrec else { return wire.send(.puback(packet)) }
        self.count(owed, .exactlyOnce, in: &self.refused)
        wire.send(.pubrec(packet))
    }

    private func count(_ owed: Owed, _ qos: QoS, in counts: inout [Delivered: Int]) {
        if let number = owed.number { counts[Delivered(number: number, qos: qos), default: 0] += 1 }
    }

    private func owe(_ kind: Acknowledgement.Kind, _ id: PacketID, _ number: Int?) {
        guard !self.owed.contains(where: { $0.kind == kind && $0.id == id }) else { return }
        self.owed.append(Owed(kind: kind, id: id, number: number))
    }

    // MARK: Packets that the client receives

    func read(_ packet: Packet) {
        switch packet {
        case .connack: self.readConnack()
        case .publish(let packet): self.read(packet)
        case .puback(let packet): self.outgoing.removeAll { $0.id == packet.packetID }
        case .pubrec(let packet): self.readPubrec(packet)
        case .pubrel(let packet):
            self.held.remove(packet.packetID)
            self.owed.removeAll { $0.kind == .pubrec && $0.id == packet.packetID }
            self.owe(.pubcomp, packet.packetID, nil)
        case .pubcomp(let packet): self.outgoing.removeAll { $0.id == packet.packetID }
        case .suback(let packet): self.requests.remove(packet.packetID)
        case .unsuback(let packet): self.requests.remove(packet.packetID)
        default: break
        }
    }

    private func readConnack() {
        guard let wire, let session = wire.session else { return }
        wire.isAccepted = true
        if session !== self.session {
            self.session = session
            self.outgoing = []
            self.held = []
            self.owed = []
            self.accepted = [:]
            self.refused = [:]
        }
        self.owed.removeAll { !self.keepsOwed || !$0.isStillOwed(session) }
        // [MQTT-4.4.0-1]
        for outgoing in self.outgoing {
            if outgoing.isReleased {
                wire.send(.pubrel(Acknowledgement(outgoing.id)))
            } else {
                wire.send(.publish(self.publish(outgoing.number, id: outgoing.id, dup: true)))
            }
        }
    }

    private func read(_ packet: Publish) {
        guard let id = packet.packetID, let number = Message.number(packet.payload) else { return }
        if packet.qos == .atLeastOnce { self.accepted[Delivered(number: number, qos: .atLeastOnce), default: 0] += 1 }
        self.owe(packet.qos == .atLeastOnce ? .puback : .pubrec, id, number)
    }

    private func readPubrec(_ packet: Acknowledgement) {
        guard let index = self.outgoing.firstIndex(where: { $0.id == packet.packetID }) else { return }
        self.outgoing[index].isReleased = true
        self.owe(.pubrel, packet.packetID, nil)
    }

    /// Checks at the end that the client has every message that was sent to it: once at QoS 2, at least once at QoS 1.
    func checkIsComplete() {
        guard let session, self.model.sessions[self.index] === session else { return }
        for (message, exchanges) in session.exchanges {
            let accepted = self.accepted[message, default: 0]
            let refused = self.refused[message, default: 0]
            expect(accepted + refused >= exchanges, "client \(self.index) has never got \(message)")
            expect(accepted <= exchanges || message.qos < .exactlyOnce, "client \(self.index) has got \(message) twice")
        }
    }
}

extension Client.Owed {
    /// Whether the broker still waits for this answer on a later connection.
    fileprivate func isStillOwed(_ session: Session) -> Bool {
        guard let sent = session.inFlight[self.id] else { return false }
        switch self.kind {
        case .puback, .pubrec: return sent.number == self.number && !sent.isReleased
        case .pubcomp: return sent.isReleased
        case .pubrel: return false
        }
    }
}
