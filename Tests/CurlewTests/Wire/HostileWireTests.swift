import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@Suite("Servers that violate the protocol", .bounded)
struct HostileWireTests {
    /// Bytes after a valid CONNACK, and the reason code with which the client must answer.
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let bytes: [UInt8]
        let code: ReasonCode

        init(_ description: String, _ bytes: [UInt8], _ code: ReasonCode) {
            self.testDescription = description
            self.bytes = bytes
            self.code = code
        }
    }

    static let cases: [Case] = [
        Case(
            "a remaining length of five bytes", [0x30, 0x80, 0x80, 0x80, 0x80, 0x01], .malformedPacket),
        Case("a size over the limit", [0x30, 0xFF, 0xFF, 0xFF, 0x7F], .packetTooLarge),
        Case("invalid UTF-8 [MQTT-1.5.4-1]", [0x30, 4, 0, 1, 0xFF, 0], .malformedPacket),
        Case("a null character [MQTT-1.5.4-2]", [0x30, 4, 0, 1, 0x00, 0], .malformedPacket),
        Case(
            "a duplicate property", [0x30, 8, 0, 1, 0x74, 4, 0x01, 0, 0x01, 0], .protocolError),
        Case("a reserved flag [MQTT-2.1.3-1]", [0x41, 2, 0, 1], .malformedPacket),
        Case("QoS 3 [MQTT-3.3.1-4]", [0x36, 6, 0, 1, 0x74, 0, 1, 0], .malformedPacket),
        Case("a wildcard in a topic [MQTT-3.3.2-2]", [0x30, 4, 0, 1, 0x23, 0], .malformedPacket),
        Case("a topic alias of 0 [MQTT-3.3.2-8]", [0x30, 7, 0, 1, 0x74, 3, 0x23, 0, 0], .topicAliasInvalid),
        Case(
            "a topic alias beyond the maximum", [0x30, 7, 0, 1, 0x74, 3, 0x23, 0, 200],
            .topicAliasInvalid),
        Case("a topic alias that was never set", [0x30, 6, 0, 0, 3, 0x23, 0, 5], .protocolError),
        Case("a second CONNACK", [0x20, 3, 0, 0, 0], .protocolError),
        Case("a packet that only clients send", [0xC0, 0], .protocolError),
        Case("packet type 0", [0x00, 0], .malformedPacket),
        Case("a packet identifier of 0", [0x40, 2, 0, 0], .protocolError),
        Case("AUTH that nobody asked for", [0xF0, 0], .protocolError),
        Case(
            "a QoS 2 message released before it was received", [0x34, 6, 0, 1, 0x74, 0, 5, 0, 0x62, 2, 0, 5],
            .protocolError),
    ]

    @Test(
        """
        A DISCONNECT with the right reason code is the last packet, and the connection is closed [MQTT-3.14.4-1] \
        [MQTT-3.14.4-2] [MQTT-4.13.2-1]
        """, arguments: Self.cases)
    func violation(_ violation: Case) async throws {
        let server = ScriptedServer(patience: .seconds(60))
        let (client, connection) = try await server.connectedClient { configuration in
            configuration.session.maximumPacketSize = 1000
            configuration.session.topicAliasMaximum = 10
            configuration.reconnect = .disabled
        }
        let subscription = try await connection.subscribe(client, to: "t")
        async let end = failure { try await client.waitUntilStopped() }
        connection.send(bytes: violation.bytes)
        #expect(try await connection.receiveDisconnect() == violation.code)
        try await connection.expectClosed()
        #expect(try await end.code == .protocolViolation)
        _ = subscription
    }

    @Test(
        "DISCONNECT contains no properties that could exceed the server's maximum packet size [MQTT-3.14.2-3] [MQTT-3.14.2-4]"
    )
    func smallDisconnect() async throws {
        let server = ScriptedServer(patience: .seconds(60))
        let (_, connection) = try await server.connectedClient(properties: [.maximumPacketSize(4)]) {
            $0.reconnect = .disabled
        }
        connection.send(bytes: [0x00, 0])
        try await connection.expect(.disconnect(Disconnect(reasonCode: .malformedPacket)))
    }

    @Test("Valid packets before malformed bytes of the same read are processed")
    func goodBeforeBad() async throws {
        let server = ScriptedServer(patience: .seconds(60))
        let (client, connection) = try await server.connectedClient { $0.reconnectAtOnce() }
        let subscription = try await connection.subscribe(client, to: "t")
        connection.send(bytes: [0x30, 5, 0, 1, 0x74, 0, 0x78, 0x00, 0])
        #expect(try await connection.receiveDisconnect() == .malformedPacket)
        var iterator = subscription.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "x")
        try await server.acceptAgain()
    }

    @Test("A packet after DISCONNECT in the same read is ignored")
    func packetAfterDisconnect() async throws {
        let server = ScriptedServer(patience: .seconds(60))
        let (client, connection) = try await server.connectedClient { $0.reconnect = .disabled }
        let subscription = try await connection.subscribe(client, to: "t")
        async let end = failure { try await client.waitUntilStopped() }
        try connection.send(
            .publish(Publish("before", "t")), .disconnect(Disconnect(reasonCode: .serverShuttingDown)),
            .publish(Publish("after", "t")))
        let error = try await end
        #expect(error.code == .disconnectedByServer)
        #expect(error.reasonCode == .serverShuttingDown)
        try await connection.expectClosed()
        #expect(client.statistics.messagesReceived == 1)
        _ = subscription
    }

    @Test("Packets that arrive byte by byte are decoded")
    func drip() async throws {
        let server = ScriptedServer(patience: .seconds(60))
        let (client, connection) = try await server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t")
        var bytes = ByteBuffer()
        for text in ["a", "b", "c"] {
            try Packet.publish(Publish(text, "t", id: 5)).encode(into: &bytes, version: .v5_0)
        }
        for byte in bytes.readableBytesView { connection.send(bytes: [byte]) }
        var iterator = subscription.makeAsyncIterator()
        for text in ["a", "b", "c"] { #expect(try await iterator.next()?.text == text) }
        _ = client
    }

    @Test(
        "A malformed CONNACK ends the attempt",
        arguments: [
            [0x20, 2, 0, 0], [0x20, 3, 2, 0, 0], [0x20, 3, 1, 0x87, 0], [0x30, 0x80, 0x80, 0x80, 0x80, 0x01],
        ] as [[UInt8]])
    func badConnack(bytes: [UInt8]) async throws {
        let server = ScriptedServer(patience: .seconds(60))
        let client = try server.makeClient { $0.connection.version = .exactly(.v5_0) }
        async let error = failure { try await client.connect() }
        let connection = try await server.accept()
        _ = try await connection.receiveConnect()
        connection.send(bytes: bytes)
        #expect(try await error.code == .protocolViolation)
        try await connection.expectClosed()
    }
}
