import CurlewBroker
import CurlewCore
import NIOCore
import Testing

/// Bytes that a client must not send once it is connected, and the reason code it gets.
private struct Fault: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let reason: ReasonCode

    init(_ description: String, _ bytes: [UInt8], _ reason: ReasonCode) {
        self.testDescription = description
        self.bytes = bytes
        self.reason = reason
    }

    static let all: [Fault] = [
        Fault("packet type 0", [0x00, 0x00], .malformedPacket),
        Fault("a length of five bytes", [0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], .malformedPacket),
        Fault("a packet larger than the maximum", [0x30, 0xFF, 0xFF, 0xFF, 0x7F], .packetTooLarge),
        Fault("CONNACK", [0x20, 0x03, 0x00, 0x00, 0x00], .protocolError),
        Fault("a second CONNECT", [0x10, 0x0D, 0, 4, 0x4D, 0x51, 0x54, 0x54, 5, 2, 0, 0, 0, 0, 0], .protocolError),
        Fault("PUBLISH at QoS 3", [0x36, 0x06, 0, 1, 0x61, 0, 1, 0], .malformedPacket),
        Fault("PUBLISH at QoS 0 with DUP", [0x38, 0x04, 0, 1, 0x61, 0], .malformedPacket),
        Fault("PUBLISH to a wildcard", [0x30, 0x04, 0, 1, 0x23, 0], .malformedPacket),
        Fault("PUBLISH with packet identifier 0", [0x32, 0x06, 0, 1, 0x61, 0, 0, 0], .protocolError),
        Fault("PUBLISH with text that is not UTF-8", [0x30, 0x04, 0, 1, 0xFF, 0], .malformedPacket),
        Fault("PUBLISH without topic and alias", [0x30, 0x03, 0, 0, 0], .protocolError),
        Fault("PUBLISH with topic alias 0", [0x30, 0x07, 0, 1, 0x61, 3, 0x23, 0, 0], .topicAliasInvalid),
        Fault(
            "PUBLISH with a topic alias above the maximum", [0x30, 0x07, 0, 1, 0x61, 3, 0x23, 0xFF, 0xFF],
            .topicAliasInvalid),
        Fault("PUBLISH with a topic alias that was not introduced", [0x30, 0x06, 0, 0, 3, 0x23, 0, 1], .protocolError),
        Fault(
            "PUBLISH with a subscription identifier [MQTT-3.3.4-6]", [0x30, 0x06, 0, 1, 0x61, 2, 0x0B, 1],
            .malformedPacket),
        Fault(
            "PUBLISH with a response topic that has a wildcard", [0x30, 0x08, 0, 1, 0x61, 4, 0x08, 0, 1, 0x23],
            .malformedPacket),
        Fault("PUBREL with reserved flags [MQTT-3.6.1-1]", [0x60, 0x02, 0, 1], .malformedPacket),
        Fault("PUBACK that is cut short", [0x40, 0x01, 0], .malformedPacket),
        Fault("SUBSCRIBE with reserved flags [MQTT-3.8.1-1]", [0x80, 0x07, 0, 1, 0, 0, 1, 0x61, 0], .malformedPacket),
        Fault("SUBSCRIBE without a filter [MQTT-3.8.3-2]", [0x82, 0x03, 0, 1, 0], .protocolError),
        Fault(
            "SUBSCRIBE with reserved options [MQTT-3.8.3-5]", [0x82, 0x07, 0, 1, 0, 0, 1, 0x61, 0xC0], .malformedPacket),
        Fault("SUBSCRIBE with QoS 3", [0x82, 0x07, 0, 1, 0, 0, 1, 0x61, 3], .protocolError),
        Fault(
            "SUBSCRIBE with subscription identifier 0", [0x82, 0x09, 0, 1, 2, 0x0B, 0, 0, 1, 0x61, 0], .protocolError),
        Fault(
            "SUBSCRIBE to a filter that is not well-formed", [0x82, 0x08, 0, 1, 0, 0, 2, 0x23, 0x61, 0],
            .malformedPacket),
        Fault(
            "SUBSCRIBE with No Local on a shared subscription [MQTT-3.8.3-4]",
            [0x82, 0x10, 0, 1, 0, 0, 10] + Array("$share/g/a".utf8) + [0x04], .protocolError),
        Fault("UNSUBSCRIBE without a filter [MQTT-3.10.3-2]", [0xA2, 0x03, 0, 1, 0], .protocolError),
        Fault("UNSUBSCRIBE with reserved flags [MQTT-3.10.1-1]", [0xA0, 0x06, 0, 1, 0, 0, 1, 0x61], .malformedPacket),
        Fault("PINGREQ with a body", [0xC0, 0x01, 0], .malformedPacket),
        Fault("DISCONNECT with reserved flags [MQTT-3.14.1-1]", [0xE1, 0x00], .malformedPacket),
        Fault("AUTH without a method", [0xF0, 0x02, 0x18, 0], .protocolError),
        Fault("AUTH with reserved flags [MQTT-3.15.1-1]", [0xF1, 0x00], .malformedPacket),
    ]
}

@Suite("Hostile clients on the wire", .timeLimit(.minutes(1)))
struct HostileWireTests {
    @Test("An invalid packet closes its connection with the reason code and has no other effect", arguments: Fault.all)
    private func faults(fault: Fault) async throws {
        try await withPeers { peers in
            let watcher = try await peers.connect("watcher")
            _ = try await watcher.subscribe("#", "$share/g/a")
            let peer = try await peers.connect("hostile")
            peer.send(ByteBuffer(bytes: fault.bytes))
            guard case .disconnect(let end)? = try await peer.receiveEnd() else { throw PeerError.closed }
            #expect(end.reasonCode == fault.reason)
            try await watcher.expectNothing()
            #expect(peers.broker.clients.map(\.identifier) == ["watcher"])
        }
    }

    @Test("The same bytes sent one at a time have the same result", arguments: Fault.all)
    private func drip(fault: Fault) async throws {
        try await withPeers { peers in
            let peer = try await peers.connect("hostile")
            for byte in fault.bytes { peer.send(ByteBuffer(bytes: [byte])) }
            guard case .disconnect(let end)? = try await peer.receiveEnd() else { throw PeerError.closed }
            #expect(end.reasonCode == fault.reason)
        }
    }

    @Test("An unknown protocol version is refused in a CONNACK that every version understands [MQTT-3.1.2-2]")
    func unknownVersion() async throws {
        try await withPeers { peers in
            let peer = try await peers.open(version: .v3_1_1)
            peer.send(ByteBuffer(bytes: [0x10, 0x0C, 0, 4, 0x4D, 0x51, 0x54, 0x54, 9, 2, 0, 0, 0, 0]))
            guard case .connack(let ack)? = try await peer.receiveEnd() else { throw PeerError.closed }
            #expect(ack.reasonCode == .unsupportedProtocolVersion)
        }
    }

    @Test("Exceeding the Receive Maximum closes the connection [MQTT-3.3.4-9]")
    func receiveMaximum() async throws {
        try await withPeers {
            $0.limits.receiveMaximum = 2
        } _: { peers in
            let peer = try await peers.connect("a")
            #expect(peer.connAck.properties.list.contains(.receiveMaximum(2)))
            for id in 1...3 as ClosedRange<UInt16> { try await peer.publish("x", to: "t", qos: .exactlyOnce, id: id) }
            for _ in 1...2 { guard case .pubrec = try await peer.receive() else { throw PeerError.closed } }
            guard case .disconnect(let end)? = try await peer.receiveEnd() else { throw PeerError.closed }
            #expect(end.reasonCode == .receiveMaximumExceeded)
        }
    }

    @Test("Using a feature that is not available closes the connection [MQTT-3.2.2-9] [MQTT-3.2.2-11] [MQTT-3.2.2-14]")
    func notSupported() async throws {
        try await withPeers {
            $0.limits.maximumQoS = .atLeastOnce
            $0.behavior.retainAvailable = false
        } _: { peers in
            let high = try await peers.connect("a")
            #expect(try await high.subscribe("t") == [.grantedQoS1])
            try await high.publish("x", to: "t", qos: .exactlyOnce)
            guard case .disconnect(let end)? = try await high.receiveEnd() else { throw PeerError.closed }
            #expect(end.reasonCode == .qosNotSupported)
            let retaining = try await peers.connect("b")
            try await retaining.publish("x", to: "t", retain: true)
            guard case .disconnect(let other)? = try await retaining.receiveEnd() else { throw PeerError.closed }
            #expect(other.reasonCode == .retainNotSupported)
        }
    }

    @Test("A client cannot publish below $SYS, not even with a will")
    func systemTopics() async throws {
        try await withPeers { peers in
            let watcher = try await peers.connect("watcher")
            _ = try await watcher.subscribe("$SYS/#")
            let peer = try await peers.connect("a")
            #expect(try await peer.deliver("x", to: "$SYS/broker/uptime") == .notAuthorized)
            #expect(try await peer.deliver("x", to: "$SYS/broker/uptime", qos: .exactlyOnce) == .notAuthorized)
            try await watcher.expectNothing()
            let topic = try TopicName("$SYS/broker/uptime")
            let forger = try await peers.connect("f") {
                $0.will = Connect.Will(topic: topic, payload: ByteBuffer(string: "x"))
            }
            forger.close()
            while peers.broker.clients.count > 2 { try await letOthersRun() }
            try await watcher.expectNothing()
        }
    }

    @Test(
        "A subscriber that acknowledges one message at a time gets its retained messages one at a time, and all of them"
    )
    func retainedAndAStingyClient() async throws {
        try await withPeers { peers in
            let publisher = try await peers.connect("p")
            for number in 0..<400 { _ = try await publisher.deliver("\(number)", to: "r/\(number)", retain: true) }
            let stingy = try await peers.connect("s") { $0.properties = Properties([.receiveMaximum(1)]) }
            _ = try await stingy.subscribe("r/#")
            var received: Set<String> = []
            for _ in 0..<400 {
                let message = try await stingy.receivePublish()
                received.insert(String(buffer: message.payload))
                try await stingy.expectNothing()
                try await stingy.send(.puback(Acknowledgement(try #require(message.packetID))))
            }
            #expect(received.count == 400)
            #expect(peers.broker.statistics.messagesDropped == 0)
        }
    }

    @Test("A subscriber that stops reading uses bounded memory and costs no other subscriber a message")
    func frozen() async throws {
        try await withPeers {
            $0.limits.maximumQueuedMessages = 50
        } _: { peers in
            let frozen = try await peers.connect("frozen")
            _ = try await frozen.subscribe("t")
            frozen.setReading(false)
            let healthy = try await peers.connect("healthy")
            _ = try await healthy.subscribe("t")
            let publisher = try await peers.connect("p")
            let payload = String(repeating: "x", count: 10_000)
            for number in 1...200 as ClosedRange<UInt16> {
                #expect(try await publisher.deliver(payload, to: "t", id: number) == .success)
                let message = try await healthy.receivePublish()
                try await healthy.send(.puback(Acknowledgement(try #require(message.packetID))))
            }
            let session = try #require(peers.broker.sessions.first { $0.client.identifier == "frozen" })
            #expect(session.queuedMessages == 50)
            #expect(peers.broker.statistics.messagesDropped > 0)
        }
    }

    @Test("A client that never reads its answers can still be disconnected")
    func neverReading() async throws {
        try await withPeers { peers in
            let peer = try await peers.connect("a")
            peer.setReading(false)
            var pings = ByteBuffer()
            for _ in 0..<400_000 { pings.writeBytes([0xC0, 0x00]) }
            peer.send(pings)
            let other = try await peers.connect("b")
            try await other.expectNothing()
            #expect(peers.broker.statistics.packetsReceived < 400_000)
            #expect(peers.broker.disconnect("a"))
            while peers.broker.clients.contains(where: { $0.identifier == "a" }) { try await letOthersRun() }
        }
    }

    @Test("Subscriptions are limited; the filters of a SUBSCRIBE within the limit are granted")
    func subscriptionBound() async throws {
        try await withPeers {
            $0.limits.maximumSubscriptionsPerClient = 3
            $0.limits.maximumSharedSubscriptionsPerClient = 1
        } _: { peers in
            let peer = try await peers.connect("a")
            #expect(try await peer.subscribe("$share/g/a", "$share/g/b") == [.grantedQoS2, .quotaExceeded])
            #expect(
                try await peer.subscribe("1", "2", "3", "1") == [
                    .grantedQoS2, .grantedQoS2, .quotaExceeded, .grantedQoS2,
                ])
        }
    }

    @Test("A topic of 65,535 bytes and as many levels is delivered")
    func deepTopic() async throws {
        try await withPeers { peers in
            let subscriber = try await peers.connect("s")
            _ = try await subscriber.subscribe("#")
            let topic = String(repeating: "/", count: 65_535)
            let publisher = try await peers.connect("p")
            _ = try await publisher.deliver("deep", to: topic, retain: true)
            #expect(try await subscriber.receivePublish().topic?.string == topic)
            let later = try await peers.connect("l")
            _ = try await later.subscribe(topic)
            #expect(try await later.receivePublish().topic?.string == topic)
        }
    }

    @Test(
        "A client whose maximum packet size is too small for CONNACK is disconnected [MQTT-3.1.2-24]",
        arguments: [2, 4, 12] as [UInt32])
    func noRoomForConnack(maximum: UInt32) async throws {
        try await withPeers { peers in
            let peer = try await peers.open()
            try await peer.send(
                .connect(
                    Connect(clientIdentifier: "small", properties: Properties([.maximumPacketSize(maximum)]))))
            let end = try await peer.receiveEnd()
            if maximum > 4 {
                guard case .connack(let ack)? = end else { throw PeerError.closed }
                #expect(ack.reasonCode == .packetTooLarge)
            } else {
                #expect(end == nil)
            }
            #expect(peers.broker.sessions.isEmpty)
        }
    }

    @Test("A client whose maximum packet size is too small for its SUBACK is disconnected [MQTT-3.1.2-24]")
    func noRoomForSuback() async throws {
        try await withPeers { peers in
            let peer = try await peers.connect("small") { $0.properties = Properties([.maximumPacketSize(40)]) }
            let subscriptions = try (0..<50).map {
                Subscribe.Subscription(try TopicFilter("t/\($0)"), SubscriptionOptions())
            }
            try await peer.send(.subscribe(Subscribe(try #require(PacketID(1)), subscriptions)))
            guard case .disconnect(let end)? = try await peer.receiveEnd() else { throw PeerError.closed }
            #expect(end.reasonCode == .packetTooLarge)
        }
    }

    @Test("A client without a user name is refused where anonymous clients are not allowed")
    func nameless() async throws {
        try await withPeers({ $0.authenticators = [AnyName()] }) { peers in
            let nobody = try await peers.open()
            try await nobody.send(.connect(Connect(clientIdentifier: "nobody")))
            guard case .connack(let refusal)? = try await nobody.receiveEnd() else { throw PeerError.closed }
            #expect(refusal.reasonCode == .notAuthorized)
        }
    }

    @Test("Connections and sessions are not kept after they end")
    func noLeak() async throws {
        try await withPeers { peers in
            for number in 0..<50 {
                let peer = try await peers.connect("c\(number % 5)")
                try await peer.send(.disconnect(Disconnect()))
                #expect(try await peer.receiveEnd() == nil)
            }
            #expect(peers.broker.sessions.isEmpty)
            #expect(peers.broker.statistics.connectedClients == 0)
            #expect(peers.broker.statistics.subscriptions == 0)
        }
    }
}
