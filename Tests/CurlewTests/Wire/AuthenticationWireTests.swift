import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@Suite("Enhanced authentication, and servers that violate it", .bounded)
struct AuthenticationWireTests {
    private let server = ScriptedServer(patience: .seconds(60))

    private struct Authenticator: MQTTEnhancedAuthenticator {
        func begin() async throws -> ByteBuffer? { nil }
        func respond(to challenge: ByteBuffer?) async throws -> ByteBuffer? { challenge }
    }

    /// Never answers a challenge, and ignores cancellation.
    private struct Sleeper: MQTTEnhancedAuthenticator {
        func begin() async throws -> ByteBuffer? { nil }
        func respond(to challenge: ByteBuffer?) async throws -> ByteBuffer? {
            await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
            return nil
        }
    }

    private static func auth(_ code: ReasonCode, method: String = "M") -> Packet {
        .auth(Auth(reasonCode: code, properties: Properties([.authenticationMethod(method)])))
    }

    private func makeClient(_ authenticator: any MQTTEnhancedAuthenticator = Authenticator()) throws -> MQTTClient {
        try self.server.makeClient { configuration in
            configuration.enhancedAuthentication = .init(method: "M", authenticator: authenticator)
            configuration.reconnect = .disabled
        }
    }

    struct Handshake: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let packets: [Packet]
    }

    @Test(
        "A handshake that violates the protocol never leads to a connection [MQTT-4.12.0-5]",
        arguments: [
            Handshake(
                testDescription: "two challenges and CONNACK in one read",
                packets: [auth(.continueAuthentication), auth(.continueAuthentication), .connack(ConnAck())]),
            Handshake(
                testDescription: "success before CONNACK", packets: [auth(.success), .connack(ConnAck())]),
            Handshake(
                testDescription: "a challenge by another method",
                packets: [auth(.continueAuthentication, method: "N"), .connack(ConnAck())]),
            Handshake(
                testDescription: "CONNACK with another method",
                packets: [.connack(ConnAck(properties: Properties([.authenticationMethod("N")])))]),
            Handshake(
                testDescription: "CONNACK in the middle of a challenge",
                packets: [auth(.continueAuthentication), .connack(ConnAck())]),
        ])
    func badHandshake(_ handshake: Handshake) async throws {
        let client = try self.makeClient(Sleeper())
        async let error = failure { try await client.connect() }
        let connection = try await self.server.accept()
        _ = try await connection.receiveConnect()
        connection.send(
            bytes: try handshake.packets.flatMap { packet in
                var bytes = ByteBuffer()
                try packet.encode(into: &bytes, version: .v5_0)
                return Array(bytes.readableBytesView)
            })
        #expect(try await error.code == .protocolViolation)
        try await connection.expectClosed()
    }

    @Test(
        "An unexpected AUTH ends the connection",
        arguments: [ReasonCode.success, .reauthenticate, .continueAuthentication])
    func outOfTurn(_ code: ReasonCode) async throws {
        let client = try self.makeClient()
        async let connected = client.connect()
        let connection = try await self.server.acceptAgain()
        _ = try await connected
        async let end = failure { try await client.waitUntilStopped() }
        try connection.send(Self.auth(code))
        #expect(try await connection.receiveDisconnect() == .protocolError)
        #expect(try await end.code == .protocolViolation)
    }

    @Test("Enhanced authentication is refused before 5.0, and a client that uses it never falls back [MQTT-4.12.0-1]")
    func olderVersion() async throws {
        var configuration = MQTTConfiguration()
        configuration.enhancedAuthentication = .init(method: "M", authenticator: Authenticator())
        configuration.connection.version = .exactly(.v3_1_1)
        #expect(throws: MQTTError.self) { try MQTTClient(configuration) }

        let client = try self.makeClient()
        async let error = failure { try await client.connect() }
        let connection = try await self.server.accept()
        #expect(try await connection.receiveConnect().version == .v5_0)
        connection.close()
        #expect(try await error.code == .connectionFailed)
    }

    @Test("Credentials that never arrive time the attempt out, and do not hold up a disconnect")
    func slowCredentials() async throws {
        let clock = TestClock()
        let client = try self.server.makeClient(clock: clock) { configuration in
            configuration.credentials = .provider {
                await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
                return .init()
            }
        }
        async let error = failure { try await client.connect() }
        try await clock.advanceToSleeper(within: client.configuration.connection.handshakeTimeout)
        #expect(try await error.code == .authenticationFailed)

        async let second = failure { try await client.connect(retrying: true) }
        try await client.wait(for: .connecting)
        await client.disconnect()
        #expect(try await second.code == .clientStopped)
    }
}
