import NIOCore
import Testing

@testable import CurlewCore

/// A session together with the state that a store would keep of it.
private struct KeptSession {
    var session = BrokerSession(
        bounds: BrokerSession.Bounds(inFlightMessages: 6, queuedMessages: 8, dropsOldest: true))
    var kept: [UInt64: BrokerSession.Kept] = [:]
    var random: SplitMix64
    private var out = ByteBuffer()
    private let topic = TopicName("t")
    private var now = Timestamp.start
    private var count = 0

    init(seed: UInt64) {
        self.random = SplitMix64(seed: seed)
        self.session.isKept = true
    }

    mutating func step() {
        switch UInt8.random(in: 0..<10, using: &self.random) {
        case 0: self.session.disconnected()
        case 1: self.session.connected(BrokerSession.ConnectionTerms(version: .v5_0, receiveMaximum: 4))
        case 2: _ = self.session.pump(limit: 200, now: self.now, into: &self.out)
        case 3: self.now = self.now + .seconds(1)
        case 4, 5: self.acknowledge()
        default: self.deliver()
        }
        self.out.clear()
        for change in self.session.takeChanges() { self.apply(change) }
    }

    private mutating func deliver() {
        self.count += 1
        let qos = QoS.allCases.randomElement(using: &self.random) ?? .atMostOnce
        let expires = Bool.random(using: &self.random)
        let packet = Publish(
            topic: nil, payload: ByteBuffer(string: "\(self.count)"), qos: qos,
            packetID: qos == .atMostOnce ? nil : PacketID(1),
            properties: Properties(expires ? [.messageExpiryInterval(3)] : []))
        var publication = Publication(packet, topic: self.topic, now: self.now)
        _ = self.session.deliver(
            &publication, DeliveryTerms(qos: qos, retain: false), canWrite: Bool.random(using: &self.random),
            room: { .max }, now: self.now, into: &self.out)
    }

    private mutating func acknowledge() {
        let isUnanswered = Bool.random(using: &self.random)
        let identifiers = self.session.outgoing.identifiers(in: isUnanswered ? .unanswered : .released)
        guard self.session.isConnected, let id = identifiers.first else { return }
        switch self.session.outgoing[id] {
        case .publish(let pending)? where pending.terms.qos == .atLeastOnce:
            _ = self.session.receivedPuback(Acknowledgement(id))
        case .publish?: _ = self.session.receivedPubrec(Acknowledgement(id), into: &self.out)
        case .release?: _ = self.session.receivedPubcomp(Acknowledgement(id))
        case nil: break
        }
    }

    private mutating func apply(_ change: BrokerSession.Change) {
        switch change {
        case .added(let kept):
            #expect(self.kept[kept.number] == nil)
            self.kept[kept.number] = kept
        case .sent(let number, let id):
            #expect(self.kept[number] != nil)
            self.kept[number]?.packetID = id
        case .received(let number):
            #expect(self.kept[number]?.packetID != nil)
            self.kept[number]?.message = nil
        case .removed(let number): #expect(self.kept.removeValue(forKey: number) != nil)
        }
    }

    /// What a client receives if it connects now, to the session itself or to one restored from the kept state.
    func packets(fromKept isRestored: Bool) throws -> [Packet] {
        var session = self.session
        if isRestored {
            session = BrokerSession(bounds: self.session.bounds)
            session.restore(Array(self.kept.values))
        }
        session.disconnected()
        session.connected(BrokerSession.ConnectionTerms(version: .v5_0, receiveMaximum: 100))
        var (out, packets) = (ByteBuffer(), [Packet]())
        _ = session.pump(limit: .max, now: self.now, into: &out)
        var decoder = PacketDecoder(from: .server, version: .v5_0, maximumPacketSize: 1 << 20)
        while let packet = try decoder.decode(from: &out) {
            // A message sent for the first time may have any packet identifier.
            if case .publish(var publish) = packet, !publish.dup {
                publish.packetID = nil
                packets.append(.publish(publish))
            } else {
                packets.append(packet)
            }
        }
        return packets
    }
}

@Suite("Storing and restoring a broker's session")
struct BrokerSessionKeepingTests {
    @Test("A restored session sends what the original session would send", arguments: 0..<40 as Range<UInt64>)
    func restored(seed: UInt64) throws {
        var scene = KeptSession(seed: seed)
        for _ in 0..<200 {
            scene.step()
            #expect(try scene.packets(fromKept: true) == scene.packets(fromKept: false))
        }
        #expect(scene.session.nextNumber > 40)
    }

    @Test("If two stored messages have the same packet identifier, the first one is used")
    func repeated() {
        let message = BrokerMessage(
            topic: TopicName("t"), payload: ByteBuffer(string: "x"), qos: .atLeastOnce, retain: false,
            properties: Properties(), expiresAt: nil)
        let kept = (1...3).map { number in
            BrokerSession.Kept(
                number: number, message: message, terms: DeliveryTerms(qos: .atLeastOnce, retain: false),
                packetID: PacketID(7))
        }
        var session = BrokerSession(bounds: BrokerSession.Bounds())
        session.restore(kept)
        #expect(session.messagesInFlight == 1)
    }

    @Test(
        "A table can be restored with any packet identifiers, and assigns only others",
        arguments: [[1], [65_535], [3, 65_535, 1], [4, 8, 12, 16, 65_532], [32_768, 1, 2, 16_384]] as [[UInt16]])
    func table(numbers: [UInt16]) throws {
        let identifiers = try numbers.map { try #require(PacketID($0)) }
        var table = InFlightTable(identifiers.map { ($0, $0.rawValue, .unanswered) })
        #expect(table.identifiers(in: .unanswered) == identifiers)
        for (id, number) in zip(identifiers, numbers) { #expect(table[id] == number) }
        var others: Set<PacketID> = []
        while others.count < 2000 {
            let id = table.insert(0)
            others.insert(try #require(id))
        }
        #expect(others.isDisjoint(with: identifiers))
        #expect(table.count == 2000 + numbers.count)
        for (id, number) in zip(identifiers, numbers) { #expect(table.remove(id) == number) }
    }
}
