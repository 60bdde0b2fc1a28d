import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@Suite("Resuming after a lost connection", .bounded)
struct ResumptionWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    private func reconnectingClient() async throws -> (client: MQTTClient, connection: ScriptedConnection) {
        try await self.server.connectedClient { $0.reconnectAtOnce() }
    }

    @Test("Unacknowledged publishes are sent again with DUP, in order [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1]")
    func resend() async throws {
        let (client, connection) = try await self.reconnectingClient()
        let deliveries = try ["a", "b", "c"].map { try client.enqueue($0, to: "t", qos: .atLeastOnce) }
        var packets: [Publish] = []
        for _ in 0..<3 { packets.append(try await connection.receivePublishPacket()) }
        connection.close()
        let second = try await self.server.acceptAgain(sessionPresent: true)
        for packet in packets {
            var again = packet
            again.dup = true
            try await second.expect(.publish(again))
            try second.send(.puback(Acknowledgement(try #require(packet.packetID))))
        }
        for delivery in deliveries { try await delivery.outcome() }
        #expect(client.statistics.reconnections == 1)
    }

    @Test("Resending obeys Receive Maximum too [MQTT-3.3.4-7]")
    func resendWithinWindow() async throws {
        let (client, connection) = try await self.reconnectingClient()
        let deliveries = try (0..<4).map { try client.enqueue("\($0)", to: "t", qos: .atLeastOnce) }
        for _ in 0..<4 { _ = try await connection.receivePublishPacket() }
        connection.close()
        let second = try await self.server.accept()
        try await second.answerConnect(
            ConnAck(sessionPresent: true, properties: Properties([.receiveMaximum(1)])))
        for number in 0..<4 {
            let packet = try await second.receivePublishPacket()
            #expect(packet.text == "\(number)")
            #expect(packet.dup)
            try await second.sync()
            try second.send(.puback(Acknowledgement(try #require(packet.packetID))))
        }
        for delivery in deliveries { try await delivery.outcome() }
    }

    @Test("If the server lost the session, publishes are sent again as new, in order and without DUP")
    func submitAnew() async throws {
        let (client, connection) = try await self.reconnectingClient()
        let deliveries = try ["a", "b"].map { try client.enqueue($0, to: "t", qos: .exactlyOnce) }
        for _ in 0..<2 { _ = try await connection.receivePublishPacket() }
        connection.close()
        let second = try await self.server.acceptAgain()
        var packets: [Publish] = []
        for text in ["a", "b"] {
            let packet = try await second.receivePublishPacket()
            #expect(packet.text == text)
            #expect(!packet.dup)
            packets.append(packet)
        }
        for packet in packets {
            let acknowledgement = Acknowledgement(try #require(packet.packetID))
            try second.send(.pubrec(acknowledgement))
            try await second.expect(.pubrel(acknowledgement))
            try second.send(.pubcomp(acknowledgement))
        }
        for delivery in deliveries { try await delivery.outcome() }
    }

    @Test(
        "Sending: a QoS 2 exchange completes after a drop before PUBREC, after PUBREC or after PUBREL [MQTT-4.3.3-6]",
        arguments: 0..<3)
    func dropWhileSending(step: Int) async throws {
        let (client, connection) = try await self.reconnectingClient()
        let delivery = try client.enqueue("x", to: "t", qos: .exactlyOnce)
        let packet = try await connection.receivePublishPacket()
        let acknowledgement = Acknowledgement(try #require(packet.packetID))
        if step > 0 {
            try connection.send(.pubrec(acknowledgement))
            try await connection.expect(.pubrel(acknowledgement))
        }
        if step == 2 { connection.fail() } else { connection.close() }
        let second = try await self.server.acceptAgain(sessionPresent: true)
        if step == 0 {
            var again = packet
            again.dup = true
            try await second.expect(.publish(again))
            try second.send(.pubrec(acknowledgement))
        }
        try await second.expect(.pubrel(acknowledgement))
        try second.send(.pubcomp(acknowledgement))
        try await delivery.outcome()
        try await second.sync()
    }

    @Test(
        "Receiving: a QoS 2 message is delivered once after a drop before or after the server gets PUBREC [MQTT-4.3.3-10]",
        arguments: [true, false])
    func dropWhileReceiving(serverGotPubrec: Bool) async throws {
        let (client, connection) = try await self.reconnectingClient()
        let subscription = try await connection.subscribe(client, to: "t", acknowledgement: .onReceipt)
        try connection.send(.publish(Publish("once", "t", id: 9, qos: .exactlyOnce)))
        try await connection.expect(.pubrec(Acknowledgement(9)))
        connection.close()
        let second = try await self.server.acceptAgain(sessionPresent: true)
        if !serverGotPubrec {
            try second.send(.publish(Publish("once", "t", id: 9, qos: .exactlyOnce, dup: true)))
            try await second.expect(.pubrec(Acknowledgement(9)))
        }
        try second.send(.pubrel(Acknowledgement(9)))
        try await second.expect(.pubcomp(Acknowledgement(9)))
        try second.send(.publish(Publish("next", "t", id: 9, qos: .exactlyOnce)))
        try await second.expect(.pubrec(Acknowledgement(9)))
        var iterator = subscription.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "once")
        #expect(try await iterator.next()?.text == "next")
        #expect(client.statistics.messagesReceived == 2)
    }

    @Test("A QoS 2 message that is being consumed when the connection breaks is delivered once [MQTT-4.3.3-10]")
    func dropBeforeConsumption() async throws {
        let (client, connection) = try await self.reconnectingClient()
        let subscription = try await connection.subscribe(client, to: "t")
        try connection.send(.publish(Publish("once", "t", id: 9, qos: .exactlyOnce)))
        var iterator = subscription.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "once")
        connection.close()
        let second = try await self.server.acceptAgain(sessionPresent: true)
        try second.send(.publish(Publish("once", "t", id: 9, qos: .exactlyOnce, dup: true)))
        try second.send(.publish(Publish("next", "t", id: 10)))
        #expect(try await iterator.next()?.text == "next")
        try await second.expect(.pubrec(Acknowledgement(9)))
    }

    @Test("A QoS 1 message that was not acknowledged is delivered again, marked as a duplicate")
    func redelivery() async throws {
        let (client, connection) = try await self.reconnectingClient()
        let subscription = try await connection.subscribe(client, to: "t")
        var iterator = subscription.makeAsyncIterator()
        try connection.send(.publish(Publish("x", "t", id: 9)))
        #expect(try await iterator.next()?.isDuplicate == false)
        connection.close()
        let second = try await self.server.acceptAgain(sessionPresent: true)
        try second.send(.publish(Publish("x", "t", id: 9, dup: true)))
        #expect(try await iterator.next()?.isDuplicate == true)
        async let end: MQTTMessage? = iterator.next()
        try await second.expect(.puback(Acknowledgement(9)))
        try second.send(.publish(Publish("end", "t")))
        #expect(try await end?.text == "end")
    }

    @Test("Subscriptions are kept if the session is present, and made again if it is not")
    func subscriptions() async throws {
        let (client, connection) = try await self.reconnectingClient()
        let subscription = try await connection.subscribe(client, to: "t/+", options: .init(qos: .atLeastOnce))
        connection.close()
        let second = try await self.server.acceptAgain(sessionPresent: true)
        try await second.sync()
        second.close()
        let third = try await self.server.acceptAgain(sessionPresent: false)
        let packet = try await third.receiveSubscribe()
        #expect(packet.subscriptions == [.init(try TopicFilter("t/+"), SubscriptionOptions(qos: .atLeastOnce))])
        try third.send(.suback(SubAck(packet.packetID, [.grantedQoS1])), .publish(Publish("x", "t/1")))
        var iterator = subscription.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "x")
    }

    @Test("A subscription that the server refuses after losing the session fails with the reason code")
    func subscriptionLost() async throws {
        let (client, connection) = try await self.reconnectingClient()
        let subscription = try await connection.subscribe(client, to: "t")
        let events = client.events
        connection.close()
        let second = try await self.server.acceptAgain()
        try await second.refuseSubscribe(.notAuthorized)
        let error = try await failure { for try await _ in subscription {} }
        #expect(error.code == .subscriptionRefused)
        #expect(error.reasonCode == .notAuthorized)
        let code = try await first(of: events) { if case .subscriptionLost(_, let code) = $0 { code } else { nil } }
        #expect(code == .notAuthorized)
    }

    @Test("A SUBSCRIBE that a lost connection interrupted is sent again")
    func subscribeAgain() async throws {
        let (client, connection) = try await self.reconnectingClient()
        async let subscription = client.subscribe(to: "t")
        _ = try await connection.receiveSubscribe()
        connection.close()
        let second = try await self.server.acceptAgain(sessionPresent: true)
        try await second.grantSubscribe()
        _ = try await subscription
    }

    @Test("A subscribe and a publish may begin before the first connection")
    func beforeConnect() async throws {
        let client = try self.server.makeClient()
        async let subscription = client.subscribe(to: "t")
        async let published = client.publish("x", to: "t", qos: .atLeastOnce)
        try await client.waitUntilQueued()
        async let connected = client.connect()
        let connection = try await self.server.acceptAgain()
        _ = try await connected
        for _ in 0..<2 {
            switch try await connection.receive() {
            case .publish(let packet): try connection.send(.puback(Acknowledgement(try #require(packet.packetID))))
            case .subscribe(let packet): try connection.send(.suback(SubAck(packet.packetID, [.grantedQoS2])))
            case let other: Issue.record("\(other)")
            }
        }
        _ = try await subscription
        #expect(try await published == .success)
    }

    @Test("Disconnecting drains: exchanges are completed first, and new calls are refused")
    func drain() async throws {
        let (client, connection) = try await self.reconnectingClient()
        let delivery = try client.enqueue("x", to: "t", qos: .exactlyOnce)
        let id = try #require(try await connection.receivePublishPacket().packetID)
        async let report = client.disconnect()
        try await client.wait(for: .disconnecting)
        #expect(try await failure { try client.enqueue("y", to: "t") }.code == .clientStopped)
        try connection.send(.pubrec(Acknowledgement(id)))
        try await connection.expect(.pubrel(Acknowledgement(id)))
        try connection.send(.pubcomp(Acknowledgement(id)))
        try await connection.receiveDisconnect()
        #expect(await report.isClean)
        try await delivery.outcome()
    }

    @Test("A drain that times out reports what was left, and each of those publishes throws")
    func drainReport() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(
            properties: [.receiveMaximum(1)], clock: clock)
        let sent = try client.enqueue("sent", to: "t", qos: .atLeastOnce)
        let waiting = try client.enqueue("waiting", to: "t", qos: .atLeastOnce)
        _ = try await connection.receivePublishPacket()
        async let report = client.disconnect(drain: .seconds(3))
        try await clock.advanceToSleeper(within: .seconds(3))
        try await connection.receiveDisconnect()
        let left = await report
        #expect(left.notSent == 1)
        #expect(left.unknown == 1)
        #expect(try await failure { try await sent.outcome() }.delivery == .unknown)
        #expect(try await failure { try await waiting.outcome() }.delivery == .notSent)
    }

    @Test("A drain waits for QoS 0 messages that the network has not taken yet")
    func drainUnsent() async throws {
        let (client, connection) = try await self.reconnectingClient()
        connection.stopReading()
        let payload = [UInt8](repeating: 7, count: 100_000)
        for _ in 0..<8 { try await client.publish(payload, to: "t") }
        async let report = client.disconnect()
        try await client.wait(for: .disconnecting)
        connection.resumeReading()
        for _ in 0..<8 { #expect(try await connection.receivePublishPacket().payload.readableBytes == 100_000) }
        try await connection.receiveDisconnect()
        #expect(await report.isClean)
    }

    @Test("A drain ends when a restored subscription is granted, even if nobody waits for that")
    func drainResubscription() async throws {
        let clock = TestClock()  // advanced only once: the drain must end by itself
        let (client, connection) = try await self.server.connectedClient(clock: clock) { configuration in
            configuration.reconnect.initialDelay = .seconds(1)
            configuration.reconnect.minimumDelay = .seconds(1)
        }
        let subscription = try await connection.subscribe(client, to: "t")
        connection.close()
        try await clock.advanceToSleeper(within: .seconds(1))
        let second = try await self.server.acceptAgain()
        let packet = try await second.receiveSubscribe()
        async let report = client.disconnect()
        try await client.wait(for: .disconnecting)
        try second.send(.suback(SubAck(packet.packetID, [.grantedQoS2])))
        try await second.receiveDisconnect()
        #expect(await report.isClean)
        _ = subscription
    }

    @Test("A server that does not close the connection after DISCONNECT does not block the client")
    func neverCloses() async throws {
        let (client, connection) = try await self.server.connectedClient {
            $0.connection.disconnectTimeout = .milliseconds(1)
        }
        connection.stopReading()
        #expect(await client.disconnect().isClean)
        #expect(client.state == .disconnected)
        connection.resumeReading()
        try await connection.receiveDisconnect()
    }

    @Test("A disconnected client may connect again")
    func connectAgain() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let old = try await connection.subscribe(client, to: "old")
        await client.disconnect()
        var end = old.makeAsyncIterator()
        #expect(try await end.next() == nil)
        async let connected = client.connect()
        let second = try await self.server.acceptAgain()
        _ = try await connected
        let subscription = try await second.subscribe(client, to: "new")
        try second.publish("x", to: "new")
        var iterator = subscription.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "x")
    }

    @Test("A disconnect just as CONNACK arrives ends the connection")
    func disconnectAtConnack() async throws {
        for _ in 0..<200 {
            let client = try self.server.makeClient()
            let connecting = Task { try await client.connect() }
            let connection = try await self.server.accept()
            _ = try await connection.receiveConnect()
            try connection.send(.connack(ConnAck()))
            await client.disconnect()
            #expect(client.state == .disconnected)
            _ = await connecting.result
        }
    }

    @Test("Before 5.0, a session without Clean Session is resumed", arguments: [ProtocolVersion.v3_1, .v3_1_1])
    func olderSession(version: ProtocolVersion) async throws {
        let (client, connection, connect) = try await self.server.connectedClient(ConnAck()) { configuration in
            configuration.reconnectAtOnce()
            configuration.connection.version = .exactly(version)
            configuration.session.cleanStart = false
            configuration.clientIdentifier = .given("kept")
        }
        #expect(!connect.cleanStart)
        let delivery = try client.enqueue("x", to: "t", qos: .atLeastOnce)
        let packet = try await connection.receivePublishPacket()
        connection.close()
        let second = try await self.server.acceptAgain(sessionPresent: version == .v3_1_1)
        // A 3.1 server cannot report that it has kept the session, so the exchange is resumed anyway.
        let again = try await second.receivePublishPacket()
        #expect(again.text == "x")
        #expect(again.dup)
        #expect(again.packetID == packet.packetID)
        try second.send(.puback(Acknowledgement(try #require(again.packetID))))
        try await delivery.outcome()
    }
}
