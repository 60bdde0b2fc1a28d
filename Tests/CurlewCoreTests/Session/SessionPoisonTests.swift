import NIOCore
import Testing

@testable import CurlewCore

/// A server that breaks the connection when it receives certain packets.
private struct Moody {
    var fixture: SessionFixture
    /// The packets that break the connection, as prefixes of ``Packet/summary``.
    let dislikes: [String]
    /// Whether the server keeps the session.
    let keeps: Bool
    /// How often the server has received such a packet.
    var provocations = 0
    var connections = 1

    init(_ dislikes: String..., keeps: Bool = true) {
        self.fixture = .connected()
        self.dislikes = dislikes
        self.keeps = keeps
    }

    /// Answers until nothing more arrives; reconnects after each break, and advances the time in trials.
    mutating func run() {
        for _ in 0..<200 {
            let packets = self.fixture.written()
            if packets.isEmpty {
                guard self.fixture.session.poisonDeadline != nil else { return }
                self.fixture.endTrial()
                continue
            }
            for packet in packets where !self.answer(packet) {
                self.provocations += 1
                self.connections += 1
                self.fixture.breakConnection()
                self.fixture.connect(present: self.keeps)
                break
            }
        }
        Issue.record("It never ends.")
    }

    private mutating func answer(_ packet: Packet) -> Bool {
        let summary = packet.summary.replacing(#/ \d+/#, with: "", maxReplacements: 1).replacing(" dup", with: "")
        if self.dislikes.contains(where: { summary.hasPrefix($0) }) { return false }
        switch packet {
        case .publish(let publish):
            guard let id = publish.packetID else { break }
            self.fixture.receive(publish.qos == .exactlyOnce ? .pubrec : .puback, id.rawValue)
        case .pubrel(let released): self.fixture.receive(.pubcomp, released.packetID.rawValue)
        case .subscribe(let subscribe): self.fixture.suback(subscribe.packetID.rawValue)
        case .unsubscribe(let unsubscribe): self.fixture.unsuback(unsubscribe.packetID.rawValue)
        case .pingreq: self.fixture.receive(.pingresp)
        default: break
        }
        return true
    }
}

@Suite("Packets that make the server break the connection")
struct SessionPoisonTests {
    private func abandoned(_ request: RequestID, _ subject: Rejection.Subject, _ count: Int = 3) -> Completion {
        Completion(request: request, outcome: .abandoned(.packetAbandoned(count, subject)))
    }

    @Test(
        "A message is given up after three connections, and the others are delivered",
        arguments: [QoS.atLeastOnce, .exactlyOnce], [true, false])
    func message(qos: QoS, keeps: Bool) throws {
        var server = Moody("PUBLISH bad", keeps: keeps)
        let first = try server.fixture.publish("first", to: "a", qos)
        server.run()
        let bad = try server.fixture.publish("bad", to: "b", qos)
        let others = try (0..<20).map { try server.fixture.publish("\($0)", to: "a", qos) }
        server.run()
        let completions = server.fixture.completions()
        #expect(completions.first == .published(first))
        #expect(completions.count == 22)
        #expect(completions.contains(self.abandoned(bad, .message("b"), server.provocations)))
        for other in others { #expect(completions.contains(.published(other))) }
        #expect(server.provocations <= 4)
        #expect(server.fixture.session.takeGivenUpPackets().count == 1)
        // A later connection does not bring it back either.
        server.fixture.reconnect()
        server.run()
        #expect(server.provocations <= 4 && server.fixture.session.isDrained)
    }

    @Test("A single message is given up after three connections")
    func alone() throws {
        var server = Moody("PUBLISH bad")
        let bad = try server.fixture.publish("bad", to: "b")
        server.run()
        #expect(server.fixture.completions() == [self.abandoned(bad, .message("b"))])
        #expect(server.provocations == 3)
    }

    @Test("A bad message is found among many restored filters, and does not come back")
    func amongMany() throws {
        var server = Moody("PUBLISH bad", keeps: false)
        for number: UInt64 in 1...300 { try server.fixture.subscribe("filter/\(number)", number) }
        server.run()
        _ = server.fixture.completions()
        let bad = try server.fixture.publish("bad", to: "b")
        let good = try server.fixture.publish("good", to: "a")
        server.run()
        #expect(
            server.fixture.completions() == [self.abandoned(bad, .message("b"), server.provocations), .published(good)])
        #expect(server.provocations <= 4)
        #expect(server.fixture.session.subscriptions.count == 300)
    }

    @Test("A given-up message takes no memory and no room in the outbox")
    func givenUpMemory() throws {
        var server = Moody("PUBLISH xxx")
        let before = server.fixture.session.outgoing.bytes
        _ = try server.fixture.publish(String(repeating: "x", count: 1_000_000), to: "b", isAwaited: false)
        server.run()
        #expect(server.fixture.session.takeGivenUpPackets().count == 1)
        #expect(server.fixture.session.outgoing.bytes <= before + 10)
        // The server answers after all, on a later connection of the session.
        server.fixture.receive(.puback, 1)
        #expect(server.fixture.session.outgoing.bytes == before && server.fixture.session.isDrained)
    }

    @Test("UNSUBSCRIBE is not given up if the filter is subscribed to again")
    func wantedAgain() throws {
        var server = Moody("UNSUBSCRIBE")
        try server.fixture.subscribe("a", 1)
        server.run()
        let leaving = server.fixture.unsubscribe(1)
        for _ in 1...3 {
            _ = server.fixture.written()
            server.fixture.breakConnection()
            server.fixture.connect(present: true)
        }
        let again = try server.fixture.subscribe("a", 2)
        server.run()
        let completions = server.fixture.completions()
        #expect(completions.contains { $0 == .subscribed(again, .grantedQoS2) })
        #expect(completions.contains { $0.request == leaving })
        #expect(server.fixture.session.takeGivenUpPackets().isEmpty)
        // The end of the new subscription still sends UNSUBSCRIBE.
        server.fixture.unsubscribe(2)
        #expect(server.fixture.written().summaries.contains { $0.hasPrefix("UNSUBSCRIBE") })
    }

    @Test("Two bad messages are both found")
    func two() throws {
        var server = Moody("PUBLISH bad", "PUBLISH worse")
        let bad = try server.fixture.publish("bad", to: "b")
        let good = try server.fixture.publish("good", to: "a")
        let worse = try server.fixture.publish("worse", to: "c")
        server.run()
        let completions = server.fixture.completions()
        #expect(completions.contains(.published(good)))
        #expect(
            completions.filter { if case .abandoned = $0.outcome { true } else { false } }.map(\.request) == [
                bad, worse,
            ])
    }

    @Test("A PUBREL that breaks the connection is given up, and the next exchange continues")
    func release() throws {
        var server = Moody("PUBREL")
        let bad = try server.fixture.publish("x", .exactlyOnce)
        server.run()
        #expect(server.fixture.completions() == [self.abandoned(bad, .release)])
        let next = try server.fixture.publish("next", to: "a")
        server.run()
        #expect(server.fixture.completions() == [.published(next)])
    }

    @Test("A subscription is given up and fails; the others are granted", arguments: [true, false])
    func subscription(keeps: Bool) throws {
        var server = Moody("SUBSCRIBE $share/g/a", keeps: keeps)
        let first = try server.fixture.subscribe("one", 1)
        let bad = try server.fixture.subscribe("$share/g/a", 2)
        let last = try server.fixture.subscribe("two", 3)
        let message = try server.fixture.publish("m")
        server.run()
        let completions = Set(server.fixture.completions().map(\.request))
        #expect(completions == [first, bad, last, message])
        #expect(server.provocations <= 4)
        #expect(server.fixture.session.subscriptions.count == 2)
    }

    @Test("A subscription that breaks the connection only in a new session is lost, and reported")
    func restored() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("good", 1)
        fixture.suback(1)
        try fixture.subscribe("bad", 2)
        fixture.suback(2)
        _ = fixture.completions()
        var server = Moody("SUBSCRIBE bad", keeps: false)
        server.fixture = fixture
        server.fixture.breakConnection()
        server.fixture.connect(present: false)
        server.run()
        let lost = server.fixture.session.takeLostSubscribers()
        #expect(lost.map(\.subscribers) == [[SubscriberID(2)]])
        #expect(server.provocations <= 4)
        #expect(server.fixture.session.subscriptions.count == 1)
    }

    @Test("An UNSUBSCRIBE that breaks the connection is given up")
    func unsubscription() throws {
        var server = Moody("UNSUBSCRIBE")
        try server.fixture.subscribe("a", 1)
        server.run()
        _ = server.fixture.completions()
        let request = server.fixture.unsubscribe(1)
        server.run()
        let filter = topicFilter("a")
        #expect(server.fixture.completions() == [self.abandoned(request, .unsubscription(filter))])
        #expect(server.provocations == 3)
    }

    @Test("If a server breaks every connection, no packet is given up")
    func brokenServer() throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.publish("m")
        for _ in 0..<50 {
            _ = fixture.written()
            fixture.breakConnection()
            fixture.connect(present: true)
        }
        #expect(fixture.completions().isEmpty)
        #expect(fixture.written().publishes.map(\.dup) == [true])
        fixture.receive(.puback, 1)
        #expect(fixture.completions() == [.published(request)])
    }

    @Test("If the network breaks every connection, no packet is given up")
    func network() throws {
        var fixture = SessionFixture.connected()
        let requests = try (0..<3).map { try fixture.publish("\($0)") }
        for _ in 0..<50 { fixture.reconnect() }
        #expect(fixture.written().publishes.count == 3)
        for number: UInt16 in 1...3 { fixture.receive(.puback, number) }
        #expect(fixture.completions() == requests.map { .published($0) })
    }
}
