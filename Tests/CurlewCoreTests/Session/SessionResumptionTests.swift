import NIOCore
import Testing

@testable import CurlewCore

@Suite("Losing the connection, and losing the session")
struct SessionResumptionTests {
    // MARK: The session is present

    @Test("An unacknowledged publish is resent with DUP and its identifier [MQTT-4.4.0-1] [MQTT-3.3.1-1]")
    func resent() throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.publish("x")
        fixture.reconnect()
        #expect(fixture.written().summaries == ["PUBLISH 1 dup x"])
        fixture.receive(.puback, 1)
        #expect(fixture.completions() == [.published(request)])
    }

    @Test("Publishes are resent in order, before new ones [MQTT-4.6.0-1]")
    func order() throws {
        var fixture = SessionFixture.connected(.receiveMaximum(3))
        for number in 1...5 { try fixture.publish("\(number)", number.isMultiple(of: 2) ? .exactlyOnce : .atLeastOnce) }
        fixture.receive(.puback, 1)
        _ = fixture.written()
        fixture.reconnect(present: true, .receiveMaximum(2))
        #expect(fixture.written().summaries == ["PUBLISH 2 dup 2", "PUBLISH 3 dup 3"])
        try fixture.publish("6")
        fixture.receive(.puback, 3)
        #expect(fixture.written().summaries == ["PUBLISH 4 dup 4"])
        fixture.receive(.pubrec, 2)
        fixture.receive(.pubcomp, 2)
        fixture.receive(.pubrec, 4)
        fixture.receive(.pubcomp, 4)
        #expect(
            fixture.written().summaries == ["PUBREL 2", "PUBLISH 5 5", "PUBREL 4", "PUBLISH 7 6"])
    }

    @Test("The order is kept if the connection is lost again while resending [MQTT-4.6.0-1]")
    func orderOverTwoLosses() throws {
        var fixture = SessionFixture.connected()
        for text in ["a", "b", "c"] { try fixture.publish(text) }
        fixture.reconnect(present: true, .receiveMaximum(1))
        fixture.receive(.puback, 1)
        #expect(fixture.written().summaries == ["PUBLISH 1 dup a", "PUBLISH 2 dup b"])
        fixture.reconnect()
        #expect(fixture.written().summaries == ["PUBLISH 2 dup b", "PUBLISH 3 dup c"])
    }

    @Test("After PUBREC, only PUBREL is resent, never PUBLISH [MQTT-4.4.0-1] [MQTT-4.3.3-5] [MQTT-4.3.3-6]")
    func pubrelAgain() throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.publish("x", .exactlyOnce)
        fixture.receive(.pubrec, 1)
        for _ in 1...2 {
            fixture.reconnect()
            #expect(fixture.written().summaries == ["PUBREL 1"])
        }
        fixture.receive(.pubcomp, 1)
        #expect(fixture.completions() == [.published(request)])
    }

    @Test("Nothing is resent during a connection [MQTT-4.4.0-1]")
    func notOnTheSameConnection() throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("x")
        try fixture.publish("y", .exactlyOnce)
        _ = fixture.written()
        fixture.now = fixture.now + .seconds(1_000_000)
        fixture.pump()
        #expect(fixture.written().isEmpty)
    }

    @Test("An acknowledgement that arrives before the publish is resent is accepted")
    func acknowledgedBeforeResent() throws {
        var fixture = SessionFixture.connected()
        let requests = [try fixture.publish("x"), try fixture.publish("y"), try fixture.publish("z", .exactlyOnce)]
        fixture.reconnect(present: true, .receiveMaximum(1))
        fixture.receive(.puback, 2)
        fixture.receive(.pubrec, 3)
        #expect(fixture.written().summaries == ["PUBLISH 1 dup x", "PUBREL 3"])
        fixture.receive(.puback, 1)
        fixture.receive(.pubcomp, 3)
        #expect(Set(fixture.completions().map(\.request)) == Set(requests))
        for _ in 1...3 { try fixture.publish("new") }
        #expect(fixture.written().count == 1)
    }

    @Test("A message in flight does not expire; it is resent with the remaining interval, at least 1 s [MQTT-4.3.3-7]")
    func expiryWhileInFlight() throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("x", .exactlyOnce, properties: [.messageExpiryInterval(10)])
        for (seconds, left) in [(4, 6), (100, 1)] as [(Int, UInt32)] {
            fixture.now = .start + .seconds(seconds)
            fixture.reconnect()
            #expect(fixture.written().publishes.map(\.properties.messageExpiryInterval) == [left])
        }
    }

    @Test("A message that exceeds the server's new limits is given up with an unknown outcome [MQTT-3.2.2-11]")
    func lowerLimits() throws {
        var fixture = SessionFixture.connected()
        let requests = [
            try fixture.publish("x", .exactlyOnce), try fixture.publish("y", retain: true),
            try fixture.publish("too long for that"), try fixture.publish("z"),
        ]
        fixture.reconnect(
            present: true, .maximumQoS(.atLeastOnce), .retainAvailable(false), .maximumPacketSize(15))
        #expect(fixture.written().summaries == ["PUBLISH 4 dup z"])
        #expect(
            fixture.completions() == [
                Completion(request: requests[0], outcome: .abandoned(.qosAboveMaximum(.atLeastOnce))),
                Completion(request: requests[1], outcome: .abandoned(.retainNotAvailable)),
                Completion(request: requests[2], outcome: .abandoned(.packetTooLarge(size: 25, maximum: 15))),
            ])
    }

    @Test("A given-up message keeps its identifier, and its exchange continues when the limits allow [MQTT-4.3.3-1]")
    func lowerLimitsForAWhile() throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("long enough", .exactlyOnce)
        fixture.reconnect(present: true, .maximumPacketSize(15))
        #expect(fixture.completions().count == 1 && fixture.session.isDrained)
        let new = try fixture.publish("x", .exactlyOnce)
        #expect(fixture.written().summaries == ["PUBLISH 2 x"])
        fixture.reconnect()
        #expect(fixture.written().summaries == ["PUBLISH 1 dup long enough", "PUBLISH 2 dup x"])
        for number in [1, 2] as [UInt16] {
            fixture.receive(.pubrec, number)
            fixture.receive(.pubcomp, number)
        }
        #expect(fixture.completions() == [.published(new)])
        #expect(fixture.session.isDrained && fixture.session.inFlightCount == 0)
    }

    @Test("State survives any number of lost connections [MQTT-3.1.2-25] [MQTT-4.1.0-1]")
    func manyLosses() throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("x")
        fixture.consume(fixture.deliver("in", on: "a", .exactlyOnce, 5)?.token)
        for _ in 1...100 { fixture.reconnect() }
        #expect(fixture.written().summaries == ["PUBLISH 1 dup x"])
        #expect(fixture.deliver("in", on: "a", .exactlyOnce, 5, dup: true) == nil)
        #expect(fixture.written().summaries == ["PUBREC 5"])
    }

    // MARK: Sessions on other servers

    @Test("All filters are subscribed to again if the session is on a server other than the last")
    func filtersOfAnotherServer() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("x")
        fixture.suback(1)
        fixture.lose()
        fixture.connect(present: false, server: "two")
        let subscribes = fixture.written().subscribes
        fixture.suback(try #require(subscribes.first).packetID.rawValue)
        try fixture.subscribe("y")
        fixture.suback(try #require(fixture.written().subscribes.first).packetID.rawValue)
        _ = fixture.completions()
        fixture.lose()
        fixture.connect(present: true, server: "one")
        #expect(fixture.written().subscribes.map { $0.subscriptions[0].filter.string } == ["x", "y"])
        fixture.lose()
        fixture.connect(present: true, server: "one")
        #expect(fixture.written().subscribes.count == 2, "the answers had not come")
        #expect(fixture.completions().isEmpty && fixture.session.takeLostSubscribers().isEmpty)
    }

    @Test("A server that does not know a PUBREL gives no information about the message on another server")
    func releaseAtAnotherServer() throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.publish("x", .exactlyOnce)
        fixture.receive(.pubrec, 1)
        fixture.lose()
        fixture.connect(present: true, server: "two")
        #expect(fixture.written().summaries == ["PUBREL 1"])
        fixture.receive(.pubcomp, 1, .packetIdentifierNotFound)
        #expect(fixture.completions() == [Completion(request: request, outcome: .abandoned(.sessionLost))])
    }

    @Test("A QoS 2 message without DUP on another server is new, even if its identifier is known")
    func incomingFromAnotherServer() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a")
        fixture.suback(1)
        for number in [5, 6] as [UInt16] { fixture.consume(try fixture.delivered(on: "a", .exactlyOnce, number).token) }
        fixture.lose()
        fixture.connect(present: true, server: "two")
        #expect(fixture.deliver("other", on: "a", .exactlyOnce, 5) != nil)
        #expect(fixture.deliver("same", on: "a", .exactlyOnce, 6, dup: true) == nil)
    }

    // MARK: The session is lost

    @Test("Session Present after a clean start violates the protocol [MQTT-3.2.2-4] [MQTT-3.2.2-2]")
    func sessionNotAskedFor() {
        var fixture = SessionFixture()
        #expect(fixture.connect(present: true, clean: true) == .protocolError)
        #expect(!fixture.session.isConnected && fixture.unsent == 0)
    }

    @Test(
        "Without a session, publishes are sent as new, in order and without DUP [MQTT-3.2.2-5] [MQTT-3.1.2-4]",
        arguments: [false, true])
    func submittedAnew(clean: Bool) throws {
        var fixture = SessionFixture.connected(.receiveMaximum(3))
        for number in 1...4 { try fixture.publish("\(number)", number.isMultiple(of: 2) ? .exactlyOnce : .atLeastOnce) }
        fixture.receive(.puback, 1)
        fixture.lose()
        #expect(fixture.connect(present: false, clean: clean) == .fresh)
        #expect(fixture.written().publishes.map { String(buffer: $0.payload) } == ["2", "3", "4"])
        #expect(fixture.session.inFlightCount == 3)
    }

    @Test("A QoS 2 message after PUBREC is not sent again: its outcome is unknown [MQTT-4.3.3-6]")
    func releasedWithoutSession() throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.publish("x", .exactlyOnce)
        fixture.receive(.pubrec, 1)
        fixture.reconnect(present: false)
        #expect(fixture.written().isEmpty)
        #expect(fixture.completions() == [Completion(request: request, outcome: .abandoned(.sessionLost))])
    }

    @Test("PUBCOMP with Packet Identifier not found completes a resent PUBREL, since the first one was received")
    func releasedBefore() throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.publish("x", .exactlyOnce)
        fixture.receive(.pubrec, 1)
        fixture.reconnect(present: true)
        fixture.receive(.pubcomp, 1, .packetIdentifierNotFound)
        #expect(fixture.completions() == [.published(request)])
    }

    @Test("QoS 2 messages received in a lost session are forgotten [MQTT-3.2.2-5]")
    func incomingForgotten() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a")
        let old = try fixture.delivered("old", on: "a", .exactlyOnce, 5)
        fixture.reconnect(present: false)
        _ = fixture.written()
        let new = try fixture.delivered("new", on: "a", .exactlyOnce, 5)
        fixture.consume(old.token)
        #expect(fixture.written().isEmpty)
        fixture.consume(new.token)
        #expect(fixture.written().summaries == ["PUBREC 5"])
    }

    @Test("With MQTT 3.1, which does not report the session, exchanges continue and subscriptions are made again")
    func sessionUnknown() throws {
        var fixture = SessionFixture.connected(version: .v3_1)
        try fixture.subscribe("f")
        fixture.suback(1)
        try fixture.publish("x", .exactlyOnce)
        try fixture.publish("y")
        fixture.receive(.pubrec, 2)
        _ = fixture.written()
        fixture.reconnect(present: false)
        #expect(fixture.written().summaries == ["PUBREL 2", "SUBSCRIBE 4 f", "PUBLISH 3 dup y"])
    }

    @Test("A message sent in a lost session cannot be cancelled, and is sent again")
    func cancelAfterSessionLoss() throws {
        var fixture = SessionFixture.connected()
        let requests = [try fixture.publish("x"), try fixture.publish("y")]
        fixture.reconnect(present: false, .receiveMaximum(1))
        let fresh = try fixture.publish("z")
        #expect(fixture.session.remains == .init(notSent: 1, unknown: 2))
        #expect(fixture.session.cancel(requests[0]) == false)
        #expect(fixture.session.cancel(requests[1]) == false)
        #expect(fixture.session.cancel(fresh) == true)
        #expect(fixture.written().summaries == ["PUBLISH 3 x"])
        fixture.receive(.puback, 3)
        #expect(fixture.written().summaries == ["PUBLISH 4 y"])
    }

    @Test("An expired message is not sent again after a lost session, and its outcome is unknown [MQTT-4.3.3-7]")
    func expiryAfterSessionLoss() throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.publish("x", .exactlyOnce, properties: [.messageExpiryInterval(5)])
        try fixture.publish("y", .exactlyOnce, properties: [.messageExpiryInterval(61)])
        fixture.now = fixture.now + .seconds(60)
        fixture.reconnect(present: false)
        #expect(fixture.written().publishes.map(\.properties.messageExpiryInterval) == [1])
        #expect(fixture.completions() == [Completion(request: request, outcome: .abandoned(.expired))])
        #expect(fixture.session.remains == .init(unknown: 1))
    }

    @Test("An expiry interval of 0 is sent unchanged", arguments: [QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
    func expiryZero(qos: QoS) throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("x", qos, properties: [.messageExpiryInterval(0)])
        #expect(fixture.written().publishes.map(\.properties.messageExpiryInterval) == [0])
    }

    // MARK: Queued messages

    @Test("A queued message expires, or its expiry interval is reduced")
    func expiry() throws {
        var fixture = SessionFixture()
        let request = try fixture.publish("x", properties: [.messageExpiryInterval(5)])
        try fixture.publish("y", properties: [.messageExpiryInterval(60)])
        fixture.now = fixture.now + .seconds(5)
        fixture.connect()
        #expect(fixture.completions() == [.rejected(request, .expired)])
        #expect(fixture.written().publishes.map(\.properties.messageExpiryInterval) == [55])
    }

    @Test("Cancelling removes only messages that were never sent")
    func cancel() throws {
        var fixture = SessionFixture.connected(.receiveMaximum(1))
        let requests = [try fixture.publish("1"), try fixture.publish("2"), try fixture.publish("3")]
        #expect(fixture.session.cancel(requests[0]) == false)
        #expect(fixture.session.cancel(requests[1]) == true)
        #expect(fixture.session.cancel(requests[1]) == false)
        #expect(fixture.session.cancel(RequestID(99)) == false)
        fixture.receive(.puback, 1)
        #expect(fixture.completions() == [.published(requests[0])])
        #expect(fixture.written().publishes.map { String(buffer: $0.payload) } == ["1", "3"])
    }

    @Test("Cancelled messages do not accumulate while nothing is sent")
    func cancelledAreDropped() {
        var outbox = Outbox()
        func entry(_ number: UInt64) -> Outbox.Entry {
            let message = OutgoingMessage(topic: "a", payload: .text("m"), qos: .atLeastOnce)
            return Outbox.Entry(request: RequestID(number), message: message, expiresAt: nil, wasSent: false)
        }
        outbox.append(entry(0))
        for number in 1...10_000 as ClosedRange<UInt64> {
            outbox.append(entry(number))
            if number > 1 { require(outbox.cancel(RequestID(number - 1)), "\(number - 1) is not there") }
        }
        #expect(outbox.count == 2)
        #expect(outbox.places <= 66)
    }

    @Test("Packets that arrive after the connection was lost change nothing")
    func packetsAfterLoss() throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("x")
        fixture.lose()
        #expect(fixture.receive(.puback, 1) == .nothing)
        #expect(fixture.deliver(on: "a", .atLeastOnce, 3) == nil)
        #expect(fixture.completions().isEmpty && fixture.unsent == 0)
    }
}
