import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@Suite("The first packets and the last", .bounded)
struct GoodbyeWireTests {
    @Test("What was asked for before there was a connection is sent as soon as the server accepts it")
    func beforeTheConnection() async throws {
        let server = ScriptedServer()
        let client = try server.makeClient()
        try client.enqueue("early", to: "a")
        async let connected: Void = client.connect()
        let connection = try await server.accept()
        try await connection.acceptConnect()
        try await connection.expect(.publish(Publish("early", "a")))
        try await connected
    }

    @Test("A session that no client can ask for again ends with the client [MQTT-3.1.2-23]")
    func lastDisconnect() async throws {
        let server = ScriptedServer()
        let (client, connection) = try await server.connectedClient()
        await client.disconnect()
        try await connection.expect(.disconnect(Disconnect(properties: Properties([.sessionExpiryInterval(0)]))))
    }

    @Test(
        "A disconnect can say how long the session stays, unless it was to end with the connection [MQTT-3.1.2-23]",
        arguments: [MQTTConfiguration.Expiry.after(.seconds(60)), .withConnection, .never])
    func sessionExpiry(expiry: MQTTConfiguration.Expiry) async throws {
        let server = ScriptedServer()
        let (client, connection) = try await server.connectedClient {
            $0.clientIdentifier = .given("kitchen")
            $0.session.expiry = expiry
        }
        await client.disconnect(sessionExpiry: .after(.seconds(60)))
        let properties = expiry == .never ? Properties([.sessionExpiryInterval(60)]) : Properties()
        try await connection.expect(.disconnect(Disconnect(properties: properties)))
    }

    @Test("What a full link had not taken yet leaves before the goodbye")
    func fullLink() async throws {
        let server = ScriptedServer()
        let (client, connection) = try await server.connectedClient { $0.clientIdentifier = .given("kitchen") }
        connection.stopReading()
        let payload = String(repeating: "x", count: 300_000)
        for _ in 0..<3 { try await client.publish(payload, to: "a") }
        async let report = client.disconnect()
        connection.resumeReading()
        for _ in 0..<3 { #expect(try await connection.receivePublishPacket().payload.readableBytes == 300_000) }
        try await connection.expect(.disconnect(Disconnect()))
        #expect(await report.isClean)
    }

    @Test("A disconnect waits no longer when the last message that it waits for is given up")
    func lastGivenUp() async throws {
        let server = ScriptedServer()
        let (client, connection) = try await server.connectedClient { $0.reconnectAtOnce() }
        let events = client.events
        connection.close()
        for await event in events { if case .reconnecting = event { break } }
        let delivery = try client.enqueue("late", to: "a", qos: .atLeastOnce)
        async let report = client.disconnect(drain: .seconds(3600))
        while client.state != .disconnecting { await Task.yield() }
        let waiting = Task { try await delivery.wait() }
        waiting.cancel()
        #expect(await report.isClean)
        #expect(try await failure { try await waiting.value }.delivery == .notSent)
    }

    @Test("A disconnect that was asked for is no loss of the connection")
    func noLoss() async throws {
        for _ in 0..<100 {
            let server = ScriptedServer()
            let (client, _) = try await server.connectedClient()
            let events = client.events
            await client.disconnect()
            for await event in events {
                guard case .stopped(let error) = event else {
                    Issue.record("The client told of \(event).")
                    return
                }
                #expect(error == nil)
                break
            }
        }
    }
}
