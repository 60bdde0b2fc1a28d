import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Synchronization
import Testing

@Suite("Events, statistics and authentication", .bounded)
struct LifeWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    @Test("Events report each change of the connection")
    func events() async throws {
        let client = try self.server.makeClient { $0.reconnectAtOnce() }
        let events = client.events
        async let connected = client.connect()
        let connection = try await self.server.acceptAgain()
        _ = try await connected
        let fromNowOn = client.events
        connection.close()
        let second = try await self.server.acceptAgain(sessionPresent: true)
        try await first(of: fromNowOn) { if case .connected = $0 { () } else { nil } }
        await client.disconnect()
        try await second.receiveDisconnect()
        var story: [String] = []
        for await event in events {
            switch event {
            case .connected(_, _, let isResumed): story.append(isResumed ? "resumed" : "connected")
            case .disconnected: story.append("disconnected")
            case .reconnecting(let attempt, _, _): story.append("reconnecting \(attempt)")
            case .stopped: story.append("stopped")
            default: story.append("other")
            }
            if case .stopped = event { break }
        }
        #expect(
            story == ["connected", "disconnected", "reconnecting 1", "resumed", "disconnected", "stopped"]
                || story == ["connected", "disconnected", "reconnecting 1", "resumed", "stopped"])
    }

    @Test("Statistics count published, queued and unacknowledged messages")
    func statistics() async throws {
        let (client, connection) = try await self.server.connectedClient(properties: [.receiveMaximum(1)])
        let deliveries = try (0..<3).map { try client.enqueue("x\($0)", to: "t", qos: .atLeastOnce) }
        var statistics = client.statistics
        #expect(statistics.messagesPublished == 3)
        #expect(statistics.inFlightPackets == 1)
        #expect(statistics.queuedMessages == 2)
        #expect(statistics.queuedBytes == 6)
        for _ in 0..<3 { try await connection.receivePublish() }
        for delivery in deliveries { try await delivery.outcome() }
        statistics = client.statistics
        #expect(statistics.inFlightPackets == 0)
        #expect(statistics.queuedMessages == 0)
        #expect(statistics.queuedBytes == 0)
        #expect(client.serverLimits?.receiveMaximum == 1)
    }

    @Test("A consumer that holds a message too long is reported with topic and age")
    func stuckAcknowledgement() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock) { configuration in
            configuration.connection.keepAlive = .zero
            configuration.acknowledgement.stuckWarning = .seconds(5)
        }
        let events = client.events
        let subscription = try await connection.subscribe(client, to: "t")
        try connection.publish("x", to: "t", qos: .atLeastOnce)
        var iterator = subscription.makeAsyncIterator()
        _ = try await iterator.next()
        try await clock.advanceToSleeper(within: .seconds(5))
        try await clock.advanceToSleeper(within: .seconds(5))
        let warned = Task {
            try await first(of: events) {
                if case .acknowledgementStuck(let topic, let age) = $0 { (topic, age) } else { nil }
            }
        }
        try await clock.advanceToSleeper(within: .seconds(5))
        let (topic, age) = try await warned.value
        #expect(topic == (try TopicName("t")))
        #expect(age >= .seconds(5))
    }

    @Test("A burst of messages is acknowledged in order")
    func burst() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t", acknowledgement: .onReceipt)
        try connection.send(
            .publish(Publish("a", "t", id: 1)), .publish(Publish("b", "t", id: 2)), .publish(Publish("c", "t", id: 3)))
        for id in 1...3 { try await connection.expect(.puback(Acknowledgement(UInt16(id)))) }
        _ = subscription
    }

    // MARK: Enhanced authentication

    struct Authenticator: MQTTEnhancedAuthenticator {
        struct Refused: Error {}

        func begin() async throws -> ByteBuffer? { ByteBuffer(string: "begin") }

        func respond(to challenge: ByteBuffer?) async throws -> ByteBuffer? {
            let text = String(buffer: challenge ?? ByteBuffer())
            if text == "wrong" { throw Refused() }
            return ByteBuffer(string: "answer to \(text)")
        }

        func finish(with data: ByteBuffer?) throws {
            if data == ByteBuffer(string: "not me") { throw Refused() }
        }
    }

    private static func auth(_ code: ReasonCode, _ text: String) -> Packet {
        .auth(
            Auth(
                reasonCode: code,
                properties: Properties([.authenticationMethod("M"), .authenticationData(ByteBuffer(string: text))])))
    }

    /// Connects a client with enhanced authentication.
    private func authenticated(early: [String] = []) async throws -> (MQTTClient, ScriptedConnection) {
        let client = try self.server.makeClient { configuration in
            configuration.enhancedAuthentication = .init(method: "M", authenticator: Authenticator())
            configuration.reconnect = .disabled
        }
        for text in early { try client.enqueue(text, to: "t", qos: .atLeastOnce) }
        async let connected = client.connect()
        let connection = try await self.server.accept()
        let connect = try await connection.receiveConnect()
        #expect(connect.properties.list.contains(.authenticationMethod("M")))
        #expect(connect.properties.list.contains(.authenticationData(ByteBuffer(string: "begin"))))
        try connection.send(Self.auth(.continueAuthentication, "challenge"))
        try await connection.expect(Self.auth(.continueAuthentication, "answer to challenge"))
        try connection.send(.connack(ConnAck(properties: Properties([.authenticationMethod("M")]))))
        _ = try await connected
        return (client, connection)
    }

    @Test("Enhanced authentication: the client answers a challenge before CONNACK [MQTT-4.12.0-3] [MQTT-4.12.0-5]")
    func authentication() async throws {
        let (client, _) = try await self.authenticated()
        #expect(client.state == .connected)
    }

    @Test("Enqueued messages are sent after CONNACK, not during the authentication [MQTT-3.1.2-33]")
    func nothingDuringAuthentication() async throws {
        let (_, connection) = try await self.authenticated(early: ["x"])
        #expect(try await connection.receivePublishPacket().text == "x")
    }

    @Test("Re-authentication on an open connection succeeds [MQTT-4.12.1-1] [MQTT-3.15.2-2]")
    func reauthentication() async throws {
        let (client, connection) = try await self.authenticated()
        async let done: Void = client.reauthenticate()
        try await connection.expect(Self.auth(.reauthenticate, "begin"))
        try connection.send(Self.auth(.continueAuthentication, "again"))
        try await connection.expect(Self.auth(.continueAuthentication, "answer to again"))
        try connection.send(Self.auth(.success, "you"))
        try await done
    }

    @Test("A message in the same read as AUTH is not lost")
    func authAndMessage() async throws {
        let (client, connection) = try await self.authenticated()
        let subscription = try await connection.subscribe(client, to: "t")
        async let done: Void = client.reauthenticate()
        try await connection.expect(Self.auth(.reauthenticate, "begin"))
        try connection.send(
            Self.auth(.success, "you"), .publish(Publish("x", "t", id: 1)), .publish(Publish("y", "t")))
        try await done
        var iterator = subscription.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "x")
        #expect(try await iterator.next()?.text == "y")
    }

    @Test("An authenticator that rejects the server's challenge ends the connection [MQTT-4.12.1-2]")
    func authenticationGivenUp() async throws {
        let (client, connection) = try await self.authenticated()
        async let error = failure { try await client.reauthenticate() }
        try await connection.expect(Self.auth(.reauthenticate, "begin"))
        try connection.send(Self.auth(.continueAuthentication, "wrong"))
        #expect(try await connection.receiveDisconnect() == .notAuthorized)
        try await connection.expectClosed()
        #expect(try await error.code == .authenticationFailed)
    }

    @Test("Without an authentication method in CONNECT, AUTH is never sent [MQTT-4.12.0-7]")
    func reauthenticationImpossible() async throws {
        let (client, connection) = try await self.server.connectedClient()
        #expect(try await failure { try await client.reauthenticate() }.code == .invalidArgument)
        // The answer to this must be the next packet.
        try await connection.sync()
    }
}
