import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@Suite("A client that is disconnected and connects again", .bounded)
struct ConnectAgainWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    private func keepingClient() async throws -> (client: MQTTClient, connection: ScriptedConnection) {
        try await self.server.connectedClient {
            $0.clientIdentifier = .given("kept")
            $0.session.cleanStart = false
        }
    }

    private func connectAgain(_ client: MQTTClient, sessionPresent: Bool) async throws -> ScriptedConnection {
        async let connected: Void = client.connect()
        let connection = try await self.server.acceptAgain(sessionPresent: sessionPresent)
        try await connected
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
        for message in messages { client.acknowledge(message) }
        // QoS 0 follows whatever the acknowledgements led to.
        try await client.publish("after", to: "t")
        try await second.expect(.publish(Publish("after", "t")))
    }
}
