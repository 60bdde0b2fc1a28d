import CurlewCore
import NIOCore
import Testing

/// A session and what it has written, as packets.
private struct Scene {
    var session: BrokerSession
    var out = ByteBuffer()
    var version = ProtocolVersion.v5_0
    var now = Timestamp.start
    private var decoder = PacketDecoder(from: .server, version: .v5_0, maximumPacketSize: 1 << 20)

    init(
        _ bounds: BrokerSession.Bounds = .init(), connected: Bool = true,
        _ change: (inout BrokerSession.ConnectionTerms) -> Void = { _ in }
    ) {
        self.session = BrokerSession(bounds: bounds)
        if connected { self.connect(change) }
    }

    mutating func connect(_ change: (inout BrokerSession.ConnectionTerms) -> Void = { _ in }) {
        var terms = BrokerSession.ConnectionTerms(version: .v5_0, receiveMaximum: 10)
        change(&terms)
        self.session.connected(terms)
    }

    @discardableResult
    mutating func deliver(
        _ text: String, _ qos: QoS, topic: String = "t", canWrite: Bool = true, properties: Properties = Properties(),
        identifiers: [UInt32] = [], group: TopicFilter? = nil
    ) throws -> BrokerSession.Delivered {
        let packet = Publish(
            topic: nil, payload: ByteBuffer(string: text), qos: qos, packetID: qos == .atMostOnce ? nil : PacketID(9),
            properties: properties)
        var publication = Publication(packet, topic: try TopicName(topic), now: self.now)
        let terms = DeliveryTerms(qos: qos, retain: false, identifiers: identifiers, group: group)
        return self.session.deliver(
            &publication, terms, canWrite: canWrite, room: { .max }, now: self.now, into: &self.out)
    }

    @discardableResult
    mutating func pump(at now: Timestamp = .start) -> BrokerSession.Pumped {
        self.session.pump(limit: 1 << 20, now: now, into: &self.out)
    }

    mutating func sent() throws -> [Packet] {
        var packets: [Packet] = []
        while let packet = try self.decoder.decode(from: &self.out) { packets.append(packet) }
        return packets
    }

    mutating func publishes() throws -> [Publish] {
        try self.sent().compactMap { if case .publish(let publish) = $0 { publish } else { nil } }
    }
}

private func acknowledgement(_ id: UInt16, _ code: ReasonCode = .success) throws -> Acknowledgement {
    Acknowledgement(try #require(PacketID(id)), reasonCode: code)
}

private func texts(_ publishes: [Publish]) -> [String] { publishes.map { String(buffer: $0.payload) } }

/// Used by one test, on one thread.
private final class Ledger: MessageLedger, @unchecked Sendable {
    private(set) var byteCount = 0

    func added(_ byteCount: Int) { self.byteCount += byteCount }

    func removed(_ byteCount: Int) { self.byteCount -= byteCount }
}

@Suite("Broker session")
struct BrokerSessionTests {
    @Test("A QoS 0 message is written at once, and not kept for an offline client")
    func atMostOnce() throws {
        var scene = Scene()
        #expect(try scene.deliver("1", .atMostOnce) == .written)
        #expect(try texts(scene.publishes()) == ["1"])
        scene.session.disconnected()
        #expect(try scene.deliver("2", .atMostOnce) == .notKept)
        #expect(scene.session.queuedMessages == 0)
    }

    @Test(
        "A QoS 1 message is in flight until PUBACK, and sent again with DUP on the next connection [MQTT-4.4.0-1] [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-3.3.1-1]"
    )
    func atLeastOnce() throws {
        var scene = Scene()
        #expect(try scene.deliver("1", .atLeastOnce) == .written)
        #expect(try scene.deliver("2", .atLeastOnce) == .written)
        let first = try scene.publishes()
        #expect(first.map(\.dup) == [false, false])
        #expect(Set(first.compactMap(\.packetID)).count == 2)
        #expect(
            scene.session.receivedPuback(Acknowledgement(try #require(first[0].packetID)))
                == .delivered(TopicName("t"), .success))
        scene.session.disconnected()
        scene.connect()
        scene.pump()
        let again = try scene.publishes()
        #expect(texts(again) == ["2"])
        #expect(again.map(\.dup) == [true])
        #expect(again.first?.packetID == first[1].packetID)
    }

    @Test(
        "QoS 2 uses PUBREC, PUBREL and PUBCOMP; after PUBREC, only PUBREL is sent again [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6]"
    )
    func exactlyOnce() throws {
        var scene = Scene()
        try scene.deliver("1", .exactlyOnce)
        let id = try #require(try scene.publishes().first?.packetID)
        _ = scene.session.receivedPubrec(Acknowledgement(id), into: &scene.out)
        #expect(try scene.sent() == [.pubrel(Acknowledgement(id))])
        scene.session.disconnected()
        scene.connect()
        scene.pump()
        #expect(try scene.sent() == [.pubrel(Acknowledgement(id))])
        #expect(scene.session.receivedPubcomp(Acknowledgement(id)) == .nothing)
        #expect(scene.session.messagesInFlight == 0)
    }

    @Test("No more messages are in flight than the client's Receive Maximum; the rest waits in order [MQTT-3.3.4-9]")
    func receiveMaximum() throws {
        var scene = Scene { $0.receiveMaximum = 2 }
        for number in 1...5 { try scene.deliver("\(number)", number == 3 ? .exactlyOnce : .atLeastOnce) }
        let first = try scene.publishes()
        #expect(texts(first) == ["1", "2"])
        #expect(scene.session.queuedMessages == 3)
        _ = scene.session.receivedPuback(Acknowledgement(try #require(first[0].packetID)))
        scene.pump()
        let third = try scene.publishes()
        #expect(texts(third) == ["3"])
        // A QoS 2 exchange keeps its place in the window until PUBCOMP.
        let id = try #require(third[0].packetID)
        _ = scene.session.receivedPubrec(Acknowledgement(id), into: &scene.out)
        scene.pump()
        #expect(try scene.publishes().isEmpty)
        _ = scene.session.receivedPubcomp(Acknowledgement(id))
        scene.pump()
        #expect(try texts(scene.publishes()) == ["4"])
    }

    @Test("A failure in PUBREC ends the exchange and frees its place in the window [MQTT-4.8.2-6]")
    func refusal() throws {
        var scene = Scene { $0.receiveMaximum = 1 }
        try scene.deliver("1", .exactlyOnce)
        try scene.deliver("2", .atLeastOnce)
        let id = try #require(try scene.publishes().first?.packetID)
        let outcome = scene.session.receivedPubrec(Acknowledgement(id, reasonCode: .quotaExceeded), into: &scene.out)
        #expect(outcome == .delivered(TopicName("t"), .quotaExceeded))
        scene.pump()
        #expect(try texts(scene.publishes()) == ["2"])
    }

    @Test("The window is not exceeded when exchanges of an earlier connection are resumed")
    func windowAfterReconnecting() throws {
        var scene = Scene { $0.receiveMaximum = 4 }
        for number in 1...4 { try scene.deliver("\(number)", .atLeastOnce) }
        let ids = try scene.publishes().compactMap(\.packetID)
        scene.session.disconnected()
        scene.connect { $0.receiveMaximum = 2 }
        scene.pump()
        #expect(try texts(scene.publishes()) == ["1", "2"])
        // The client acknowledges a message that was not sent again; this frees no place.
        _ = scene.session.receivedPuback(Acknowledgement(ids[3]))
        scene.pump()
        #expect(try scene.publishes().isEmpty)
        _ = scene.session.receivedPuback(Acknowledgement(ids[0]))
        scene.pump()
        #expect(try texts(scene.publishes()) == ["3"])
    }

    @Test("An expired message is not sent, and waiting reduces the expiry interval [MQTT-3.3.2-5] [MQTT-3.3.2-6]")
    func expiry() throws {
        var scene = Scene(connected: false)
        var short = Properties()
        short.messageExpiryInterval = 5
        var long = Properties()
        long.messageExpiryInterval = 60
        try scene.deliver("short", .atLeastOnce, properties: short)
        try scene.deliver("long", .atLeastOnce, properties: long)
        scene.connect()
        #expect(scene.pump(at: .start + .seconds(10)) == .init(written: 1, dropped: [.expired(TopicName("t"))]))
        let sent = try scene.publishes()
        #expect(texts(sent) == ["long"])
        #expect(sent.first?.properties.messageExpiryInterval == 50)
    }

    @Test("A message larger than the client accepts counts as delivered [MQTT-3.1.2-27] [MQTT-3.1.2-28]")
    func tooLarge() throws {
        var scene = Scene { $0.maximumPacketSize = 30 }
        #expect(try scene.deliver(String(repeating: "x", count: 40), .atLeastOnce) == .tooLarge)
        #expect(scene.session.messagesInFlight == 0)
        #expect(try scene.deliver("small", .atLeastOnce) == .written)
        #expect(try texts(scene.publishes()) == ["small"])
    }

    @Test(
        "Topic aliases are used only within the client's maximum [MQTT-3.1.2-29] [MQTT-3.1.2-30]",
        arguments: [UInt16(0), 1])
    func aliases(maximum: UInt16) throws {
        var scene = Scene { $0.topicAliasMaximum = maximum }
        for _ in 1...4 { try scene.deliver("x", .atMostOnce, topic: "a/long/topic") }
        let sent = try scene.publishes()
        #expect(sent.contains { $0.topicAlias != nil } == (maximum > 0))
        #expect(sent.allSatisfy { $0.topicAlias ?? 1 <= 1 })
    }

    @Test("A full queue refuses new messages, or drops its oldest", arguments: [false, true])
    func bounds(dropsOldest: Bool) throws {
        var scene = Scene(.init(queuedMessages: 2, dropsOldest: dropsOldest), connected: false)
        #expect(try scene.deliver("1", .atLeastOnce) == .queued)
        #expect(try scene.deliver("2", .atLeastOnce) == .queued)
        #expect(try scene.deliver("3", .atLeastOnce) == (dropsOldest ? .queuedInPlaceOf(1, isTaken: true) : .queueFull))
        scene.connect()
        scene.pump()
        #expect(try texts(scene.publishes()) == (dropsOldest ? ["2", "3"] : ["1", "2"]))
        #expect(scene.session.queuedBytes == 0)
    }

    @Test("QoS 0 messages take at most half of a connected client's queue")
    func halfForAtMostOnce() throws {
        var scene = Scene(.init(queuedMessages: 4))
        for number in 1...3 { try scene.deliver("\(number)", .atMostOnce, canWrite: false) }
        #expect(scene.session.queuedMessages == 2)
        for number in 1...3 { try scene.deliver("\(number)", .atLeastOnce, canWrite: false) }
        #expect(scene.session.queuedMessages == 4)
    }

    @Test("A message is queued only if the broker's memory has room for it")
    func memoryRoom() throws {
        var session = BrokerSession(bounds: .init())
        var out = ByteBuffer()
        for (room, outcome) in [(100, BrokerSession.Delivered.queueFull), (1000, .queued)] {
            var publication = Publication(
                Publish(topic: nil, payload: ByteBuffer(string: "x"), qos: .atLeastOnce, packetID: PacketID(1)),
                topic: TopicName("t"), now: .start)
            let terms = DeliveryTerms(qos: .atLeastOnce, retain: false)
            #expect(
                session.deliver(
                    &publication, terms, canWrite: false, room: { room }, now: .start, into: &out) == outcome)
        }
    }

    @Test("A message queued for several clients is counted once, until the last of them has it")
    func countedOnce() throws {
        let ledger = Ledger()
        var sessions = [BrokerSession(bounds: .init(), ledger: ledger), BrokerSession(bounds: .init(), ledger: ledger)]
        do {
            var publication = Publication(
                Publish(topic: nil, payload: ByteBuffer(string: "x"), qos: .atLeastOnce, packetID: PacketID(1)),
                topic: TopicName("t"), now: .start)
            var out = ByteBuffer()
            for index in sessions.indices {
                _ = sessions[index].deliver(
                    &publication, DeliveryTerms(qos: .atLeastOnce, retain: false), canWrite: false, room: { .max },
                    now: .start, into: &out)
            }
            #expect(ledger.byteCount == publication.message().byteCount)
        }
        #expect(sessions[0].dropOldest(1) == [TopicName("t")])
        #expect(sessions[0].queuedMessages == 0)
        #expect(ledger.byteCount > 0)
        _ = sessions[1].end()
        #expect(ledger.byteCount == 0)
    }

    @Test("Expired messages make room in a full queue [MQTT-3.3.2-5]")
    func expiredMakesRoom() throws {
        var scene = Scene(.init(queuedMessages: 2), connected: false)
        var short = Properties()
        short.messageExpiryInterval = 5
        try scene.deliver("short", .atLeastOnce, properties: short)
        try scene.deliver("long", .atLeastOnce)
        #expect(try scene.deliver("early", .atLeastOnce) == .queueFull)
        scene.now = .start + .seconds(6)
        #expect(try scene.deliver("late", .atLeastOnce) == .queued)
        #expect(try scene.deliver("too late", .atLeastOnce) == .queueFull)
        scene.connect()
        scene.pump(at: scene.now)
        #expect(try texts(scene.publishes()) == ["long", "late"])
    }

    @Test("A full queue is searched for expired messages at most once a second, and they are never sent")
    func expirySearches() throws {
        var scene = Scene(.init(queuedMessages: 3), connected: false)
        var properties = Properties()
        properties.messageExpiryInterval = 5
        for time in [0, 500, 1200] {
            scene.now = .start + .milliseconds(time)
            try scene.deliver("short", .atLeastOnce, properties: properties)
        }
        scene.now = .start + .milliseconds(5000)
        #expect(try scene.deliver("a", .atLeastOnce) == .queued)
        // The second message has expired, but the queue is not searched yet.
        scene.now = .start + .milliseconds(5900)
        #expect(try scene.deliver("b", .atLeastOnce) == .queueFull)
        scene.now = .start + .milliseconds(6000)
        #expect(try scene.deliver("c", .atLeastOnce) == .queued)
        scene.connect()
        let pumped = scene.pump(at: .start + .seconds(7))
        #expect(pumped == .init(written: 2, dropped: [.expired(TopicName("t"))]))
        #expect(try texts(scene.publishes()) == ["a", "c"])
    }

    @Test("The bytes of a queue are limited too")
    func byteBound() throws {
        var scene = Scene(.init(queuedBytes: 3000), connected: false)
        #expect(try scene.deliver(String(repeating: "x", count: 2000), .atLeastOnce) == .queued)
        #expect(try scene.deliver(String(repeating: "y", count: 2000), .atLeastOnce) == .queueFull)
        #expect(scene.session.queuedBytes < 3000)
    }

    @Test("Messages in flight count by payload, and so may queued ones")
    func payloadBounds() throws {
        var scene = Scene(.init(inFlightBytes: 16, queuedBytes: 16, countsPayloads: true))
        for _ in 1...2 { #expect(try scene.deliver("12345678", .atLeastOnce) == .written) }
        for _ in 1...2 { #expect(try scene.deliver("12345678", .atLeastOnce) == .queued) }
        #expect(try scene.deliver("1", .atLeastOnce) == .queueFull)
        #expect(scene.session.receivedPuback(try acknowledgement(1)) != .nothing)
        scene.pump()
        #expect(try scene.publishes().count == 3)
    }

    @Test("Messages that the client may no longer receive are dropped, both queued and unacknowledged ones")
    func revoke() throws {
        var scene = Scene { $0.receiveMaximum = 3 }
        try scene.deliver("on its way", .atLeastOnce, topic: "a")
        try scene.deliver("on its way", .exactlyOnce, topic: "a")
        try scene.deliver("allowed", .atLeastOnce, topic: "b")
        try scene.deliver("waits", .atLeastOnce, topic: "a")
        try scene.deliver("waits", .atLeastOnce, topic: "b")
        _ = try scene.sent()
        #expect(scene.session.topicsToWrite == ["a", "b"])
        scene.session.disconnected()
        let revoked = scene.session.revoke(["a"])
        #expect(revoked.dropped.map(\.string) == ["a", "a", "a"])
        #expect(revoked.orphans.isEmpty)
        scene.connect()
        scene.pump()
        let sent = try scene.sent()
        // The client may still know the QoS 2 message's packet identifier, until it is released.
        #expect(sent.first == .pubrel(try acknowledgement(2)))
        #expect(
            sent.dropFirst().map { if case .publish(let publish) = $0 { String(buffer: publish.payload) } else { "" } }
                == ["allowed", "waits"])
        #expect(scene.session.receivedPubcomp(try acknowledgement(2)) == .nothing)
        #expect(scene.session.receivedPuback(try acknowledgement(3)) != .nothing)
        #expect(scene.session.messagesInFlight == 1)
    }

    @Test("Messages already sent are not taken back; queued ones of shared subscriptions go to other members")
    func revokeConnected() throws {
        var scene = Scene { $0.receiveMaximum = 1 }
        let group = try TopicFilter("$share/g/a")
        try scene.deliver("on its way", .atLeastOnce, topic: "a", group: group)
        try scene.deliver("waits", .atLeastOnce, topic: "a", group: group)
        #expect(scene.session.topicsToWrite == ["a"])
        let revoked = scene.session.revoke(["a"])
        #expect(revoked.dropped.isEmpty)
        #expect(revoked.orphans.map { String(buffer: $0.1.payload) } == ["waits"])
        #expect(scene.session.messagesInFlight == 1)
        #expect(scene.session.queuedBytes == 0)
    }

    @Test("Messages of one topic and QoS are sent in order, however slow the connection is [MQTT-4.6.0-5]")
    func order() throws {
        var scene = Scene { $0.receiveMaximum = 3 }
        var generator = SplitMix64(seed: 4)
        var received: [String] = []
        var unacknowledged: [PacketID] = []
        for number in 0..<500 {
            try scene.deliver("\(number)", .atLeastOnce, canWrite: Bool.random(using: &generator))
            if Bool.random(using: &generator) { scene.pump() }
            for publish in try scene.publishes() {
                received.append(String(buffer: publish.payload))
                unacknowledged.append(try #require(publish.packetID))
            }
            #expect(unacknowledged.count <= 3)
            if let id = unacknowledged.first, Bool.random(using: &generator) {
                unacknowledged.removeFirst()
                _ = scene.session.receivedPuback(Acknowledgement(id))
            }
        }
        #expect(received == (0..<received.count).map(String.init))
        #expect(received.count + scene.session.queuedMessages == 500)
    }

    @Test("When a session ends, its shared messages go to other members, except for QoS 2 in flight [MQTT-4.8.2-5]")
    func orphans() throws {
        let group = try TopicFilter("$share/g/t")
        var scene = Scene { $0.receiveMaximum = 2 }
        try scene.deliver("in flight 1", .atLeastOnce, group: group)
        try scene.deliver("in flight 2", .exactlyOnce, group: group)
        try scene.deliver("queued 1", .atLeastOnce, group: group)
        try scene.deliver("queued 2", .exactlyOnce, group: group)
        try scene.deliver("its own", .atLeastOnce)
        let orphans = scene.session.end()
        #expect(orphans.map { String(buffer: $0.1.payload) } == ["in flight 1", "queued 1", "queued 2"])
        #expect(orphans.allSatisfy { $0.0 == group })
    }

    @Test("A message has its subscription identifiers each time it is sent [MQTT-3.3.4-3]")
    func identifiers() throws {
        var scene = Scene()
        try scene.deliver("x", .atLeastOnce, identifiers: [7, 300])
        #expect(try scene.publishes().first?.properties.subscriptionIdentifiers == [7, 300])
        scene.session.disconnected()
        scene.connect()
        scene.pump()
        #expect(try scene.publishes().first?.properties.subscriptionIdentifiers == [7, 300])
    }

    @Test("An acknowledgement of the wrong kind is a violation; one with an unknown identifier is not")
    func violations() throws {
        var scene = Scene()
        try scene.deliver("x", .atLeastOnce)
        let id = try #require(try scene.publishes().first?.packetID)
        #expect(scene.session.receivedPuback(try acknowledgement(id.rawValue &+ 5)) == .nothing)
        guard case .violation = scene.session.receivedPubrec(Acknowledgement(id), into: &scene.out) else {
            Issue.record("PUBREC for QoS 1 was taken")
            return
        }
        #expect(scene.session.receivedPubcomp(try acknowledgement(id.rawValue &+ 5)) == .nothing)
    }

    @Test("Shared encoded bytes have each receiver's own packet identifier")
    func sharedBytes() throws {
        for size in [10, 120, 127, 200, 16_000, 20_000] {
            var publication = Publication(
                Publish(
                    topic: nil, payload: ByteBuffer(repeating: 1, count: size), qos: .atLeastOnce, packetID: PacketID(1)
                ),
                topic: TopicName("some/topic"), now: .start)
            publication.hasSeveralReceivers = true
            for offset in 0..<3 {
                var session = BrokerSession(bounds: .init())
                session.connected(.init(version: .v5_0, receiveMaximum: 10))
                var out = ByteBuffer()
                for _ in 0...offset {
                    _ = session.deliver(
                        &publication, DeliveryTerms(qos: .atLeastOnce, retain: false), canWrite: true, room: { .max },
                        now: .start, into: &out)
                }
                var decoder = PacketDecoder(from: .server, version: .v5_0, maximumPacketSize: 1 << 20)
                var ids: [UInt16] = []
                while case .publish(let packet)? = try decoder.decode(from: &out) {
                    ids.append(try #require(packet.packetID).rawValue)
                    #expect(packet.payload == ByteBuffer(repeating: 1, count: size))
                    #expect(packet.topic?.string == "some/topic")
                }
                #expect(Set(ids).count == offset + 1)
            }
        }
    }
}
