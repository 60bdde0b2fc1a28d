import Curlew
import CurlewCore
import CurlewTesting
import CurlewTransport
import Logging
import NIOCore
import Synchronization
import Testing

@Suite("The first and last packets of a connection", .bounded)
struct GoodbyeWireTests {
    @Test("A message enqueued before connecting is sent as soon as the server accepts the connection")
    func beforeTheConnection() async throws {
        let server = ScriptedServer()
        let client = try server.makeClient()
        try client.enqueue("early", to: "a")
        async let connected = client.connect()
        let connection = try await server.accept()
        try await connection.acceptConnect()
        try await connection.expect(.publish(Publish("early", "a")))
        _ = try await connected
    }

    @Test("With a generated client identifier, DISCONNECT ends the session")
    func lastDisconnect() async throws {
        let server = ScriptedServer()
        let (client, connection) = try await server.connectedClient()
        await client.disconnect()
        try await connection.expect(.disconnect(Disconnect(properties: Properties([.sessionExpiryInterval(0)]))))
    }

    @Test(
        "disconnect() can change the session expiry, unless the session ends with its connection",
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

    @Test(
        "The session expiry is rounded up to whole seconds",
        arguments: [
            (Duration.milliseconds(1), UInt32(1)), (.milliseconds(59_001), 60), (.seconds(-1), 0),
            (.seconds(Int64.max), UInt32.max - 1),
        ])
    func roundedExpiry(duration: Duration, seconds: UInt32) async throws {
        let server = ScriptedServer()
        let (client, connection) = try await server.connectedClient { $0.clientIdentifier = .given("kitchen") }
        await client.disconnect(sessionExpiry: .after(duration))
        try await connection.expect(
            .disconnect(Disconnect(properties: Properties([.sessionExpiryInterval(seconds)]))))
    }

    @Test("A warning is logged if disconnect() asks to keep a session that ends with its connection")
    func impossibleExpiry() async throws {
        let server = ScriptedServer()
        let log = Log()
        var configuration = MQTTConfiguration()
        server.connect(&configuration)
        configuration.session.expiry = .withConnection
        let client = try MQTTClient(configuration, logger: log.logger)
        for (expiry, isPossible) in [(MQTTConfiguration.Expiry.withConnection, true), (.after(.seconds(60)), false)] {
            async let connected = client.connect()
            let connection = try await server.acceptAgain()
            _ = try await connected
            await client.disconnect(sessionExpiry: expiry)
            try await connection.expect(.disconnect(Disconnect()))
            #expect(log.warnings.isEmpty == isPossible)
        }
    }

    @Test("A second disconnect waits with the first")
    func secondDisconnect() async throws {
        let server = ScriptedServer()
        let (client, connection) = try await server.connectedClient { $0.clientIdentifier = .given("kitchen") }
        let delivery = try client.enqueue("x", to: "t", qos: .atLeastOnce)
        let packet = try await connection.receivePublishPacket()
        async let first = client.disconnect(drain: .seconds(3600), sessionExpiry: .after(.seconds(60)))
        try await client.wait(for: .disconnecting)
        async let second = client.disconnect(drain: .seconds(3600))
        try await client.waitForDisconnectCalls(2)
        try await connection.sync()
        try connection.send(.puback(Acknowledgement(try #require(packet.packetID))))
        try await delivery.outcome()
        #expect(await first.isClean)
        #expect(await second.isClean)
        try await connection.expect(.disconnect(Disconnect(properties: Properties([.sessionExpiryInterval(60)]))))
    }

    @Test("A second disconnect without a drain ends the first one's wait, and both report the same")
    func secondDisconnectAtOnce() async throws {
        let server = ScriptedServer()
        let (client, connection) = try await server.connectedClient()
        let delivery = try client.enqueue("x", to: "t", qos: .atLeastOnce)
        _ = try await connection.receivePublishPacket()
        async let first = client.disconnect(drain: .seconds(3600))
        try await client.wait(for: .disconnecting)
        #expect(await client.disconnect(drain: .zero).unknown == 1)
        #expect(await first.unknown == 1)
        #expect(try await failure { try await delivery.outcome() }.delivery == .unknown)
    }

    @Test("Publishes that a full link has not yet taken are sent before DISCONNECT")
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

    @Test("A disconnect stops waiting when the last message that it waits for is withdrawn")
    func lastGivenUp() async throws {
        let server = ScriptedServer()
        let (client, connection) = try await server.connectedClient { $0.reconnectAtOnce() }
        let events = client.events
        connection.close()
        for await event in events { if case .reconnecting = event { break } }
        let delivery = try client.enqueue("late", to: "a", qos: .atLeastOnce)
        async let report = client.disconnect(drain: .seconds(3600))
        try await client.wait(for: .disconnecting)
        let waiting = Task { try await delivery.outcome() }
        waiting.cancel()
        #expect(await report.isClean)
        #expect(try await failure { try await waiting.value }.delivery == .notSent)
    }

    @Test("disconnect() causes no event of a lost connection")
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

/// Records a client's warnings.
private final class Log: Sendable {
    private struct Handler: LogHandler {
        let log: Log
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.warning

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            self.log.messages.withLock { $0.append("\(event.message)") }
        }
    }

    private let messages = Mutex<[String]>([])

    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    var warnings: [String] { self.messages.withLock { $0 } }
}
