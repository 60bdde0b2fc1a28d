import Curlew
import CurlewBroker
import CurlewTesting
import Foundation
import Testing

@Suite("TLS of client and broker together", .timeLimit(.minutes(1)))
struct ClientTLSTests {
    private static let fixtures =
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "CurlewTransportTests/Fixtures")

    private static func path(_ name: String) -> String { self.fixtures.appending(path: name).path }

    private static func identity(_ name: String) -> TLSSettings.Identity {
        .init(chain: .file(self.path("\(name).pem")), key: .file(self.path("\(name).key.pem")))
    }

    /// Runs a broker with the certificate `server`, and passes its port.
    private func withBroker(
        _ change: (inout MQTTBrokerConfiguration.TLS) -> Void, _ body: (MQTTBroker, Int) async throws -> Void
    ) async throws {
        var tls = MQTTBrokerConfiguration.TLS(certificate: Self.identity("server"))
        change(&tls)
        let broker = MQTTBroker(MQTTBrokerConfiguration(listeners: [.tcp(port: 0, tls: tls)]))
        try await broker.start()
        do { try await body(broker, broker.listeners[0].port) } catch {
            await broker.stop()
            throw error
        }
        await broker.stop()
    }

    private func configuration(port: Int, _ identity: TLSSettings.Identity?) -> MQTTConfiguration {
        var configuration = MQTTConfiguration(server: .mqtts("localhost", port: port))
        configuration.tls.trustRoots = .file(Self.path("ca.pem"))
        configuration.tls.clientCertificate = identity
        configuration.reconnect.minimumDelay = .milliseconds(1)
        configuration.reconnect.initialDelay = .milliseconds(10)
        configuration.reconnect.maximumDelay = .milliseconds(10)
        return configuration
    }

    @Test("A client connects with a PKCS#12 bundle, and knows the application protocol of the connection")
    func bundle() async throws {
        try await self.withBroker {
            $0.clientTrustRoots = .file(Self.path("ca.pem"))
            $0.applicationProtocols = ["mqtt"]
        } _: { _, port in
            var configuration = self.configuration(
                port: port, .pkcs12(.file(Self.path("client.p12")), passphrase: "curlew"))
            configuration.tls.applicationProtocols = ["other", "mqtt"]
            let client = try MQTTClient(configuration)
            #expect(client.applicationProtocol == nil)
            try await client.connect()
            #expect(client.applicationProtocol == "mqtt")
            await client.disconnect()
            #expect(client.applicationProtocol == nil)
        }
    }

    @Test("A client whose certificate is renewed connects again by itself")
    func renewal() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (chain, key) = (folder.appending(path: "chain.pem"), folder.appending(path: "key.pem"))
        func install(_ name: String) throws {
            try Data(contentsOf: Self.fixtures.appending(path: "\(name).pem")).write(to: chain, options: .atomic)
            try Data(contentsOf: Self.fixtures.appending(path: "\(name).key.pem")).write(to: key, options: .atomic)
        }
        try install("expired")
        try await self.withBroker {
            $0.clientTrustRoots = .file(Self.path("ca.pem"))
        } _: { _, port in
            let client = try MQTTClient(
                self.configuration(port: port, .init(chain: .file(chain.path), key: .file(key.path))))
            let events = client.events
            async let connected = client.connect(retrying: true)
            for await event in events {
                guard case .reconnecting(_, _, let error) = event else { continue }
                let cause = error.cause as? TransportError
                #expect(cause?.code == .clientCertificateExpired, "\(error)")
                break
            }
            try install("client")
            _ = try await connected
            await client.disconnect()
        }
    }
}
