import Curlew
import MosquittoFixture

extension Mosquitto {
    /// A client configuration for one of its listeners.
    func configuration(_ setup: Setup) throws -> MQTTConfiguration {
        let port = try self.port(setup.listener)
        let server: MQTTConfiguration.Server =
            switch setup.listener {
            case .webSocket: .ws("127.0.0.1", port: port)
            case .secureWebSocket: .wss("127.0.0.1", port: port)
            case .unix: .unix(path: self.socketFile)
            case let listener: listener.isSecure ? .mqtts("127.0.0.1", port: port) : .mqtt("127.0.0.1", port: port)
            }
        var configuration = MQTTConfiguration(server: server)
        configuration.connection.version = .exactly(setup.version)
        configuration.tls.trustRoots = .file("\(Peers.certificates)/ca.pem")
        if setup.listener == .secureWebSocket {
            configuration.tls.clientCertificate = .init(
                chain: .file("\(Peers.certificates)/client.pem"), key: .file("\(Peers.certificates)/client.key.pem"))
        }
        configuration.reconnect.initialDelay = .milliseconds(50)
        configuration.reconnect.maximumDelay = .milliseconds(200)
        configuration.reconnect.minimumDelay = .milliseconds(10)
        return configuration
    }

    /// Makes a client without connecting it; it is disconnected at the end of the test.
    func client(_ setup: Setup, _ change: (inout MQTTConfiguration) -> Void = { _ in }) throws -> MQTTClient {
        var configuration = try self.configuration(setup)
        change(&configuration)
        let client = try MQTTClient(configuration)
        self.atEnd { await client.disconnect(drain: .zero) }
        return client
    }

    /// Makes a client and connects it.
    func connect(_ setup: Setup, _ change: (inout MQTTConfiguration) -> Void = { _ in }) async throws -> MQTTClient {
        let client = try self.client(setup, change)
        try await client.connect()
        return client
    }

    /// Runs `test` while a client responds to requests on `filter`; waits for its subscription first.
    func answering(
        _ filter: String, _ setup: Setup, repliesTo suffix: String? = nil,
        _ handler: @escaping @Sendable (MQTTMessage) async throws -> some MQTTPayload,
        during test: () async throws -> Void
    ) async throws {
        let responder = try await self.connect(setup) { $0.clientIdentifier = .generated(prefix: "answers") }
        let answering = Task {
            try await responder.respond(
                to: filter, replyTopic: { message in suffix.map { "\(message.topic)\($0)" } }, handler: handler)
        }
        try await self.subscribed("answers")
        do {
            try await test()
        } catch {
            answering.cancel()
            throw error
        }
        answering.cancel()
        try await answering.value
    }
}
