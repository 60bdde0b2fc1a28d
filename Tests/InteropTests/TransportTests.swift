import Curlew
import MosquittoFixture
import NIOCore
import Testing

@Suite(
    "Other transports to a broker",
    .enabled(if: !BrokerProgram.available.isEmpty, "mosquitto is not installed; scripts/test installs it"),
    .timeLimit(.minutes(5)))
struct TransportTests {
    private static let setups = BrokerProgram.available.flatMap { broker in
        [Mosquitto.Listener.webSocket, .secureWebSocket, .unix].flatMap { listener in
            ProtocolVersion.allCases.map { Setup(broker: broker, listener: listener, version: $0) }
        }
    }

    @Test(
        "Messages of all sizes arrive over WebSocket and Unix domain sockets [MQTT-6.0.0-1] [MQTT-6.0.0-2]",
        arguments: Self.setups)
    func messages(_ setup: Setup) async throws {
        try await Mosquitto.run(.init(listeners: [.tcp, setup.listener]), on: setup.broker) { broker in
            let client = try await broker.connect(setup)
            let inbox = Inbox(try await client.subscribe(to: "t", options: .init(qos: .exactlyOnce)))
            for (qos, size) in [(QoS.atMostOnce, 10), (.atLeastOnce, 70_000), (.exactlyOnce, 900_000)] {
                let payload = ByteBuffer(repeating: UInt8(size % 251), count: size)
                try await client.publish(payload, to: "t", qos: qos)
                let message = try await inbox.next()
                #expect(message.payload == payload && message.qos == qos)
            }
        }
    }

    @Test(
        "A client says what is wrong if it connects to the port of another transport",
        arguments: BrokerProgram.available)
    func confusedPorts(_ program: BrokerProgram) async throws {
        try await Mosquitto.run(.init(listeners: [.tcp, .tls, .webSocket]), on: program) { broker in
            let (tcp, tls, webSocket) = (try broker.port(.tcp), try broker.port(.tls), try broker.port(.webSocket))
            func message(_ server: MQTTConfiguration.Server) async throws -> String {
                var configuration = MQTTConfiguration(server: server)
                configuration.reconnect.isEnabled = false
                configuration.connection.handshakeTimeout = .seconds(20)
                let client = try MQTTClient(configuration)
                return try await errorOf { try await client.connect() }.message
            }
            let toMQTT = try await message(.ws("127.0.0.1", port: tcp))
            #expect(toMQTT.contains("WebSocket"), "\(toMQTT)")
            let toTLS = try await message(.ws("127.0.0.1", port: tls))
            #expect(toTLS.contains("wss://") || toTLS.contains("TLS"), "\(toTLS)")
            let toWebSocket = try await message(.mqtt("127.0.0.1", port: webSocket))
            #expect(toWebSocket.contains("WebSocket"), "\(toWebSocket)")
            let plain = try await message(.wss("127.0.0.1", port: webSocket))
            #expect(plain.contains("TLS"), "\(plain)")
        }
    }
}
