import NIOCore
import Testing

@testable import CurlewCore

@Suite("Publishing in a session")
struct SessionPublishingTests {
    // MARK: QoS 0

    @Test("QoS 0 is written at once, without packet identifier or DUP [MQTT-4.3.1-1] [MQTT-3.3.1-2] [MQTT-2.2.1-2]")
    func atMostOnce() throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("m", .atMostOnce)
        #expect(fixture.written().summaries == ["PUBLISH m"])
        #expect(fixture.completions().isEmpty)
        #expect(fixture.session.isDrained)
    }

    @Test("QoS 0 without a connection waits for one, and completes when it is written")
    func atMostOnceOffline() throws {
        var fixture = SessionFixture()
        let request = try fixture.publish("m", .atMostOnce)
        #expect(fixture.completions().isEmpty)
        fixture.connect()
        #expect(fixture.written().summaries == ["PUBLISH m"])
        #expect(fixture.completions() == [.published(request)])
    }

    // MARK: QoS 1

    @Test("QoS 1 gets an unused packet identifier, and no DUP [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-2.2.1-3]")
    func atLeastOnce() throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("x")
        try fixture.publish("y")
        #expect(fixture.written().summaries == ["PUBLISH 1 x", "PUBLISH 2 y"])
    }

    @Test("QoS 1 is unacknowledged until its PUBACK [MQTT-4.3.2-3] [MQTT-2.2.1-5]")
    func puback() throws {
        var fixture = SessionFixture.connected()
        let requests = [try fixture.publish(), try fixture.publish()]
        #expect(fixture.completions().isEmpty && fixture.session.inFlightCount == 2)
        fixture.receive(.puback, 2, .noMatchingSubscribers)
        #expect(fixture.completions() == [.published(requests[1], .noMatchingSubscribers)])
        fixture.receive(.puback, 1)
        #expect(fixture.completions() == [.published(requests[0])])
        #expect(fixture.session.isDrained)
    }

    @Test("A PUBACK with a failure ends the exchange with its reason, and nothing is resent [MQTT-4.4.0-2]")
    func refusedPuback() throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.publish()
        let properties = Properties([.reasonString("no")])
        fixture.receive(.puback(Acknowledgement(id(1), reasonCode: .notAuthorized, properties: properties)))
        #expect(fixture.completions() == [.published(request, .notAuthorized, reason: "no")])
        fixture.reconnect()
        #expect(fixture.written().isEmpty)
    }

    // MARK: QoS 2

    @Test(
        "QoS 2 is sent once, with an unused identifier and without DUP [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-3]")
    func exactlyOnce() throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("x", .exactlyOnce)
        #expect(fixture.written().summaries == ["PUBLISH 1 x"])
        #expect(fixture.session.inFlightCount == 1)
    }

    @Test("PUBREC is answered with PUBREL, and PUBCOMP completes [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-2.2.1-5]")
    func released() throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.publish("x", .exactlyOnce)
        _ = fixture.written()
        fixture.receive(.pubrec, 1)
        #expect(fixture.written().summaries == ["PUBREL 1"])
        #expect(fixture.completions().isEmpty)
        fixture.receive(.pubcomp, 1)
        #expect(fixture.completions() == [.published(request)])
        #expect(fixture.session.isDrained)
    }

    @Test("The reason code of PUBREC is the outcome")
    func noSubscribers() throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.publish("x", .exactlyOnce)
        fixture.receive(.pubrec, 1, .noMatchingSubscribers)
        fixture.receive(.pubcomp, 1)
        #expect(fixture.completions() == [.published(request, .noMatchingSubscribers)])
    }

    @Test(
        "A PUBREC with a failure ends the exchange without PUBREL, and nothing is resent [MQTT-4.4.0-2] [MQTT-4.3.3-4]")
    func refusedPubrec() throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.publish("x", .exactlyOnce)
        _ = fixture.written()
        fixture.receive(.pubrec, 1, .quotaExceeded)
        #expect(fixture.completions() == [.published(request, .quotaExceeded)])
        fixture.reconnect()
        #expect(fixture.written().isEmpty)
    }

    @Test("PUBRELs are sent in the order of the PUBRECs [MQTT-4.6.0-4]")
    func pubrelOrder() throws {
        var fixture = SessionFixture.connected()
        for _ in 1...3 { try fixture.publish("x", .exactlyOnce) }
        _ = fixture.written()
        for number in [3, 1, 2] as [UInt16] { fixture.receive(.pubrec, number) }
        #expect(fixture.written().summaries == ["PUBREL 3", "PUBREL 1", "PUBREL 2"])
        fixture.reconnect()
        #expect(fixture.written().summaries == ["PUBREL 3", "PUBREL 1", "PUBREL 2"])
    }

    @Test("A second PUBREC is answered with PUBREL again; PUBLISH is never sent after PUBREL [MQTT-4.3.3-6]")
    func secondPubrec() throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("x", .exactlyOnce)
        _ = fixture.written()
        fixture.receive(.pubrec, 1)
        fixture.receive(.pubrec, 1)
        #expect(fixture.written().summaries == ["PUBREL 1", "PUBREL 1"])
        fixture.reconnect()
        #expect(fixture.written().summaries == ["PUBREL 1"])
    }

    @Test("A PUBCOMP with Packet Identifier not found, for the only PUBREL, means that the message is lost")
    func unknownToServer() throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.publish("x", .exactlyOnce)
        fixture.receive(.pubrec, 1)
        fixture.receive(.pubcomp, 1, .packetIdentifierNotFound)
        #expect(fixture.completions() == [Completion(request: request, outcome: .abandoned(.sessionLost))])
        #expect(fixture.session.isDrained)
    }

    // MARK: The server's limits

    @Test("A QoS above Maximum QoS is refused before anything is sent [MQTT-3.2.2-11]")
    func maximumQoS() throws {
        var fixture = SessionFixture.connected(.maximumQoS(.atMostOnce))
        #expect(throws: Rejection.qosAboveMaximum(.atMostOnce)) { try fixture.publish("x", .atLeastOnce) }
        try fixture.publish("y", .atMostOnce)
        #expect(fixture.written().summaries == ["PUBLISH y"])
    }

    @Test("A retained message is refused if the server does not support them [MQTT-3.2.2-14]")
    func retainAvailable() throws {
        var fixture = SessionFixture.connected(.retainAvailable(false))
        #expect(throws: Rejection.retainNotAvailable) { try fixture.publish("x", retain: true) }
        #expect(fixture.written().isEmpty && fixture.session.isDrained)
    }

    @Test("Messages from the outbox obey the new connection's limits [MQTT-3.2.2-11] [MQTT-3.2.2-14] [MQTT-3.2.2-15]")
    func limitsForTheOutbox() throws {
        var fixture = SessionFixture()
        let requests = [
            try fixture.publish("x", .exactlyOnce), try fixture.publish("y", retain: true),
            try fixture.publish(String(repeating: "z", count: 50)), try fixture.publish("fits"),
        ]
        fixture.connect([.maximumQoS(.atLeastOnce), .retainAvailable(false), .maximumPacketSize(40)])
        #expect(fixture.written().summaries == ["PUBLISH 2 fits"])
        #expect(
            fixture.completions() == [
                .rejected(requests[0], .qosAboveMaximum(.atLeastOnce)), .rejected(requests[1], .retainNotAvailable),
                .rejected(requests[2], .packetTooLarge(size: 58, maximum: 40)),
            ])
    }

    @Test(
        "A packet of exactly Maximum Packet Size is sent; one byte more is refused [MQTT-3.2.2-15]",
        arguments: [false, true])
    func maximumPacketSize(usesAliases: Bool) throws {
        var fixture = SessionFixture.connected(.maximumPacketSize(100), .topicAliasMaximum(10)) {
            $0.outgoingTopicAliasMaximum = usesAliases ? 10 : 0
        }
        // Header 2, topic 2 + 5, identifier 2, properties 1.
        for _ in 1...3 { try fixture.publish(String(repeating: "x", count: 88), to: "topic") }
        #expect(throws: Rejection.packetTooLarge(size: 101, maximum: 100)) {
            try fixture.publish(String(repeating: "x", count: 89), to: "topic")
        }
        #expect(fixture.written().count == 3)
        #expect(fixture.session.inFlightCount == 3)
    }

    @Test("A property that cannot be encoded is refused, and takes neither identifier nor window")
    func encodingFails() throws {
        var fixture = SessionFixture.connected(.receiveMaximum(1))
        #expect(throws: Rejection.self) { try fixture.publish("x", properties: [.serverKeepAlive(1)]) }
        try fixture.publish("y")
        #expect(fixture.written().summaries == ["PUBLISH 2 y"])
    }

    @Test("Subscription identifiers of a forwarded message are left out [MQTT-3.3.4-6]")
    func identifiersLeftOut() throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("x", properties: [.subscriptionIdentifier(7), .contentType("t")])
        let packet = try #require(fixture.written().publishes.first)
        #expect(packet.properties.list == [.contentType("t")])
    }

    // MARK: Topic aliases

    @Test("A topic in use gets an alias within Topic Alias Maximum [MQTT-3.2.2-17] [MQTT-3.3.2-8] [MQTT-3.3.2-9]")
    func topicAlias() throws {
        var fixture = SessionFixture.connected(.topicAliasMaximum(1)) { $0.outgoingTopicAliasMaximum = 10 }
        for _ in 1...3 { for topic in ["topic/a", "topic/b"] as [TopicName] { try fixture.publish(to: topic) } }
        let packets = fixture.written().publishes
        #expect(Set(packets.compactMap(\.topicAlias)) == [1])
        #expect(packets.contains { $0.topic == nil })
    }

    @Test(
        "There are no aliases without Topic Alias Maximum, nor before 5.0 [MQTT-3.2.2-18]",
        arguments: ProtocolVersion.allCases)
    func noTopicAlias(version: ProtocolVersion) throws {
        var fixture = SessionFixture.connected(version: version) { $0.outgoingTopicAliasMaximum = 10 }
        for _ in 1...5 { try fixture.publish(to: "topic/a") }
        #expect(fixture.written().publishes.allSatisfy { $0.topicAlias == nil && $0.topic == "topic/a" })
    }

    @Test("An alias must be introduced again on each connection, and a resent message has none [MQTT-3.3.2-7]")
    func aliasesOfTheConnection() throws {
        var fixture = SessionFixture.connected(.topicAliasMaximum(5)) { $0.outgoingTopicAliasMaximum = 10 }
        for _ in 1...3 { try fixture.publish(to: "topic/a") }
        #expect(fixture.written().publishes.last?.topic == nil)
        fixture.reconnect(present: true, .topicAliasMaximum(5))
        #expect(fixture.written().publishes.map(\.topic) == ["topic/a", "topic/a", "topic/a"])
        try fixture.publish(to: "topic/a")
        #expect(fixture.written().publishes.map(\.topic) == ["topic/a"])
    }

    @Test("If the packet that introduces an alias cannot be encoded, the next message introduces it")
    func withdrawnAlias() throws {
        var fixture = SessionFixture.connected(.topicAliasMaximum(5)) { $0.outgoingTopicAliasMaximum = 10 }
        try fixture.publish(to: "topic/a")
        #expect(throws: Rejection.self) { try fixture.publish(to: "topic/a", properties: [.serverKeepAlive(1)]) }
        for _ in 1...3 { try fixture.publish(to: "topic/a") }
        let first = try #require(fixture.written().publishes.first { $0.topicAlias != nil })
        #expect(first.topic == "topic/a")
    }

    // MARK: Unexpected acknowledgements

    @Test("An unknown acknowledgement is ignored; only PUBREC is answered")
    func unknownAcknowledgements() {
        var fixture = SessionFixture.connected()
        for number in [1, 65_535] as [UInt16] {
            #expect(fixture.receive(.puback, number) == .nothing)
            #expect(fixture.receive(.pubcomp, number) == .nothing)
            #expect(fixture.receive(.pubrec, number, .notAuthorized) == .nothing)
            #expect(fixture.written().isEmpty)
        }
        #expect(fixture.receive(.pubrec, 9) == .nothing)
        #expect(fixture.written().summaries == ["PUBREL 9 146"])
        #expect(fixture.completions().isEmpty)
    }

    @Test("A repeated acknowledgement does not affect a later exchange [MQTT-2.2.1-3]")
    func repeatedAcknowledgements() throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("old", .exactlyOnce)
        for kind in [.pubrec, .pubrec, .pubcomp] as [Acknowledgement.Kind] { fixture.receive(kind, 1) }
        let new = try fixture.publish("new", .exactlyOnce)
        _ = fixture.completions()
        #expect(fixture.receive(.pubcomp, 1) == .nothing)
        fixture.receive(.pubrec, 2)
        fixture.receive(.pubcomp, 2)
        #expect(fixture.completions() == [.published(new)])
    }

    @Test("An acknowledgement of the wrong kind violates the protocol, and completes nothing")
    func wrongAcknowledgements() throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("1", .atLeastOnce)
        try fixture.subscribe("a")
        for kind in [.puback, .pubrec, .pubcomp] as [Acknowledgement.Kind] {
            #expect(fixture.receive(kind, 2).violation == .protocolError)
        }
        #expect(fixture.suback(1).violation == .protocolError)
        #expect(fixture.unsuback(2).violation == .protocolError)
        #expect(fixture.completions().isEmpty && fixture.session.inFlightCount == 2)
    }

    struct EarlyEnd: Sendable {
        let qos: QoS
        let kind: Acknowledgement.Kind
        let deviation: ClientSession.Deviation
    }

    @Test(
        "An acknowledgement of a different QoS ends the exchange; otherwise, the message would be resent forever",
        arguments: [
            EarlyEnd(qos: .exactlyOnce, kind: .puback, deviation: .pubackAtQoS2),
            EarlyEnd(qos: .exactlyOnce, kind: .pubcomp, deviation: .pubcompBeforePubrec),
            EarlyEnd(qos: .atLeastOnce, kind: .pubcomp, deviation: .pubcompBeforePubrec),
            EarlyEnd(qos: .atLeastOnce, kind: .pubrec, deviation: .pubrecAtQoS1),
        ], [ReasonCode.success, .quotaExceeded])
    func endsEarly(_ end: EarlyEnd, code: ReasonCode) throws {
        var fixture = SessionFixture.connected(.receiveMaximum(1))
        let request = try fixture.publish("1", end.qos)
        try fixture.publish("2", end.qos)
        _ = fixture.written()
        #expect(fixture.receive(end.kind, 1, code) == .deviation(end.deviation))
        #expect(fixture.completions() == [.published(request, code)])
        // The place in the window is free, and a server that takes the message for QoS 2 gets its PUBREL.
        let released = end.kind == .pubrec && code == .success ? ["PUBREL 1"] : []
        #expect(fixture.written().summaries == released + ["PUBLISH 2 2"])
        #expect(fixture.receive(.pubcomp, 1) == .nothing)
        fixture.reconnect()
        #expect(fixture.written().summaries == ["PUBLISH 2 dup 2"])
    }

    @Test("PUBACK instead of PUBCOMP ends the exchange too")
    func pubackForPubrel() throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.publish("1", .exactlyOnce)
        fixture.receive(.pubrec, 1)
        #expect(fixture.receive(.puback, 1) == .deviation(.pubackAtQoS2))
        #expect(fixture.completions() == [.published(request)])
    }

    @Test("A PUBREC that is repeated after each PUBREL is not answered forever")
    func endlessPubrec() throws {
        var fixture = SessionFixture.connected()
        try fixture.publish("1", .exactlyOnce)
        fixture.receive(.pubrec, 1)
        _ = fixture.written()
        for _ in 0..<8 {
            #expect(fixture.receive(.pubrec, 1) == .deviation(.repeatedPubrec))
            #expect(fixture.written().summaries == ["PUBREL 1"])
        }
        #expect(fixture.receive(.pubrec, 1).violation == .protocolError)
        #expect(fixture.written().isEmpty)
    }
}
