import NIOCore
import Testing

@testable import CurlewCore

@Suite("Windows, packet identifiers and order")
struct SessionWindowTests {
    @Test("No more than Receive Maximum messages are unacknowledged [MQTT-3.3.4-7] [MQTT-4.9.0-1] [MQTT-4.9.0-2]")
    func receiveMaximum() throws {
        var fixture = SessionFixture.connected(.receiveMaximum(2))
        for number in 1...5 { try fixture.publish("\(number)", number.isMultiple(of: 2) ? .exactlyOnce : .atLeastOnce) }
        #expect(fixture.written().summaries == ["PUBLISH 1 1", "PUBLISH 2 2"])
        fixture.receive(.puback, 1)
        #expect(fixture.written().summaries == ["PUBLISH 3 3"])
        fixture.receive(.pubrec, 2)
        #expect(fixture.written().summaries == ["PUBREL 2"])
        fixture.receive(.pubcomp, 2)
        #expect(fixture.written().summaries == ["PUBLISH 4 4"])
        fixture.receive(.pubrec, 4, .quotaExceeded)
        #expect(fixture.written().summaries == ["PUBLISH 5 5"])
    }

    @Test(
        "The client's own limit applies too, and is at least 1 [MQTT-4.9.0-1]",
        arguments: [(0, 1), (1, 1), (3, 3)])
    func ownMaximum(setting: UInt16, sent: Int) throws {
        var fixture = SessionFixture.connected { $0.maximumInFlight = setting }
        for _ in 1...5 { try fixture.publish() }
        #expect(fixture.written().count == sent)
    }

    @Test("Before 5.0, the client's own limit replaces the usual 20", arguments: [ProtocolVersion.v3_1, .v3_1_1])
    func ownMaximumBefore5(version: ProtocolVersion) throws {
        for (setting, sent) in [(nil, 20), (50, 50), (3, 3)] as [(UInt16?, Int)] {
            var fixture = SessionFixture.connected(version: version) { $0.maximumInFlight = setting }
            for _ in 1...60 { try fixture.publish() }
            #expect(fixture.written().count == sent)
        }
    }

    @Test("Messages in flight count towards the byte limit for messages that nobody awaits")
    func bytesInFlight() throws {
        var fixture = SessionFixture.connected { $0.outboxBytes = 10 }
        for qos in [QoS.atLeastOnce, .exactlyOnce] { try fixture.publish("1234", qos, isAwaited: false) }
        #expect(throws: Rejection.queueFull) { try fixture.publish(isAwaited: false) }
        try fixture.publish("awaited")
        try fixture.publish("zero", .atMostOnce, isAwaited: false)
        fixture.receive(.puback, 1)
        fixture.receive(.puback, 3)
        try fixture.publish("1234", isAwaited: false)
        fixture.receive(.pubrec, 2)
        try fixture.publish("1234", .exactlyOnce, isAwaited: false)
        #expect(throws: Rejection.queueFull) { try fixture.publish(isAwaited: false) }
        // The messages go back to the outbox, and count there.
        fixture.reconnect(present: false)
        #expect(throws: Rejection.queueFull) { try fixture.publish(isAwaited: false) }
        for id in UInt16(1)...20 {
            fixture.receive(.puback, id)
            fixture.receive(.pubrec, id)
        }
        #expect(fixture.session.outgoing.bytes == 0)
    }

    @Test("A full window holds up only PUBLISH at QoS 1 and 2 [MQTT-3.3.4-8] [MQTT-4.9.0-3]")
    func onlyPublishes() throws {
        var fixture = SessionFixture.connected(.receiveMaximum(1))
        for _ in 1...2 { try fixture.publish("x", .exactlyOnce) }
        _ = fixture.written()
        try fixture.subscribe("a")
        try fixture.publish("zero", .atMostOnce)
        fixture.consume(try fixture.delivered("in", on: "b", .atLeastOnce, 7).token)
        fixture.receive(.pubrec, 1)
        fixture.receive(.pubrel, 9)
        #expect(
            fixture.written().summaries == ["SUBSCRIBE 2 a", "PUBLISH zero", "PUBACK 7", "PUBREL 1", "PUBCOMP 9 146"])
    }

    @Test("Unknown acknowledgements do not widen the window")
    func noQuotaFromNothing() throws {
        var fixture = SessionFixture.connected(.receiveMaximum(1))
        for number in 1...9 as ClosedRange<UInt16> {
            fixture.receive(.puback, number)
            fixture.receive(.pubcomp, number)
            fixture.receive(.pubrec, number, .notAuthorized)
        }
        for _ in 1...3 { try fixture.publish() }
        #expect(fixture.written().count == 1)
    }

    @Test("Each connection has a new window; PUBRELs of the previous one take up part of it [MQTT-4.9.0-1]")
    func windowOfTheConnection() throws {
        var fixture = SessionFixture.connected()
        for _ in 1...6 { try fixture.publish("x", .exactlyOnce) }
        for number in 1...3 as ClosedRange<UInt16> { fixture.receive(.pubrec, number) }
        fixture.reconnect(present: true, .receiveMaximum(2))
        #expect(fixture.written().summaries == ["PUBREL 1", "PUBREL 2", "PUBREL 3"])
        fixture.receive(.pubcomp, 1)
        #expect(fixture.written().isEmpty)
        fixture.receive(.pubcomp, 2)
        #expect(fixture.written().summaries == ["PUBLISH 4 dup x"])
        fixture.receive(.pubcomp, 3)
        #expect(fixture.written().summaries == ["PUBLISH 5 dup x"])
        for number in 4...6 as ClosedRange<UInt16> {
            fixture.receive(.pubrec, number)
            fixture.receive(.pubcomp, number)
        }
        #expect(fixture.session.isDrained)
        for _ in 1...5 { try fixture.publish("y") }
        #expect(fixture.written().publishes.filter { !$0.dup }.count == 2)
    }

    @Test("QoS 0 messages overtake messages that wait for the window, but not each other")
    func overtaking() throws {
        var fixture = SessionFixture.connected(.receiveMaximum(1)) { $0.highWaterMark = 25 }
        for text in ["1", "2"] { try fixture.publish(text) }
        try fixture.publish("zero", .atMostOnce)
        try fixture.publish("fills it", .atMostOnce)
        try fixture.publish("waits", .atMostOnce)
        #expect(fixture.written().summaries == ["PUBLISH 1 1", "PUBLISH zero", "PUBLISH fills it"])
        try fixture.publish("behind", .atMostOnce)
        #expect(fixture.written().isEmpty)
        fixture.receive(.puback, 1)
        #expect(fixture.written().summaries == ["PUBLISH 2 2", "PUBLISH waits", "PUBLISH behind"])
    }

    @Test("Above the high-water mark, messages wait in order until the buffer is written")
    func highWaterMark() throws {
        var fixture = SessionFixture.connected { $0.highWaterMark = 16 }
        for number in 1...6 { try fixture.publish("\(number)") }
        var texts: [String] = []
        while fixture.unsent > 0 {
            #expect(fixture.unsent < 16 + 9)
            texts += fixture.written().publishes.map { String(buffer: $0.payload) }
            fixture.pump()
        }
        #expect(texts == ["1", "2", "3", "4", "5", "6"])
    }

    @Test("If all 65,535 packet identifiers are in use, publishes wait for one [MQTT-2.2.1-3]")
    func identifiersExhausted() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a")
        for _ in 1...65_534 { try fixture.publish("", .atLeastOnce) }
        let last = try fixture.publish("last")
        let packets = fixture.written().publishes
        #expect(Set(packets.compactMap(\.packetID)).count == 65_534)
        #expect(fixture.session.queued.count == 1)
        fixture.suback(1)
        #expect(fixture.written().summaries == ["PUBLISH 1 last"])
        _ = fixture.completions()
        fixture.receive(.puback, 1)
        #expect(fixture.completions() == [.published(last)])
    }

    @Test("A SUBSCRIBE without a free packet identifier waits for the next one")
    func subscribeWithoutIdentifier() throws {
        var fixture = SessionFixture.connected()
        for _ in 1...65_535 { try fixture.publish("") }
        _ = fixture.written()
        let request = try fixture.subscribe("a")
        #expect(fixture.written().isEmpty && fixture.completions().isEmpty)
        fixture.receive(.puback, 40_000)
        #expect(fixture.written().summaries == ["SUBSCRIBE 40000 a"])
        _ = fixture.completions()
        fixture.suback(40_000)
        #expect(fixture.completions() == [.subscribed(request)])
    }

    @Test("Messages that nobody awaits are limited by count and bytes; awaited ones are not")
    func outboxBounds() throws {
        var fixture = SessionFixture { ($0.outboxCount, $0.outboxBytes) = (2, 1_000) }
        for _ in 1...2 { try fixture.publish(isAwaited: false) }
        #expect(throws: Rejection.queueFull) { try fixture.publish(isAwaited: false) }
        try fixture.publish(isAwaited: true)
        #expect(fixture.session.queued.count == 3)

        var heavy = SessionFixture { ($0.outboxCount, $0.outboxBytes) = (100, 1_000) }
        try heavy.publish(String(repeating: "x", count: 1_000), isAwaited: false)
        #expect(throws: Rejection.queueFull) { try heavy.publish(isAwaited: false) }
    }

    @Test("A table that was full releases its memory when it is empty")
    func memory() {
        var table = InFlightTable<Int>()
        for number in 1...5_000 { _ = table.insert(number) }
        #expect(table.places == 8_192)
        for number in 1...5_000 as ClosedRange<UInt16> { _ = table.remove(id(number)) }
        #expect(table.count == 0 && table.places == 0)
        #expect(table.insert(1) == id(5_001), "identifiers go on")
        #expect(table.identifiers(in: .unanswered) == [id(5_001)])
    }

    @Test("An idle session is small")
    func idleSession() {
        #expect(MemoryLayout<ClientSession>.size < 1_024)
    }
}

@Suite("In-flight table")
struct InFlightTableTests {
    @Test("Identifiers rotate: most others are used before one is used again [MQTT-2.2.1-3]")
    func rotation() throws {
        var table = InFlightTable<Int>()
        _ = table.insert(0)
        var lastUse: [PacketID: Int] = [:]
        for step in 1...150_000 {
            let inserted = table.insert(step)
            let id = try #require(inserted)
            if let last = lastUse.updateValue(step, forKey: id) { require(step - last > 49_000, "\(id) is used early") }
            require(table.remove(id) == step, "\(id) stands for something else")
        }
        #expect(table.places == 4 && lastUse.count == 49_151, "all but those of the place of the one in use")
    }

    @Test(
        "The first identifier may be any, and 1 follows 65,535", arguments: [1, 40_000, 65_534, 65_535] as [UInt16])
    func firstIdentifier(number: UInt16) {
        var table = InFlightTable<Int>(first: id(number))
        var identifiers: [PacketID] = []
        for _ in 0..<40 { if let id = table.insert(0) { identifiers.append(id) } }
        let follower = id(number == 65_535 ? 1 : number + 1)
        #expect(identifiers.prefix(2) == [id(number), follower])
        #expect(Set(identifiers).count == 40 && table.identifiers(in: .unanswered) == identifiers)
    }

    @Test("All 65,535 identifiers can be in use at once, and each freed one is found")
    func all() {
        var table = InFlightTable<Int>(first: id(30_000))
        var identifiers: Set<PacketID> = []
        while let id = table.insert(identifiers.count) { identifiers.insert(id) }
        #expect(identifiers.count == 65_535 && table.isFull)
        for number in [65_535, 1, 77] as [UInt16] {
            #expect(table.remove(id(number)) != nil)
            #expect(table.insert(-1) == id(number))
        }
    }

    @Test("An unused identifier has no element", arguments: [1, 2, 65_535] as [UInt16])
    func unknown(number: UInt16) {
        var table = InFlightTable<String>()
        _ = table.insert("a")
        _ = table.remove(id(1))
        #expect(table[id(number)] == nil && table.remove(id(number)) == nil)
        table.replace(id(number), with: "x")
        table.moveToReleased(id(number))
        #expect(table.count == 0 && table.identifiers(in: .released).isEmpty)
    }

    @Test("The table agrees with a simple model under random operations", arguments: 0..<20 as Range<UInt64>)
    func model(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var table = InFlightTable<Int>()
        var lanes: [[PacketID]] = [[], []]
        var elements: [PacketID: Int] = [:]
        for step in 0..<2_000 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0...2:
                let inserted = table.insert(step)
                let id = try #require(inserted)
                require(elements.updateValue(step, forKey: id) == nil, "\(id) is in use")
                lanes[0].append(id)
            case 3:
                guard let id = lanes.joined().randomElement(using: &random) else { continue }
                table.moveToReleased(id)
                for lane in 0...1 { lanes[lane].removeAll { $0 == id } }
                lanes[1].append(id)
            default:
                guard let id = lanes.joined().randomElement(using: &random) else { continue }
                require(table.remove(id) == elements.removeValue(forKey: id), "\(id) stands for something else")
                for lane in 0...1 { lanes[lane].removeAll { $0 == id } }
            }
            require(table.count == elements.count, "miscounted")
        }
        #expect(table.identifiers(in: .unanswered) == lanes[0])
        #expect(table.identifiers(in: .released) == lanes[1])
        for (id, element) in elements { #expect(table[id] == element) }
    }
}
