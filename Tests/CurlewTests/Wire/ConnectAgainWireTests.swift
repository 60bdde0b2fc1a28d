import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@Suite("Connecting again after a disconnect", .bounded)
struct ConnectAgainWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    private func keepingClient() async throws -> (client: MQTTClient, connection: ScriptedConnection) {
        try await self.server.connectedClient {
            $0.clientIdentifier = .given("kept")
            $0.session.cleanStart = false
        }
    }

    private func connectAgain(_ client: MQTTClient, sessionPresent: Bool) async throws -> ScriptedConnection {
        async let connected = client.connect()
        let connection = try await self.server.acceptAgain(sessionPresent: sessionPresent)
        _ = try await connected
        return connection
    }

    @Test("Messages of the first connection acknowledge none of the second", arguments: [false, true])
    func tokens(sessionPresent: Bool) async throws {
        let (client, connection) = try await self.keepingClient()
        let old = try await connection.subscribe(client, to: "t", acknowledgement: .manual)
        for id in 1...3 as ClosedRange<UInt16> { try connection.send(.publish(Publish("old", "t", id: id))) }
        var iterator = old.makeAsyncIterator()
        var messages: [MQTTMessage] = []
        for _ in 1...3 { messages.append(try #require(try await iterator.next())) }
        await client.disconnect()
        let second = try await self.connectAgain(client, sessionPresent: sessionPresent)
        let new = try await second.subscribe(client, to: "t", acknowledgement: .manual)
        for id in 1...3 as ClosedRange<UInt16> { try second.send(.publish(Publish("new", "t", id: id))) }
        var newIterator = new.makeAsyncIterator()
        _ = try await newIterator.next()
        for message in messages { try old.acknowledge(message) }
        // Everything that the acknowledgements could cause is sent before this QoS 0 message.
        try await client.publish("after", to: "t")
        try await second.expect(.publish(Publish("after", "t")))
    }

    @Test(
        "An exchange interrupted by a disconnect resumes, and its packet identifier is not reused [MQTT-4.4.0-1]")
    func exchanges() async throws {
        let (client, connection) = try await self.keepingClient()
        let delivery = try client.enqueue("old", to: "t", qos: .exactlyOnce)
        let packet = try await connection.receivePublishPacket()
        let id = try #require(packet.packetID)
        try connection.send(.pubrec(Acknowledgement(id)))
        try await connection.expect(.pubrel(Acknowledgement(id)))
        await client.disconnect(drain: .zero)
        #expect(try await failure { try await delivery.outcome() }.delivery == .unknown)
        let second = try await self.connectAgain(client, sessionPresent: true)
        try await second.expect(.pubrel(Acknowledgement(id)))
        _ = try client.enqueue("new", to: "t", qos: .exactlyOnce)
        let new = try await second.receivePublishPacket()
        #expect(new.text == "new" && new.packetID != id && !new.dup)
    }
}
