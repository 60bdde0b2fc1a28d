import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@Suite("Publishing", .bounded)
struct PublishWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    @Test("QoS 0: one PUBLISH without a packet identifier [MQTT-4.3.1-1] [MQTT-2.2.1-2]")
    func atMostOnce() async throws {
        let (client, connection) = try await self.server.connectedClient()
        try await client.publish("on", to: "lamp", retain: true)
        try await connection.expect(.publish(Publish("on", "lamp", retain: true)))
    }

    @Test("QoS 1: publish returns with the PUBACK [MQTT-4.3.2-1] [MQTT-4.3.2-2]")
    func atLeastOnce() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let code = client.publish("on", to: "lamp", qos: .atLeastOnce)
        let packet = try await connection.receivePublishPacket()
        let id = try #require(packet.packetID)
        #expect(packet == (try Publish("on", "lamp", id: id.rawValue)))
        #expect(client.statistics.inFlightPackets == 1)
        try connection.send(.puback(Acknowledgement(id, reasonCode: .noMatchingSubscribers)))
        #expect(try await code == .noMatchingSubscribers)
        #expect(client.statistics.inFlightPackets == 0)
    }

    @Test("QoS 2: PUBLISH, then PUBREL; publish returns with the PUBCOMP [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-4]")
    func exactlyOnce() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let code = client.publish("on", to: "lamp", qos: .exactlyOnce)
        let id = try #require(try await connection.receivePublishPacket().packetID)
        try connection.send(.pubrec(Acknowledgement(id)))
        try await connection.expect(.pubrel(Acknowledgement(id)))
        try connection.send(.pubcomp(Acknowledgement(id)))
        #expect(try await code == .success)
    }

    @Test("A refused PUBLISH throws with the reason code", arguments: [QoS.atLeastOnce, .exactlyOnce])
    func refused(qos: QoS) async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let error = failure { try await client.publish("on", to: "lamp", qos: qos) }
        try await connection.receivePublish(.quotaExceeded)
        let thrown = try await error
        #expect(thrown.code == .publishRefused)
        #expect(thrown.reasonCode == .quotaExceeded)
        #expect(client.statistics.inFlightPackets == 0)
    }

    @Test("Receive Maximum 2 is never exceeded, and the order is kept [MQTT-3.3.4-7] [MQTT-3.3.4-8] [MQTT-4.9.0-2]")
    func receiveMaximum() async throws {
        let (client, connection) = try await self.server.connectedClient(properties: [.receiveMaximum(2)])
        let deliveries = try (0..<20).map { number in
            try client.enqueue("\(number)", to: "t", qos: number.isMultiple(of: 3) ? .exactlyOnce : .atLeastOnce)
        }
        var open: [Publish] = []
        for number in 0..<20 {
            let packet = try await connection.receivePublishPacket()
            #expect(packet.text == "\(number)")
            #expect(!open.contains { $0.packetID == packet.packetID })
            open.append(packet)
            guard open.count == 2 else { continue }
            // If the client had sent a third message, it would arrive before the answer to this.
            try await connection.sync()
            try await Self.acknowledge(open.removeFirst(), connection)
        }
        for packet in open { try await Self.acknowledge(packet, connection) }
        for delivery in deliveries { try await delivery.outcome() }
    }

    /// Finishes the exchange of a message.
    private static func acknowledge(_ packet: Publish, _ connection: ScriptedConnection) async throws {
        let acknowledgement = Acknowledgement(try #require(packet.packetID))
        guard packet.qos == .exactlyOnce else { return try connection.send(.puback(acknowledgement)) }
        try connection.send(.pubrec(acknowledgement))
        try await connection.expect(.pubrel(acknowledgement))
        try connection.send(.pubcomp(acknowledgement))
    }

    @Test("A QoS above the server's maximum is refused before it is sent [MQTT-3.2.2-11]")
    func maximumQoS() async throws {
        let (client, connection) = try await self.server.connectedClient(properties: [.maximumQoS(.atLeastOnce)])
        let error = try await failure { try await client.publish("x", to: "t", qos: .exactlyOnce) }
        #expect(error.code == .notSupportedByServer)
        #expect(error.delivery == .notSent)
        try await connection.sync()
    }

    @Test("A retained message is refused if the server does not support retained messages [MQTT-3.2.2-14]")
    func retainUnavailable() async throws {
        let (client, connection) = try await self.server.connectedClient(properties: [.retainAvailable(false)])
        let error = try await failure { try await client.publish("x", to: "t", retain: true) }
        #expect(error.code == .notSupportedByServer)
        try await connection.sync()
    }

    @Test(
        "A packet larger than the server's maximum is refused [MQTT-3.2.2-15]", arguments: QoS.allCases)
    func maximumPacketSize(qos: QoS) async throws {
        let (client, connection) = try await self.server.connectedClient(properties: [.maximumPacketSize(50)])
        let large = String(repeating: "x", count: 60)
        let error = try await failure { try await client.publish(large, to: "t", qos: qos) }
        #expect(error.code == .packetTooLarge)
        #expect(error.delivery == .notSent)
        #expect(client.statistics.inFlightPackets == 0)
        try await connection.sync()
    }

    @Test("A queued message that is too large for the server fails, and the others are sent")
    func tooLargeFromOutbox() async throws {
        let client = try self.server.makeClient()
        let large = try client.enqueue(String(repeating: "x", count: 60), to: "t", qos: .atLeastOnce)
        let small = try client.enqueue("x", to: "t", qos: .atLeastOnce)
        async let connected = client.connect()
        let connection = try await self.server.accept()
        try await connection.answerConnect(ConnAck(properties: Properties([.maximumPacketSize(50)])))
        _ = try await connected
        #expect(try await connection.receivePublish().payload == ByteBuffer(string: "x"))
        try await small.outcome()
        #expect(try await failure { try await large.outcome() }.code == .packetTooLarge)
    }

    @Test("A topic that is used repeatedly gets an alias, within the server's maximum [MQTT-3.2.2-17] [MQTT-3.2.2-18]")
    func topicAliases() async throws {
        let (client, connection) = try await self.server.connectedClient(properties: [.topicAliasMaximum(1)])
        var aliased = 0
        for _ in 0..<10 {
            try await client.publish("x", to: "a/long/topic")
            let packet = try await connection.receivePublishPacket()
            #expect((packet.topicAlias ?? 1) == 1)
            if packet.topic == nil {
                aliased += 1
                #expect(packet.topicAlias == 1)
            }
        }
        #expect(aliased > 5)
    }

    @Test("Aliases end with their connection, and none is used if the new one does not allow any [MQTT-3.3.2-7]")
    func aliasesEndWithConnection() async throws {
        let (client, connection) = try await self.server.connectedClient(properties: [.topicAliasMaximum(5)]) {
            $0.reconnectAtOnce()
        }
        for _ in 0..<5 {
            try await client.publish("x", to: "t")
            _ = try await connection.receivePublishPacket()
        }
        connection.close()
        let second = try await self.server.acceptAgain()
        for _ in 0..<5 {
            try await client.publish("x", to: "t", qos: .atMostOnce)
            try await second.expect(.publish(Publish("x", "t")))
        }
    }

    @Test("The message expiry interval counts down while the message waits")
    func expiry() async throws {
        let clock = TestClock()
        let client = try self.server.makeClient(clock: clock)
        var properties = Properties()
        properties.messageExpiryInterval = 10
        let kept = try client.enqueue("kept", to: "t", qos: .atLeastOnce, properties: properties)
        properties.messageExpiryInterval = 3
        let expired = try client.enqueue("expired", to: "t", qos: .atLeastOnce, properties: properties)
        clock.advance(by: .seconds(4))
        async let connected = client.connect()
        let connection = try await self.server.acceptAgain()
        _ = try await connected
        let message = try await connection.receivePublish()
        #expect(message.properties.messageExpiryInterval == 6)
        try await kept.outcome()
        let error = try await failure { try await expired.outcome() }
        #expect(error.code == .timedOut)
        #expect(error.delivery == .notSent)
        try await connection.sync()
    }

    @Test("QoS 0 messages wait while there is no connection, and are then sent in order")
    func offline() async throws {
        let (client, connection) = try await self.server.connectedClient { $0.reconnectAtOnce() }
        self.server.stopListening(at: self.server.addresses[0])
        let events = client.events
        connection.close()
        _ = try await first(of: events) { if case .disconnected = $0 { () } else { nil } }
        let deliveries = try (0..<3).map { try client.enqueue("\($0)", to: "t") }
        #expect(client.statistics.queuedMessages == 3)
        self.server.startListening(at: self.server.addresses[0])
        let second = try await self.server.acceptAgain()
        for number in 0..<3 { try await second.expect(.publish(Publish("\(number)", "t"))) }
        for delivery in deliveries { try await delivery.outcome() }
    }

    @Test("If the server stops reading, publish suspends, and everything arrives when the server reads again")
    func backpressure() async throws {
        let (client, connection) = try await self.server.connectedClient { $0.queues.unsentBytes = 100_000 }
        connection.stopReading()
        let payload = [UInt8](repeating: 7, count: 50_000)
        let publishing = Task {
            for number in 0..<30 { try await client.publish(payload + [UInt8(number)], to: "t") }
        }
        // A publish that has to wait is in the outbox.
        try await client.waitUntilQueued()
        connection.resumeReading()
        for number in 0..<30 {
            let packet = try await connection.receivePublishPacket()
            #expect(packet.payload.getInteger(at: packet.payload.readerIndex + 50_000) == UInt8(number))
        }
        try await publishing.value
    }

    @Test("A suspended publish times out, and is never sent")
    func backpressureDeadline() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock) { configuration in
            configuration.queues.unsentBytes = 100_000
            configuration.connection.keepAlive = .zero
        }
        connection.stopReading()
        let payload = [UInt8](repeating: 7, count: 50_000)
        // Far more than fits into the link and the outgoing buffer.
        for _ in 0..<30 { try client.enqueue(payload, to: "t") }
        async let error = failure { try await client.publish("late", to: "t", timeout: .seconds(3)) }
        try await clock.advanceToSleeper(within: .seconds(3))
        let thrown = try await error
        #expect(thrown.code == .timedOut)
        #expect(thrown.delivery == .notSent)
        connection.resumeReading()
        for _ in 0..<30 { #expect(try await connection.receivePublishPacket().payload.readableBytes == 50_000) }
        try await connection.sync()
    }

    @Test("If the server does not acknowledge in time, the outcome is unknown")
    func acknowledgementTimeout() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock) {
            $0.connection.acknowledgementTimeout = .seconds(4)
        }
        async let error = failure { try await client.publish("x", to: "t", qos: .atLeastOnce) }
        _ = try await connection.receivePublishPacket()
        try await clock.advanceToSleeper(within: .seconds(4))
        let thrown = try await error
        #expect(thrown.code == .timedOut)
        #expect(thrown.delivery == .unknown)
    }

    @Test("enqueue throws if the outbox is full, and drops nothing")
    func outboxBound() async throws {
        let client = try self.server.makeClient { $0.queues.outboxCount = 2 }
        let deliveries = try (0..<2).map { try client.enqueue("\($0)", to: "t", qos: .atLeastOnce) }
        let error = try await failure { try client.enqueue("2", to: "t", qos: .atLeastOnce) }
        #expect(error.code == .queueFull)
        #expect(error.delivery == .notSent)
        async let connected = client.connect()
        let connection = try await self.server.acceptAgain()
        _ = try await connected
        for number in 0..<2 {
            #expect(try await connection.receivePublish().payload == ByteBuffer(string: "\(number)"))
        }
        for delivery in deliveries { try await delivery.outcome() }
    }

    @Test("An invalid topic is refused before anything is sent", arguments: ["", "a/+", "#", "nul\u{0}"])
    func badTopic(topic: String) async throws {
        let client = try self.server.makeClient()
        let error = try await failure { try await client.publish("x", to: topic) }
        #expect(error.code == .invalidTopic)
        #expect(error.delivery == .notSent)
    }

    @Test("Message properties are sent with 5.0, and left out before")
    func properties() async throws {
        var properties = Properties()
        properties.payloadIsText = true
        properties.contentType = "text/plain"
        properties["a"] = "b"
        let (client, connection) = try await self.server.connectedClient()
        try await client.publish("x", to: "t", properties: properties)
        #expect(try await connection.receivePublishPacket().properties == properties)
        let (older, olderConnection) = try await self.server.connectedClient {
            $0.connection.version = .exactly(.v3_1_1)
        }
        try await older.publish("x", to: "t", properties: properties)
        try await olderConnection.expect(.publish(Publish("x", "t")))
    }
}
