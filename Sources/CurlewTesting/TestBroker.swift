public import Curlew
public import CurlewBroker
public import Logging
import Synchronization

/// Runs a broker on a free port of this machine while `body` runs.
///
/// ```swift
/// try await withBroker { broker in
///     let device = try await broker.connectedClient()
///     let app = try await broker.connectedClient()
///     …
/// }
/// ```
///
/// - Parameters:
///   - logger: Where the broker logs to. Default: it logs nothing.
///   - configure: Changes the broker's configuration, which already has a listener on 127.0.0.1 and any free port.
///     Default: no changes.
///   - body: Uses the broker. Afterwards, all clients that the broker created are disconnected.
/// - Throws: What `body` throws, or `MQTTBrokerError` if the broker cannot start.
public func withBroker<Result>(
    logger: Logger? = nil, _ configure: (inout MQTTBrokerConfiguration) -> Void = { _ in },
    _ body: (TestBroker) async throws -> Result
) async throws -> Result {
    var configuration = MQTTBrokerConfiguration(listeners: [.tcp(port: 0)])
    configuration.systemTopicInterval = .zero
    configure(&configuration)
    let broker = TestBroker(MQTTBroker(configuration, logger: logger))
    try await broker.broker.start()
    do {
        let result = try await body(broker)
        await broker.stop()
        return result
    } catch {
        await broker.stop()
        throw error
    }
}

/// A broker that runs for one test.
public final class TestBroker: Sendable {
    /// The broker itself.
    public let broker: MQTTBroker
    /// Guards the created clients.
    private let clients = Mutex<[MQTTClient]>([])

    init(_ broker: MQTTBroker) { self.broker = broker }

    /// The address of the broker's first listener.
    public var server: MQTTConfiguration.Server {
        get async {
            guard let listener = await self.broker.listeners.first,
                var server = try? MQTTConfiguration(url: listener.url).servers.first
            else { return .mqtt("127.0.0.1", port: 0) }
            // It may listen on all addresses.
            if server.scheme != .unix { server.host = "127.0.0.1" }
            return server
        }
    }

    /// Creates a client and connects it to the broker.
    ///
    /// - Parameter configure: Changes the client's configuration, whose server is already the broker. Default: no
    ///   changes.
    /// - Throws: `MQTTError` if the configuration is not valid or the broker refuses the client.
    public func connectedClient(
        _ configure: (inout MQTTConfiguration) -> Void = { _ in }
    ) async throws -> MQTTClient {
        var configuration = MQTTConfiguration(server: await self.server)
        configure(&configuration)
        let client = try MQTTClient(configuration)
        self.clients.withLock { $0.append(client) }
        try await client.connect()
        return client
    }

    fileprivate func stop() async {
        for client in self.clients.withLock({ $0 }) { await client.disconnect() }
        await self.broker.stop()
    }
}
