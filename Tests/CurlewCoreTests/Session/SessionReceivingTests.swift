import NIOCore
import Testing

@testable import CurlewCore

@Suite("Receiving in a session")
struct SessionReceivingTests {
    /// A connected session in which subscribers 1 and 2 have subscribed to `a`.
    private func subscribed(
        version: ProtocolVersion = .v5_0, configure: (inout ClientSession.Settings) -> Void = { _ in }
    ) throws -> SessionFixture {
        var fixture = SessionFixture.connected(version: version, configure: configure)
        for subscriber in 1...2 as ClosedRange<UInt64> {
            try fixture.subscribe("a", subscriber)
            fixture.suback(1)
            fixture.suback(2)
        }
        _ = fixture.written()
        _ = fixture.completions()
        return fixture
    }

    // MARK: Acknowledgements for each QoS

    @Test("A QoS 0 message is delivered and not acknowledged [MQTT-3.3.4-1]")
    func atMostOnce() throws {
        var fixture = try self.subscribed()
        let delivery = try fixture.delivered()
        #expect(delivery.to == [1, 2] && delivery.token == nil)
        #expect(fixture.written().isEmpty)
    }

    @Test(
        "A QoS 1 message is acknowledged when all receivers have released it [MQTT-4.3.2-4] [MQTT-3.3.4-1] [MQTT-2.2.1-5]"
    )
    func atLeastOnce() throws {
        var fixture = try self.subscribed()
        let delivery = try fixture.delivered(on: "a", .atLeastOnce, 7)
        #expect(delivery.to == [1, 2] && fixture.session.unacknowledgedCount == 1)
        fixture.consume(delivery.token)
        #expect(fixture.written().isEmpty)
        fixture.consume(delivery.token)
        #expect(fixture.written().summaries == ["PUBACK 7"])
        #expect(fixture.session.unacknowledgedCount == 0)
    }

    @Test(
        "After PUBACK, the same packet identifier is a new message, with or without DUP [MQTT-4.3.2-5]",
        arguments: [false, true])
    func identifierAgain(dup: Bool) throws {
        var fixture = try self.subscribed()
        for _ in 1...2 {
            let delivery = try fixture.delivered(on: "a", .atLeastOnce, 7, dup: dup)
            for _ in delivery.to { fixture.consume(delivery.token) }
            #expect(fixture.written().summaries == ["PUBACK 7"])
        }
    }

    @Test(
        "QoS 2: PUBREC when all receivers have released it, PUBCOMP for PUBREL [MQTT-4.3.3-8] [MQTT-4.3.3-11] [MQTT-3.3.4-1]"
    )
    func exactlyOnce() throws {
        var fixture = try self.subscribed()
        let delivery = try fixture.delivered(on: "a", .exactlyOnce, 7)
        fixture.consume(delivery.token)
        #expect(fixture.written().isEmpty)
        fixture.consume(delivery.token)
        #expect(fixture.written().summaries == ["PUBREC 7"])
        fixture.receive(.pubrel, 7)
        #expect(fixture.written().summaries == ["PUBCOMP 7"])
    }

    @Test("After PUBCOMP, the same packet identifier is a new message [MQTT-4.3.3-12]")
    func exactlyOnceAgain() throws {
        var fixture = try self.subscribed()
        for _ in 1...3 {
            let delivery = try fixture.delivered(on: "a", .exactlyOnce, 7)
            for _ in delivery.to { fixture.consume(delivery.token) }
            fixture.receive(.pubrel, 7)
            #expect(fixture.written().summaries == ["PUBREC 7", "PUBCOMP 7"])
        }
    }

    @Test(
        "An unclaimed message is acknowledged when the session's owner releases it [MQTT-4.5.0-2]",
        arguments: [QoS.atLeastOnce, .exactlyOnce])
    func unclaimed(qos: QoS) throws {
        var fixture = SessionFixture.connected()
        let delivery = try fixture.delivered(on: "b", qos, 9)
        #expect(delivery.to.isEmpty && fixture.written().isEmpty)
        let token = try #require(delivery.token)
        #expect(fixture.session.isOwed(token))
        fixture.consume(token)
        #expect(fixture.written().summaries == [qos == .atLeastOnce ? "PUBACK 9" : "PUBREC 9"])
        #expect(!fixture.session.isOwed(token))
    }

    @Test("For a minute after UNSUBSCRIBE, messages for the filter are acknowledged at once")
    func givenUp() throws {
        var fixture = try self.subscribed()
        for subscriber in 1...2 as ClosedRange<UInt64> { fixture.unsubscribe(subscriber) }
        _ = fixture.written()
        #expect(try fixture.delivered(on: "a", .atLeastOnce, 7) == Delivery(to: [], token: nil))
        #expect(fixture.written().summaries == ["PUBACK 7"])
        fixture.now = fixture.now + .seconds(60)
        #expect(try fixture.delivered(on: "a", .atLeastOnce, 8).token != nil)
    }

    @Test(
        "In a session of an earlier run, this applies only if no other filter can match the message",
        arguments: [true, false])
    func givenUpInKeptSession(hasIdentifier: Bool) throws {
        var fixture = SessionFixture()
        fixture.connect(present: true)
        try fixture.subscribe("#", 1)
        fixture.suback(1)
        let subscribe = fixture.written().compactMap { if case .subscribe(let packet) = $0 { packet } else { nil } }
        fixture.unsubscribe(1)
        _ = fixture.written()
        let own = try #require(subscribe.first).properties.subscriptionIdentifiers
        let identifiers = hasIdentifier ? own : own + [77]
        let packet = Publish.incoming("m", "a", .atLeastOnce, 7, identifiers: identifiers)
        guard case .message(_, [], let token) = fixture.receive(.publish(packet)) else {
            Issue.record("It is not delivered.")
            return
        }
        #expect((token == nil) == hasIdentifier)
        #expect(fixture.written().summaries == (hasIdentifier ? ["PUBACK 7"] : []))
        #expect(try fixture.delivered(on: "a", .atLeastOnce, 8).token != nil)
    }

    @Test("A message of a session that the server has lost is an orphan")
    func orphan() throws {
        var fixture = try self.subscribed()
        let lost = try #require(try fixture.delivered(on: "a", .atLeastOnce, 1).token)
        #expect(!fixture.session.isOrphan(lost))
        fixture.reconnect(present: false)
        #expect(fixture.session.isOrphan(lost))
        let kept = try #require(try fixture.delivered(on: "a", .atLeastOnce, 1).token)
        fixture.reconnect(present: true)
        #expect(!fixture.session.isOrphan(kept) && fixture.session.isOrphan(lost))
    }

    @Test("This ends when the filter is subscribed to again, or with the connection")
    func givenUpNoMore() throws {
        var fixture = try self.subscribed()
        for subscriber in 1...2 as ClosedRange<UInt64> { fixture.unsubscribe(subscriber) }
        try fixture.subscribe("a", 3)
        #expect(try fixture.delivered(on: "a", .atLeastOnce, 7).to == [3])
        fixture.unsubscribe(3)
        fixture.reconnect()
        #expect(try fixture.delivered(on: "a", .atLeastOnce, 7, dup: true).token != nil)
    }

    @Test("The subscriber that takes the remainder gets messages that match no filter, at any QoS, and no others")
    func remainder() throws {
        var fixture = try self.subscribed()
        fixture.session.takeRemainder(SubscriberID(2))
        #expect(try fixture.delivered(on: "b").to == [2])
        #expect(try fixture.delivered(on: "$SYS/b", .exactlyOnce, 7).to == [2])
        #expect(try fixture.delivered(on: "a").to == [1, 2])
        fixture.unsubscribe(2)
        #expect(try fixture.delivered(on: "b").to == [])
    }

    @Test("Acknowledgements are due for QoS 1 only on the same connection, and for QoS 2 until the session's end")
    func owed() throws {
        var fixture = try self.subscribed()
        let tokens = try [QoS.atLeastOnce, .exactlyOnce].enumerated().map { index, qos in
            try #require(try fixture.delivered(on: "a", qos, UInt16(index) + 1).token)
        }
        #expect(tokens.map(fixture.session.isOwed) == [true, true])
        fixture.lose()
        #expect(tokens.map(fixture.session.isOwed) == [false, true])
        fixture.session.end()
        #expect(tokens.map(fixture.session.isOwed) == [false, false])
    }

    @Test(
        "A too large message is acknowledged in its turn, with a failure on 5.0",
        arguments: ProtocolVersion.allCases)
    func tooLarge(version: ProtocolVersion) throws {
        var fixture = try self.subscribed(version: version)
        let before = try fixture.delivered(on: "a", .atLeastOnce, 1)
        let packets = [QoS.atMostOnce, .atLeastOnce, .exactlyOnce].map { qos in
            Publish.incoming("", "a", qos, qos == .atMostOnce ? nil : UInt16(qos.rawValue) + 1)
        }
        for packet in packets {
            guard case .message(_, let receivers, nil) = fixture.receiveSkipped(packet) else {
                Issue.record("nobody learns of \(packet)")
                return
            }
            #expect(receivers.map(\.rawValue) == [1, 2])
        }
        #expect(fixture.written().isEmpty)
        for _ in before.to { fixture.consume(before.token) }
        guard version == .v5_0 else {
            #expect(fixture.written().summaries == ["PUBACK 1", "PUBACK 2", "PUBREC 3"])
            // Before 5.0 there is no failure code, so the exchange is completed.
            #expect(fixture.receiveSkipped(packets[2]) == .nothing)
            fixture.receive(.pubrel, 3)
            #expect(fixture.written().summaries == ["PUBREC 3", "PUBCOMP 3"])
            return
        }
        #expect(fixture.written().summaries == ["PUBACK 1", "PUBACK 2 131", "PUBREC 3 131"])
        #expect(fixture.session.incoming.remembered == 0)
    }

    @Test("The topic alias of a too large message applies to later messages")
    func tooLargeWithAlias() throws {
        var fixture = try self.subscribed { $0.topicAliasMaximum = 5 }
        fixture.receiveSkipped(.incoming("", "a", alias: 3))
        #expect(fixture.deliver(on: nil, alias: 3)?.to == [1, 2])
        #expect(fixture.receiveSkipped(.incoming("", nil, alias: 4)).violation == .protocolError)
    }

    @Test("A message that expires while it is processed is acknowledged as usual [MQTT-4.3.3-13]")
    func expired() throws {
        var fixture = try self.subscribed()
        let delivery = try fixture.delivered(on: "a", .exactlyOnce, 7)
        fixture.now = fixture.now + .seconds(1_000)
        for _ in delivery.to { fixture.consume(delivery.token) }
        fixture.receive(.pubrel, 7)
        #expect(fixture.written().summaries == ["PUBREC 7", "PUBCOMP 7"])
    }

    @Test("A PUBREC with a failure ends the exchange, and its identifier may be reused [MQTT-4.3.3-9]")
    func refused() throws {
        var fixture = try self.subscribed { $0.receiveMaximum = 1 }
        for _ in 1...2 {
            let delivery = try fixture.delivered(on: "a", .exactlyOnce, 7)
            fixture.consume(delivery.token, .notAuthorized)
            fixture.consume(delivery.token)
            #expect(fixture.written().summaries == ["PUBREC 7 135"])
        }
        #expect(fixture.session.incoming.remembered == 0)
    }

    @Test("Before 5.0, PUBREC cannot refuse: the identifier stays in use until PUBREL [MQTT-4.3.3-10]")
    func refusedBefore5() throws {
        var fixture = try self.subscribed(version: .v3_1_1)
        let delivery = try fixture.delivered(on: "a", .exactlyOnce, 7)
        for _ in delivery.to { fixture.consume(delivery.token, .notAuthorized) }
        #expect(fixture.written().summaries == ["PUBREC 7"])
        fixture.reconnect()
        #expect(fixture.deliver(on: "a", .exactlyOnce, 7, dup: true) == nil)
        fixture.receive(.pubrel, 7)
        #expect(fixture.written().summaries == ["PUBREC 7", "PUBCOMP 7"])
        #expect(fixture.session.incoming.remembered == 0)
    }

    @Test("A subscriber's reason code is sent on 5.0 only", arguments: ProtocolVersion.allCases)
    func reasonCode(version: ProtocolVersion) throws {
        var fixture = try self.subscribed(version: version)
        let delivery = try fixture.delivered(on: "a", .atLeastOnce, 7)
        fixture.consume(delivery.token, .quotaExceeded)
        fixture.consume(delivery.token)
        #expect(fixture.written().summaries == [version == .v5_0 ? "PUBACK 7 151" : "PUBACK 7"])
    }

    @Test(
        """
        Acknowledgements have no properties that could make them too large [MQTT-3.4.2-2] [MQTT-3.4.2-3] \
        [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3]
        """)
    func smallAcknowledgements() throws {
        var fixture = SessionFixture.connected(.maximumPacketSize(9))
        try fixture.publish("x", .exactlyOnce)
        _ = fixture.written()
        fixture.consume(try fixture.delivered(on: "a", .atLeastOnce, 1).token)
        fixture.consume(try fixture.delivered(on: "a", .exactlyOnce, 2).token)
        fixture.receive(.pubrel, 2)
        fixture.receive(.pubrel, 3)
        fixture.receive(.pubrec, 1)
        fixture.receive(.pubrec, 9)
        #expect(fixture.unsent == 4 * 4 + 2 * 5)
        #expect(fixture.written().count == 6)
    }

    // MARK: Order

    @Test("Acknowledgements are sent in order of arrival, whichever is ready first [MQTT-4.6.0-2] [MQTT-4.6.0-3]")
    func order() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a")
        _ = fixture.written()
        let tokens = [
            fixture.deliver(on: "a", .atLeastOnce, 4)?.token, fixture.deliver(on: "a", .exactlyOnce, 3)?.token,
            fixture.deliver(on: "a", .atLeastOnce, 2)?.token, fixture.deliver(on: "a", .exactlyOnce, 1)?.token,
        ]
        for index in [3, 1, 2] { fixture.consume(tokens[index]) }
        #expect(fixture.written().isEmpty)
        fixture.consume(tokens[0])
        #expect(fixture.written().summaries == ["PUBACK 4", "PUBREC 3", "PUBACK 2", "PUBREC 1"])
    }

    // MARK: Exactly once

    @Test("A repeated QoS 2 message is answered again and not delivered again [MQTT-4.3.3-10]")
    func duplicate() throws {
        var fixture = try self.subscribed()
        let delivery = try fixture.delivered(on: "a", .exactlyOnce, 7)
        for _ in delivery.to { fixture.consume(delivery.token) }
        for _ in 1...3 { #expect(fixture.deliver(on: "a", .exactlyOnce, 7, dup: true) == nil) }
        #expect(fixture.written().summaries == ["PUBREC 7", "PUBREC 7", "PUBREC 7", "PUBREC 7"])
    }

    @Test(
        "A QoS 2 message still being consumed survives the connection, and is acknowledged on the next [MQTT-4.3.3-10]")
    func heldOverLoss() throws {
        var fixture = try self.subscribed()
        let delivery = try fixture.delivered(on: "a", .exactlyOnce, 7)
        fixture.consume(delivery.token)
        fixture.reconnect()
        #expect(fixture.deliver(on: "a", .exactlyOnce, 7, dup: true) == nil)
        #expect(fixture.written().isEmpty)
        fixture.consume(delivery.token)
        #expect(fixture.written().summaries == ["PUBREC 7"])
    }

    @Test("A QoS 2 message released without a connection is acknowledged when it is resent")
    func passedWhileLost() throws {
        var fixture = try self.subscribed()
        let delivery = try fixture.delivered(on: "a", .exactlyOnce, 7)
        fixture.lose()
        for _ in delivery.to { fixture.consume(delivery.token) }
        fixture.connect(present: true)
        #expect(fixture.written().isEmpty)
        #expect(fixture.deliver(on: "a", .exactlyOnce, 7, dup: true) == nil)
        #expect(fixture.written().summaries == ["PUBREC 7"])
    }

    @Test("A QoS 1 message resent after a loss has a new token; the old one has no effect")
    func oldToken() throws {
        var fixture = try self.subscribed()
        let old = try fixture.delivered(on: "a", .atLeastOnce, 7)
        fixture.reconnect()
        let new = try fixture.delivered(on: "a", .atLeastOnce, 7, dup: true)
        for _ in 1...2 { fixture.consume(old.token) }
        #expect(fixture.written().isEmpty)
        for _ in 1...2 { fixture.consume(new.token) }
        #expect(fixture.written().summaries == ["PUBACK 7"])
    }

    @Test("A connection lost between PUBREC and PUBREL does not cause a second delivery")
    func dropBeforePubrel() throws {
        var fixture = try self.subscribed()
        let delivery = try fixture.delivered(on: "a", .exactlyOnce, 7)
        for _ in delivery.to { fixture.consume(delivery.token) }
        fixture.reconnect()
        fixture.receive(.pubrel, 7)
        #expect(fixture.written().summaries == ["PUBCOMP 7"])
    }

    @Test("With MQTT 3.1, which does not report the session, DUP distinguishes a resent QoS 2 message from a new one")
    func dupWhereTheSessionIsUncertain() throws {
        var fixture = SessionFixture()
        try fixture.subscribe("a", 1)
        fixture.connect(version: .v3_1)
        fixture.suback(1)
        for number in [5, 6] as [UInt16] { fixture.consume(try fixture.delivered(on: "a", .exactlyOnce, number).token) }
        fixture.reconnect(present: false)
        _ = fixture.written()
        #expect(fixture.deliver("m", on: "a", .exactlyOnce, 5, dup: true) == nil)
        #expect(fixture.written().summaries == ["PUBREC 5"])
        let new = try fixture.delivered("new", on: "a", .exactlyOnce, 6)
        #expect(fixture.deliver("new", on: "a", .exactlyOnce, 6) == nil)
        fixture.consume(new.token)
        #expect(fixture.written().summaries == ["PUBREC 6"])
    }

    @Test("A PUBREL that may belong to another session of the server ends no exchange")
    func pubrelWhereTheSessionIsUncertain() throws {
        var fixture = SessionFixture()
        try fixture.subscribe("a", 1)
        fixture.connect(version: .v3_1)
        fixture.suback(1)
        let delivery = try fixture.delivered(on: "a", .exactlyOnce, 5)
        fixture.reconnect(present: false)
        _ = fixture.written()
        #expect(fixture.receive(.pubrel, 5) == .nothing)
        #expect(fixture.written().summaries == ["PUBCOMP 5"])
        #expect(fixture.deliver("m", on: "a", .exactlyOnce, 5, dup: true) == nil)
        fixture.consume(delivery.token)
        #expect(fixture.written().summaries == ["PUBREC 5"])
    }

    // MARK: Unexpected PUBREL

    @Test("PUBREL with an unknown identifier is answered with Packet Identifier not found [MQTT-4.3.3-11]")
    func unknownPubrel() {
        var fixture = SessionFixture.connected()
        #expect(fixture.receive(.pubrel, 65_535) == .nothing)
        #expect(fixture.written().summaries == ["PUBCOMP 65535 146"])
    }

    @Test("PUBREL before PUBREC violates the protocol")
    func earlyPubrel() throws {
        var fixture = try self.subscribed()
        let delivery = try fixture.delivered(on: "a", .exactlyOnce, 7)
        #expect(fixture.receive(.pubrel, 7).violation == .protocolError)
        fixture.lose()
        for _ in delivery.to { fixture.consume(delivery.token) }
        fixture.connect(present: true)
        #expect(fixture.receive(.pubrel, 7).violation == .protocolError)
    }

    @Test("PUBREL while a second PUBREC is pending leaves no stale PUBREC for the next message")
    func pubrelBeforeSecondPubrec() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a")
        fixture.consume(fixture.deliver("old", on: "a", .exactlyOnce, 7)?.token)
        let first = fixture.deliver("holds up the others", on: "a", .atLeastOnce, 1)
        #expect(fixture.deliver("old", on: "a", .exactlyOnce, 7, dup: true) == nil)
        fixture.receive(.pubrel, 7)
        let new = fixture.deliver("new", on: "a", .exactlyOnce, 7)
        _ = fixture.written()
        fixture.consume(first?.token)
        #expect(fixture.written().summaries == ["PUBACK 1"])
        fixture.consume(new?.token)
        #expect(fixture.written().summaries == ["PUBREC 7"])
        #expect(fixture.deliver("new", on: "a", .exactlyOnce, 7, dup: true) == nil)
    }

    // MARK: Receive Maximum

    @Test("Exceeding Receive Maximum ends the connection; both QoS count until their last acknowledgement")
    func receiveMaximum() throws {
        var fixture = try self.subscribed { $0.receiveMaximum = 2 }
        let first = try fixture.delivered(on: "a", .exactlyOnce, 1)
        for _ in first.to { fixture.consume(first.token) }
        #expect(fixture.deliver(on: "a", .atLeastOnce, 2) != nil)
        let third = Packet.publish(.incoming("x", "a", .atLeastOnce, 3))
        #expect(fixture.receive(third).violation == .receiveMaximumExceeded)
        fixture.receive(.pubrel, 1)
        #expect(fixture.receive(third).violation == nil)
    }

    @Test("PUBRELs of an earlier connection free no place in the window")
    func noRoomByOldReleases() throws {
        var fixture = SessionFixture.connected { $0.receiveMaximum = 2 }
        for number in 1...2 as ClosedRange<UInt16> { fixture.deliver(on: "a", .exactlyOnce, number) }
        try fixture.subscribe("a")
        fixture.reconnect()
        fixture.deliver(on: "a", .exactlyOnce, 3)
        fixture.deliver(on: "a", .exactlyOnce, 4)
        for number in 1...2 as ClosedRange<UInt16> { fixture.receive(.pubrel, number) }
        let fifth = Packet.publish(.incoming("x", "a", .exactlyOnce, 5))
        #expect(fixture.receive(fifth).violation == .receiveMaximumExceeded)
    }

    @Test("A server that repeats a QoS 2 message endlessly does not make the state grow")
    func endlessDuplicates() throws {
        var fixture = SessionFixture.connected { $0.receiveMaximum = 3 }
        try fixture.subscribe("a")
        fixture.consume(fixture.deliver(on: "a", .exactlyOnce, 7)?.token)
        fixture.deliver("holds up the others", on: "a", .atLeastOnce, 1)
        for _ in 1...1_000 { fixture.deliver(on: "a", .exactlyOnce, 7, dup: true) }
        #expect(fixture.session.unacknowledgedCount == 2)
    }

    // MARK: Topic aliases

    @Test("Every alias up to the maximum is accepted [MQTT-3.3.2-10]", arguments: [1, 5, 10] as [UInt16])
    func alias(number: UInt16) throws {
        var fixture = try self.subscribed { $0.topicAliasMaximum = 10 }
        #expect(fixture.deliver(on: "a", alias: number)?.to == [1, 2])
        #expect(fixture.deliver(on: nil, alias: number)?.to == [1, 2])
        #expect(fixture.deliver(on: "b", alias: number)?.to == [])
        #expect(fixture.deliver(on: nil, alias: number)?.to == [])
    }

    @Test("An alias of 0 or above the maximum ends the connection", arguments: [0, 11, 65_535] as [UInt16])
    func aliasOutOfRange(number: UInt16) throws {
        var fixture = try self.subscribed { $0.topicAliasMaximum = 10 }
        for topic in ["a", nil] as [TopicName?] {
            let packet = Publish.incoming("m", topic, alias: number)
            #expect(fixture.receive(.publish(packet)).violation == .topicAliasInvalid)
        }
    }

    @Test("Without a maximum, every alias is an error; with one, an unknown alias is an error")
    func unknownAlias() throws {
        var none = try self.subscribed()
        #expect(none.receive(.publish(.incoming("m", "a", alias: 1))).violation == .topicAliasInvalid)
        var some = try self.subscribed { $0.topicAliasMaximum = 10 }
        #expect(some.receive(.publish(.incoming("m", nil, alias: 1))).violation == .protocolError)
        #expect(some.receive(.publish(.incoming("m", nil))).violation == .protocolError)
    }

    @Test("An alias does not survive its connection [MQTT-3.3.2-7]")
    func aliasOfEarlierConnection() throws {
        var fixture = try self.subscribed { $0.topicAliasMaximum = 10 }
        fixture.deliver(on: "a", alias: 1)
        fixture.reconnect()
        #expect(fixture.receive(.publish(.incoming("m", nil, alias: 1))).violation == .protocolError)
    }

    // MARK: Other packets

    @Test("DUP of a received message does not affect DUP of a sent one [MQTT-3.3.1-3]")
    func dupIsNotCarriedOn() throws {
        var fixture = SessionFixture.connected()
        fixture.consume(fixture.deliver("m", on: "a", .atLeastOnce, 1, dup: true)?.token)
        try fixture.publish("m")
        #expect(fixture.written().summaries == ["PUBACK 1", "PUBLISH 1 m"])
    }

    @Test("A packet that a server must not send violates the protocol")
    func wrongPackets() {
        let wrong: [Packet] = [
            .connack(ConnAck()), .connect(Connect(clientIdentifier: "c")), .pingreq,
            .subscribe(Subscribe(id(1), [.init("a")])),
            .unsubscribe(Unsubscribe(id(1), [topicFilter("a")])),
        ]
        for packet in wrong {
            var fixture = SessionFixture.connected()
            #expect(fixture.receive(packet).violation == .protocolError)
        }
    }

    @Test("Packets about the connection are passed to the caller")
    func handedOn() {
        var fixture = SessionFixture.connected()
        #expect(fixture.receive(.pingresp) == .pong)
        let disconnect = Disconnect(reasonCode: .serverShuttingDown)
        #expect(fixture.receive(.disconnect(disconnect)) == .disconnected(disconnect))
        let auth = Auth(reasonCode: .continueAuthentication)
        #expect(fixture.receive(.auth(auth)) == .authenticate(auth))
    }
}
