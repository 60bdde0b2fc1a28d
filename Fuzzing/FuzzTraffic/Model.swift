import CurlewCore

@testable import FuzzSupport

/// What the broker has to do, in as few words as possible: it hears all that the broker hears, knows what has to follow, and compares.
final class Model {
    static let maximumInFlight = 5
    static let receiveMaximum = 4

    /// A message that one of those who share a subscription has to get.
    struct Shared {
        let filter: Int
        let number: Int
        let routing: Int
        /// Whether it cannot be lost: not if it went to one whose session has ended, or who cannot have it at QoS 1 or 2.
        var isCertain: Bool
    }

    /// The message that is retained for a topic, and which of all that ever were it is.
    struct Retained {
        let number: Int
        let routing: Int
        let version: Int
    }

    let clock: FuzzClock
    let hasStore: Bool
    /// Sessions by client.
    var sessions: [Int: Session] = [:]
    var messages: [Message] = []
    /// Retained messages by topic.
    var retained: [Int: Retained] = [:]
    var retainedVersions = 0
    var shared: [Shared] = []
    /// Clients that were told that nothing is kept of them.
    var forgotten: Set<Int> = []
    /// How often a message was sent first, or a time was set.
    private var orders = 0

    init(_ clock: FuzzClock, hasStore: Bool) {
        self.clock = clock
        self.hasStore = hasStore
    }

    var now: Duration { self.clock.now.elapsed }

    func nextOrder() -> Int {
        self.orders += 1
        return self.orders
    }

    /// A new message, which its publisher may publish. Returns its number.
    func makeMessage(_ message: Message) -> Int {
        self.messages.append(message)
        return self.messages.count - 1
    }

    /// The broker gets a packet.
    func received(_ packet: Packet, on wire: Wire) {
        if case .connect(let connect) = packet { return self.received(connect, on: wire) }
        guard let session = wire.session else { violation("a client has sent \(packet.summary) too early") }
        switch packet {
        case .publish(let packet): self.received(packet, on: wire, of: session)
        case .pubrel(let packet): self.receivedPubrel(packet, on: wire, of: session)
        case .puback(let packet): self.receivedPuback(packet, of: session)
        case .pubrec(let packet): self.receivedPubrec(packet, on: wire, of: session)
        case .pubcomp(let packet): self.receivedPubcomp(packet, of: session)
        case .subscribe(let packet): self.received(packet, on: wire, of: session)
        case .unsubscribe(let packet): self.received(packet, on: wire, of: session)
        case .disconnect(let packet): self.received(packet, on: wire, of: session)
        case .pingreq: wire.expectAnswer(.pingresp)
        default: violation("no client sends \(packet.summary)")
        }
    }

    // MARK: Messages of the client

    private func received(_ packet: Publish, on wire: Wire, of session: Session) {
        guard let topic = Names.topic(packet.topic) else { violation("there is no such topic") }
        guard let number = Message.number(packet.payload) else {
            // At QoS 0, it only removes what is retained.
            return self.retained[topic] = nil
        }
        guard let id = packet.packetID else {
            _ = self.route(number, from: session)
            return
        }
        guard packet.qos == .exactlyOnce else {
            let code = self.route(number, from: session)
            return wire.expectAnswer(.puback(Acknowledgement(id, reasonCode: code)), isTold: self.promise(number))
        }
        var code = ReasonCode.success
        if session.received.insert(id).inserted {
            code = self.route(number, from: session)
            _ = session.change(.received(id))
        }
        let change = session.lastChange(.received(id))
        let promise = self.promise(number)
        wire.expectAnswer(.pubrec(Acknowledgement(id, reasonCode: code))) {
            promise()
            session.tell(.received(id), change)
        }
    }

    /// What to do when the publisher is told that the broker has a message.
    private func promise(_ number: Int) -> () -> Void {
        let routing = self.messages[number].routings
        return { self.messages[number].promised = max(self.messages[number].promised, routing) }
    }

    private func receivedPubrel(_ packet: Acknowledgement, on wire: Wire, of session: Session) {
        let id = packet.packetID
        var code = ReasonCode.packetIdentifierNotFound
        if session.received.remove(id) != nil {
            code = .success
            _ = session.change(.received(id))
        }
        let change = session.lastChange(.received(id))
        wire.expectAnswer(.pubcomp(Acknowledgement(id, reasonCode: code))) { session.tell(.received(id), change) }
    }

    // MARK: Acknowledgements of the client

    private func receivedPuback(_ packet: Acknowledgement, of session: Session) {
        guard let sent = session.inFlight[packet.packetID] else { return }
        expect(sent.qos == .atLeastOnce, "a client has sent PUBACK for QoS 2")
        session.inFlight[packet.packetID] = nil
    }

    private func receivedPubrec(_ packet: Acknowledgement, on wire: Wire, of session: Session) {
        let id = packet.packetID
        if packet.reasonCode.isFailure, session.inFlight[id]?.isReleased != true {
            session.inFlight[id] = nil
            return
        }
        // One that belongs to no exchange is answered as well.
        wire.releases[id, default: 0] += 1
        session.inFlight[id]?.isReleased = true
        session.inFlight[id]?.lastOn = wire.number
    }

    private func receivedPubcomp(_ packet: Acknowledgement, of session: Session) {
        guard let sent = session.inFlight[packet.packetID] else { return }
        expect(sent.isReleased, "a client has sent PUBCOMP before PUBREC")
        session.inFlight[packet.packetID] = nil
    }

    // MARK: Subscriptions

    private func received(_ packet: Subscribe, on wire: Wire, of session: Session) {
        let identifier = packet.properties.subscriptionIdentifiers.first
        var changes: [(Session.Fact, Int)] = []
        var codes: [ReasonCode] = []
        for subscription in packet.subscriptions {
            guard let filter = Names.filter(subscription.filter) else { violation("there is no such filter") }
            let options = subscription.options
            let new = Session.Subscription(
                qos: options.qos, noLocal: options.noLocal, retainAsPublished: options.retainAsPublished,
                identifier: identifier)
            let isNew = session.subscriptions.updateValue(new, forKey: filter) == nil
            changes.append((.subscription(filter), session.change(.subscription(filter))))
            codes.append(ReasonCode(rawValue: options.qos.rawValue))
            if Names.isShared(filter) {
                session.shared[filter, default: []].append(new)
            } else if options.retainHandling == .sendAtSubscribe || options.retainHandling == .sendIfNew && isNew {
                self.oweRetained(filter, new, to: session)
            }
        }
        wire.expectAnswer(.suback(SubAck(packet.packetID, codes))) {
            for (fact, change) in changes { session.tell(fact, change) }
        }
    }

    private func received(_ packet: Unsubscribe, on wire: Wire, of session: Session) {
        var changes: [(Session.Fact, Int)] = []
        var codes: [ReasonCode] = []
        for filter in packet.filters.compactMap(Names.filter) {
            let existed = session.subscriptions.removeValue(forKey: filter) != nil
            codes.append(existed ? .success : .noSubscriptionExisted)
            if existed { _ = session.change(.subscription(filter)) }
            changes.append((.subscription(filter), session.lastChange(.subscription(filter))))
            session.disownRetained(filter)
            if Names.isShared(filter) { self.leave([filter]) }
        }
        wire.expectAnswer(.unsuback(UnsubAck(packet.packetID, codes))) {
            for (fact, change) in changes { session.tell(fact, change) }
        }
    }
}
