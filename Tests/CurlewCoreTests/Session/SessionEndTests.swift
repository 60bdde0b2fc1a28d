import NIOCore
import Testing

@testable import CurlewCore

@Suite("Ending a session and beginning again")
struct SessionEndTests {
    /// A connected session in which subscriber 1 has subscribed to `a`.
    private func subscribed() throws -> SessionFixture {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a")
        fixture.suback(1)
        _ = fixture.written()
        _ = fixture.completions()
        return fixture
    }

    @Test("At the end, everything that waits completes, and reports whether it may have been sent")
    func end() throws {
        var fixture = SessionFixture.connected(.receiveMaximum(2))
        let released = try fixture.publish("released", .exactlyOnce)
        let sent = try fixture.publish("sent")
        let queued = try fixture.publish("queued")
        fixture.receive(.pubrec, 1)
        let subscribing = try fixture.subscribe("a", 1)
        try fixture.subscribe("b", 2)
        fixture.suback(4)
        let unsubscribing = fixture.unsubscribe(2)
        _ = fixture.completions()
        #expect(fixture.session.remains == .init(notSent: 1, unknown: 2))
        fixture.session.end()
        #expect(
            fixture.completions().sorted { $0.request < $1.request } == [
                .ended(released, mayHaveBeenSent: true), .ended(sent, mayHaveBeenSent: true),
                .ended(queued, mayHaveBeenSent: false),
                .ended(subscribing, mayHaveBeenSent: true), .ended(unsubscribing, mayHaveBeenSent: true),
            ])
        fixture.session.end()
        #expect(fixture.completions().isEmpty && fixture.session.isDrained)
        #expect(fixture.session.remains == .init())
    }

    @Test("After the end, the session accepts requests as before")
    func afterEnd() throws {
        var fixture = try self.subscribed()
        fixture.session.end()
        let request = try fixture.publish("x")
        try fixture.subscribe("b")
        fixture.connect(clean: true)
        #expect(fixture.written().publishes.map { String(buffer: $0.payload) } == ["x"])
        #expect(fixture.deliver(on: "a")?.to == [])
        #expect(fixture.deliver(on: "b")?.to == [1])
        fixture.session.end()
        #expect(fixture.completions().contains(.ended(request, mayHaveBeenSent: true)))
    }

    // MARK: Unfinished exchanges

    @Test("Unfinished exchanges continue without a waiter if the server has the session [MQTT-4.4.0-1]")
    func exchangesGoOn() throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("released", .exactlyOnce)
        try fixture.publish("sent", .exactlyOnce)
        try fixture.publish("acknowledged soon")
        fixture.receive(.pubrec, 1)
        fixture.session.end()
        _ = fixture.completions()
        let new = try fixture.publish("new", .exactlyOnce)
        fixture.connect(present: true)
        #expect(
            fixture.written().summaries == [
                "PUBREL 1", "PUBLISH 2 dup sent", "PUBLISH 3 dup acknowledged soon", "PUBLISH 4 new",
            ])
        #expect(fixture.session.remains == .init(unknown: 1) && !fixture.session.isDrained)
        fixture.receive(.pubcomp, 1)
        fixture.receive(.puback, 3)
        fixture.receive(.pubrec, 4)
        fixture.receive(.pubcomp, 4)
        #expect(fixture.completions() == [.published(new)])
        #expect(fixture.session.isDrained && fixture.session.inFlightCount == 1)
        fixture.receive(.pubrec, 2)
        fixture.receive(.pubcomp, 2)
        #expect(fixture.completions().isEmpty && fixture.session.inFlightCount == 0 && fixture.session.isDrained)
    }

    @Test(
        "Unfinished exchanges are dropped if the server does not have the session",
        arguments: [true, false])
    func exchangesDropped(clean: Bool) throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("released", .exactlyOnce)
        try fixture.publish("sent")
        fixture.receive(.pubrec, 1)
        fixture.session.end()
        _ = fixture.completions()
        fixture.connect(present: false, clean: clean)
        #expect(fixture.written().isEmpty && fixture.completions().isEmpty)
        #expect(fixture.session.inFlightCount == 0 && fixture.session.isDrained)
        let new = try fixture.publish("new")
        #expect(!fixture.session.isDrained)
        fixture.session.end()
        #expect(fixture.completions() == [.ended(new, mayHaveBeenSent: true)])
    }

    // MARK: Incoming messages

    @Test("A token from before the end acknowledges nothing that arrives after it", arguments: [true, false])
    func tokens(present: Bool) throws {
        var fixture = try self.subscribed()
        let old = try [1, 2].map { try fixture.delivered(on: "a", .atLeastOnce, $0) }
        let oldExactlyOnce = try fixture.delivered(on: "a", .exactlyOnce, 3)
        fixture.session.end()
        try fixture.subscribe("a", 2)
        fixture.connect(present: present)
        _ = fixture.written()
        let new = try [1, 2].map { try fixture.delivered(on: "a", .atLeastOnce, $0) }
        let newExactlyOnce = try fixture.delivered(on: "a", .exactlyOnce, 3, dup: true)
        for delivery in old + [oldExactlyOnce] { fixture.consume(delivery.token) }
        #expect(fixture.written().isEmpty)
        for delivery in new + [newExactlyOnce] { fixture.consume(delivery.token) }
        #expect(fixture.written().summaries == ["PUBACK 1", "PUBACK 2", "PUBREC 3"])
    }

    @Test("A QoS 2 message that its receivers release after the end is not delivered again [MQTT-4.3.3-10]")
    func passedAfterEnd() throws {
        var fixture = try self.subscribed()
        try fixture.subscribe("a", 2)
        let delivery = try fixture.delivered(on: "a", .exactlyOnce, 7)
        fixture.session.end()
        try fixture.subscribe("a", 3)
        for _ in delivery.to { fixture.consume(delivery.token) }
        fixture.connect(present: true)
        _ = fixture.written()
        #expect(fixture.deliver(on: "a", .exactlyOnce, 7, dup: true) == nil)
        #expect(fixture.written().summaries == ["PUBREC 7"])
    }

    @Test("A QoS 2 message acknowledged before the end is completed after it, and not delivered again")
    func acknowledgedBeforeEnd() throws {
        var fixture = try self.subscribed()
        fixture.consume(try fixture.delivered(on: "a", .exactlyOnce, 7).token)
        fixture.session.end()
        fixture.connect(present: true)
        #expect(fixture.deliver(on: "a", .exactlyOnce, 7, dup: true) == nil)
        fixture.receive(.pubrel, 7)
        #expect(fixture.written().summaries == ["PUBREC 7", "PUBCOMP 7"])
    }

    @Test("Subscription identifiers from before the end are not reused")
    func identifiers() throws {
        var fixture = try self.subscribed()
        fixture.session.end()
        try fixture.subscribe("+")
        fixture.connect(present: true)
        #expect(fixture.written().subscribes.map(\.properties.subscriptionIdentifiers) == [[2]])
    }
}
