import Curlew
import CurlewBroker
import CurlewTesting
import MosquittoFixture
import Synchronization
import Testing

/// A program that the examples use as their broker.
enum ExampleBroker: CaseIterable, CustomTestStringConvertible {
    /// Curlew's broker in this process.
    case curlew
    case mosquitto

    /// Curlew's broker, and mosquitto if it is installed.
    static let available = Self.allCases.filter { $0 == .curlew || Peers.haveMosquitto }

    var testDescription: String { "\(self)" }

    /// Runs a broker with one listener on a free port while `test` runs. Afterwards, the clients that it made are
    /// disconnected.
    func run(_ listener: Mosquitto.Listener = .tcp, _ test: (RunningBroker) async throws -> Void) async throws {
        switch self {
        case .curlew:
            try await withBroker {
                $0.listeners = [Self.listener(listener)]
            } _: { broker in
                let port = await broker.server.port
                try await Self.run(
                    test,
                    RunningBroker(listener, port) {
                        for client in broker.broker.clients {
                            broker.broker.disconnect(client.identifier, reason: .serverShuttingDown)
                        }
                    })
            }
        case .mosquitto:
            try await Mosquitto.run(.init(listeners: [listener])) { broker in
                let running = RunningBroker(listener, try broker.port(listener)) {
                    try await broker.stop()
                    try await broker.startAgain()
                }
                try await Self.run(test, running)
            }
        }
    }

    private static func run(_ test: (RunningBroker) async throws -> Void, _ broker: RunningBroker) async throws {
        do { try await test(broker) } catch {
            await broker.disconnectAll()
            throw error
        }
        await broker.disconnectAll()
    }

    private static func listener(_ listener: Mosquitto.Listener) -> MQTTBrokerConfiguration.Listener {
        guard listener.isSecure else { return .tcp(port: 0) }
        var tls = MQTTBrokerConfiguration.TLS(certificate: Certificates.identity("server"))
        if listener == .mutualTLS {
            tls.clientTrustRoots = .file(Certificates.authority)
            tls.requiresClientCertificate = true
        }
        return .tcp(port: 0, tls: tls)
    }
}

/// The keys and certificates of the transport's tests.
enum Certificates {
    static let authority = "\(Peers.certificates)/ca.pem"
    static func certificate(_ name: String) -> String { "\(Peers.certificates)/\(name).pem" }
    static func key(_ name: String) -> String { "\(Peers.certificates)/\(name).key.pem" }
    static func identity(_ name: String) -> TLSSettings.Identity {
        .init(chain: .file(self.certificate(name)), key: .file(self.key(name)))
    }
}

/// A broker that runs for one test.
final class RunningBroker: Sendable {
    let port: Int
    private let isSecure: Bool
    private let interruption: @Sendable () async throws -> Void
    /// Guards the clients to disconnect at the end.
    private let clients = Mutex<[MQTTClient]>([])

    init(
        _ listener: Mosquitto.Listener, _ port: Int,
        interruption: @escaping @Sendable () async throws -> Void
    ) {
        self.port = port
        self.isSecure = listener.isSecure
        self.interruption = interruption
    }

    var url: String { "\(self.isSecure ? "mqtts" : "mqtt")://127.0.0.1:\(self.port)" }

    /// Ends all connections; clients can connect again immediately.
    func interrupt() async throws { try await self.interruption() }

    /// Makes a connected client, for the other side of an example. It trusts the broker's certificate, and has one of
    /// its own.
    func connectedClient(_ configure: (inout MQTTConfiguration) -> Void = { _ in }) async throws -> MQTTClient {
        var configuration = try MQTTConfiguration(url: self.url)
        if self.isSecure {
            configuration.tls.trustRoots = .file(Certificates.authority)
            configuration.tls.clientCertificate = Certificates.identity("client")
        }
        configure(&configuration)
        let client = try MQTTClient(configuration)
        self.clients.withLock { $0.append(client) }
        try await client.connect()
        return client
    }

    func disconnectAll() async {
        for client in self.clients.withLock({ $0 }) { await client.disconnect(drain: .zero) }
    }
}
