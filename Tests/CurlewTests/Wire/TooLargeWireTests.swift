import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@Suite("Messages larger than the client accepts", .bounded)
struct TooLargeWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    private static let large = String(repeating: "x", count: 200_000)

    private func connected(
        _ version: ProtocolVersion, _ configure: (inout MQTTConfiguration) -> Void = { _ in }
    ) async throws -> (client: MQTTClient, connection: ScriptedConnection) {
        try await self.server.connectedClient { configuration in
            configuration.connection.version = .exactly(version)
            configuration.session.maximumPacketSize = 1000
            configuration.session.topicAliasMaximum = 10
            configuration.reconnectAtOnce()
            configure(&configuration)
        }
    }

    private func left(of events: some AsyncSequence<MQTTEvent, Never>) async throws -> String {
        let (topic, error) = try await first(of: events) { event in
            if case .messageSkipped(let topic, let error) = event { (topic, error) } else { nil }
        }
        #expect(error.code == .packetTooLarge && error.message.contains("\"\(topic)\""))
        return error.message
    }

    @Test(
        "Before 5.0, a too large message is dropped, reported and acknowledged in its turn, and blocks no other",
        arguments: [ProtocolVersion.v3_1, .v3_1_1])
    func leftOut(version: ProtocolVersion) async throws {
        let (client, connection) = try await self.connected(version)
        let events = client.events
        let subscription = try await connection.subscribe(client, to: "t/+")
        try connection.send(
            .publish(Publish("before", "t/0", id: 1)), .publish(Publish(Self.large, "t/large", id: 2)),
            .publish(Publish(Self.large, "t/large", id: 3, qos: .exactlyOnce)),
            .publish(Publish(Self.large, "t/large")),
            .publish(Publish("behind", "t/1", id: 4)))
        var iterator = subscription.makeAsyncIterator()
        for text in ["before", "behind"] { #expect(try await iterator.next()?.text == text) }
        for id in 1...2 as ClosedRange<UInt16> { try await connection.expect(.puback(Acknowledgement(id))) }
        try await connection.expect(.pubrec(Acknowledgement(3)))
        try connection.send(.pubrel(Acknowledgement(3)))
        try await connection.expect(.pubcomp(Acknowledgement(3)))
        let message = try await self.left(of: events)
        for part in ["\"t/large\"", "200015 bytes", "1000", "session.maximumPacketSize"] {
            #expect(message.contains(part), "\(message)")
        }
        #expect(subscription.droppedCount == 3 && client.statistics.messagesDropped == 3)
        #expect(client.statistics.reconnections == 0)
    }

    @Test(
        "With 5.0, the first too large message ends the connection with a reason; when it is sent again, it is dropped")
    func toldAgain() async throws {
        let (client, connection) = try await self.connected(.v5_0)
        let subscription = try await connection.subscribe(client, to: "t/+")
        let events = client.events
        try connection.send(.publish(Publish(Self.large, "t/large", id: 1)))
        #expect(try await connection.receiveDisconnect() == .packetTooLarge)
        let error = try await first(of: events) { if case .disconnected(let error) = $0 { error } else { nil } }
        for part in ["\"t/large\"", "200016 bytes", "1000", "session.maximumPacketSize"] {
            #expect(error.message.contains(part), "\(error)")
        }
        let second = try await self.server.acceptAgain(sessionPresent: true)
        try second.send(
            .publish(Publish(Self.large, "t/large", id: 1, dup: true)), .publish(Publish("behind", "t/1", id: 2)))
        try await second.expect(.puback(Acknowledgement(1, .implementationSpecificError)))
        #expect(try await subscription.first { _ in true }?.text == "behind")
        #expect(try await self.left(of: events).contains("200016 bytes"))
        #expect(client.statistics.reconnections == 1)
    }

    @Test("With the policy fail, a too large message makes the subscription fail")
    func fails() async throws {
        let (client, connection) = try await self.connected(.v3_1_1)
        let subscription = try await connection.subscribe(client, to: "t", queue: .init(overflow: .fail))
        try connection.send(.publish(Publish("before", "t")), .publish(Publish(Self.large, "t", id: 1)))
        var iterator = subscription.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "before")
        let error = try await failure { try await iterator.next() }
        #expect(error.code == .packetTooLarge && error.message.contains("session.maximumPacketSize"))
    }

    @Test("A request fails if its reply is too large, instead of waiting")
    func reply() async throws {
        let (client, connection) = try await self.connected(.v5_0)
        // The first violation; from now on the client drops this server's too large messages.
        try connection.send(.publish(Publish(Self.large, "t")))
        _ = try await connection.receiveDisconnect()
        let second = try await self.server.acceptAgain()
        async let error = failure { try await client.request("ping", to: "rpc", timeout: .seconds(3600)) }
        try await second.grantSubscribe()
        let request = try await second.receivePublish()
        var properties = Properties()
        properties.correlationData = request.properties.correlationData
        try second.publish(Self.large, to: try #require(request.properties.responseTopic), properties: properties)
        #expect(try await error.code == .packetTooLarge)
    }

    @Test("A message with more properties than the client accepts is dropped, so that it is not sent again and again")
    func manyProperties() async throws {
        let (client, connection) = try await self.connected(.v5_0) { $0.session.maximumPacketSize = 1 << 20 }
        let events = client.events
        let subscription = try await connection.subscribe(client, to: "t")
        let properties = (0..<2000).map { Property.userProperty(UserProperty("n", "\($0)")) }
        try connection.send(
            .publish(Publish("x", "t", id: 1, properties: properties)), .publish(Publish("behind", "t", id: 2)))
        try await connection.expect(.puback(Acknowledgement(1, .implementationSpecificError)))
        #expect(try await subscription.first { _ in true }?.text == "behind")
        #expect(try await self.left(of: events).contains("1024 properties"))
        #expect(client.statistics.reconnections == 0)
    }

    @Test("Before CONNACK, a too large message is a protocol violation")
    func beforeConnAck() async throws {
        let client = try self.server.makeClient { configuration in
            configuration.connection.version = .exactly(.v3_1_1)
            configuration.session.maximumPacketSize = 1000
        }
        async let error = failure { try await client.connect() }
        let connection = try await self.server.accept()
        _ = try await connection.receiveConnect()
        try connection.send(.publish(Publish(Self.large, "t")))
        #expect(try await error.code == .protocolViolation)
        try await connection.expectClosed()
    }

    @Test("The largest possible maximum packet size is left out of CONNECT")
    func largest() async throws {
        let (_, _, connect) = try await self.server.connectedClient(ConnAck()) {
            $0.session.maximumPacketSize = 268_435_460
        }
        #expect(!connect.properties.list.contains { $0.identifier == .maximumPacketSize })
    }
}
