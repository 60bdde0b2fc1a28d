public import Curlew
public import CurlewBroker
import Synchronization

/// Runs a broker on a free port of this machine for as long as `body` takes.
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
///   - configure: Changes the broker's configuration; its listener, on 127.0.0.1 and any free port, is there already.
///   - body: What is done with the broker. All clients that it makes are disconnected at the end.
/// - Throws: What `body` throws, or `MQTTBrokerError` when the broker does not start.
public func withBroker<Result>(
    _ configure: (inout MQTTBrokerConfiguration) -> Void = { _ in },
    _ body: (TestBroker) async throws -> Result
) async throws -> Result {
    var configuration = MQTTBrokerConfiguration(listeners: [.tcp(port: 0)])
    configuration.systemTopicInterval = .zero
    configure(&configuration)
    let broker = TestBroker(MQTTBroker(configuration))
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

/// A broker for the length of a test.
public final class TestBroker: Sendable {
    /// The broker, to publish, to subscribe and to see what it has.
    public let broker: MQTTBroker
    /// Guards the clients made here.
    private let clients = Mutex<[MQTTClient]>([])

    init(_ broker: MQTTBroker) { self.broker = broker }

    /// Where it listens.
    public var server: MQTTConfiguration.Server {
        get async { .mqtt("127.0.0.1", port: await self.broker.listeners.first?.port ?? 0) }
    }

    /// Makes a client that is connected to the broker.
    ///
    /// - Parameter configure: Changes the client's configuration, whose server is the broker already.
    /// - Throws: `MQTTError` when the broker refuses it.
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
