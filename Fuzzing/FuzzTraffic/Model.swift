import CurlewCore

@testable import FuzzSupport

/// A simple model of the broker: it sees all packets that the broker sees, knows what must follow, and compares.
final class Model {
    static let maximumInFlight = 5
    static let receiveMaximum = 4

    /// A message that one member of a shared subscription must get.
    struct Shared {
        let filter: Int
        let number: Int
        let routing: Int
        /// Whether it must not be lost. It may be lost if its session has ended, or gets it at QoS 0.
        var isCertain: Bool
    }

    /// A topic's retained message, with a unique version.
    struct Retained {
        let number: Int
        let routing: Int
        let version: Int
    }

    let clock: FuzzClock
    let hasStore: Bool
    /// The sessions by client.
    var sessions: [Int: Session] = [:]
    var messages: [Message] = []
    /// The retained messages by topic.
    var retained: [Int: Retained] = [:]
    var retainedVersions = 0
    var shared: [Shared] = []
    /// Clients that were told that their session is not kept.
    var forgotten: Set<Int> = []
    /// A counter for first transmissions and set times.
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

    /// Makes a new message for its publisher. Returns its number.
    func makeMessage(_ message: Message) -> Int {
        self.messages.append(message)
        return self.messages.count - 1
    }

    /// Processes a packet that the broker receives.
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
            // A QoS 0 message that only removes the retained one.
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

    /// Returns a closure for the moment when the publisher is told that the broker has a message.
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
        // PUBREC is answered even if it belongs to no exchange.
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
