import Curlew
import CurlewBroker
import CurlewTesting
import Foundation
import Testing

/// What carries the connections between client and broker: nothing above may notice a difference.
private enum Carrier: String, CaseIterable, CustomTestStringConvertible {
    case tcp = "TCP"
    case tls = "TLS"
    case mutualTLS = "mutual TLS"
    case webSocket = "WebSocket"
    case secureWebSocket = "WebSocket over TLS"
    case unix = "Unix domain socket"

    var testDescription: String { self.rawValue }

    private var isSecure: Bool { self != .tcp && self != .webSocket && self != .unix }

    private static let fixtures =
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "CurlewTransportTests/Fixtures").path

    private static func identity(_ name: String) -> TLSSettings.Identity {
        .init(chain: .file("\(self.fixtures)/\(name).pem"), key: .file("\(self.fixtures)/\(name).key.pem"))
    }

    private var tls: MQTTBrokerConfiguration.TLS? {
        guard self.isSecure else { return nil }
        var tls = MQTTBrokerConfiguration.TLS(certificate: Self.identity("server"))
        if self == .mutualTLS { tls.clientTrustRoots = .file("\(Self.fixtures)/ca.pem") }
        return tls
    }

    func listener() -> MQTTBrokerConfiguration.Listener {
        switch self {
        case .tcp, .tls, .mutualTLS: .tcp(port: 0, tls: self.tls)
        case .webSocket, .secureWebSocket: .webSocket(port: 0, tls: self.tls)
        case .unix: .unix(path: "/tmp/curlew-\(UInt64.random(in: 0 ... .max)).sock")
        }
    }

    func configure(_ configuration: inout MQTTConfiguration) {
        guard self.isSecure else { return }
        configuration.tls.trustRoots = .file("\(Self.fixtures)/ca.pem")
        if self == .mutualTLS { configuration.tls.clientCertificate = Self.identity("client") }
    }
}

/// Refuses the user `stranger`.
private struct Doorkeeper: MQTTBrokerAuthenticator {
    func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision {
        attempt.client.username == "stranger" ? .deny(.notAuthorized) : .allow
    }
}

@Suite("Every transport carries everything", .timeLimit(.minutes(2)))
struct TransportMatrixTests {
    private func withBroker(
        _ carrier: Carrier, _ version: ProtocolVersion,
        _ body: (TestBroker, _ client: (_ configure: (inout MQTTConfiguration) -> Void) async throws -> MQTTClient)
            async throws -> Void
    ) async throws {
        try await CurlewTesting.withBroker {
            $0.listeners = [carrier.listener()]
            $0.authenticators = [Doorkeeper()]
            $0.limits.maximumPacketSize = 4 << 20
        } _: { broker in
            try await body(broker) { configure in
                try await broker.connectedClient {
                    carrier.configure(&$0)
                    $0.connection.version = .exactly(version)
                    $0.reconnect.initialDelay = .milliseconds(1)
                    configure(&$0)
                }
            }
        }
    }

    @Test(
        "Messages arrive at each QoS, also one of 1 MiB",
        arguments: Carrier.allCases, [ProtocolVersion.v3_1, .v3_1_1, .v5_0])
    fileprivate func messages(carrier: Carrier, version: ProtocolVersion) async throws {
        try await self.withBroker(carrier, version) { _, client in
            let subscriber = try await client { _ in }
            let publisher = try await client { _ in }
            let subscription = try await subscriber.subscribe(
                to: "a/+", options: SubscriptionOptions(qos: .exactlyOnce))
            for qos in [QoS.atMostOnce, .atLeastOnce, .exactlyOnce] {
                for size in qos == .atMostOnce ? [0, 1, 200, 70_000] : [65_600, 1 << 20] {
                    let payload = ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) })
                    try await publisher.publish(payload, to: "a/\(size)", qos: qos)
                    let message = try await subscription.next(within: .seconds(60))
                    #expect(message?.topic.string == "a/\(size)" && message?.qos == qos)
                    #expect(message?.payload == payload)
                }
            }
        }
    }

    @Test(
        "A will is published, and a client that was disconnected comes back",
        arguments: Carrier.allCases, [ProtocolVersion.v3_1, .v3_1_1, .v5_0])
    fileprivate func reconnecting(carrier: Carrier, version: ProtocolVersion) async throws {
        try await self.withBroker(carrier, version) { broker, client in
            let observer = try await client { _ in }
            let wills = try await observer.subscribe(to: "will", options: SubscriptionOptions(qos: .atLeastOnce))
            let device = try await client {
                $0.clientIdentifier = .given("device")
                $0.will = .init(topic: "will", payload: ByteBuffer(string: "gone"), qos: .atLeastOnce)
            }
            let commands = try await device.subscribe(to: "command", options: SubscriptionOptions(qos: .atLeastOnce))
            #expect(broker.broker.disconnect("device"))
            #expect(try await wills.next(within: .seconds(60))?.text == "gone")
            // It comes back, and restores its subscription.
            while device.statistics.reconnections == 0 { try await letOthersRun() }
            var answer: MQTTMessage?
            while answer == nil {
                try await observer.publish("on", to: "command", qos: .atLeastOnce)
                answer = try await commands.next(within: .milliseconds(200))
            }
            #expect(answer?.text == "on")
        }
    }

    @Test(
        "A refused client learns the reason", arguments: Carrier.allCases, [ProtocolVersion.v3_1, .v3_1_1, .v5_0])
    fileprivate func refused(carrier: Carrier, version: ProtocolVersion) async throws {
        try await self.withBroker(carrier, version) { _, client in
            let error = await #expect(throws: MQTTError.self) {
                _ = try await client { $0.credentials = .password(username: "stranger", password: "x") }
            }
            #expect(
                error?.code == .connectionRefused && error?.reasonCode == .notAuthorized, "\(String(describing: error))"
            )
        }
    }
}
