public import Curlew
import CurlewTransport
import NIOCore

/// A server for tests, which does only what the test tells it. It runs in the test's process, without sockets or ports.
///
/// ```swift
/// let server = ScriptedServer()
/// let (client, connection) = try await server.connectedClient()
/// async let temperature = Thermometer(client).read()  // code under test, which makes a request
/// try await connection.grantSubscribe()
/// let request = try await connection.receivePublish()
/// try connection.publish("21.5", to: request.properties.responseTopic!, properties: request.properties)
/// #expect(try await temperature == 21.5)
/// ```
///
/// Every wait ends with a ``ScriptError`` if nothing arrives, so that a test fails instead of hanging.
public final class ScriptedServer: Sendable {
    /// The server's addresses, for clients that ``connect(_:clock:)`` has configured.
    public let addresses: [MQTTConfiguration.Server]
    /// How long any wait may take, in real time.
    public let patience: Duration

    private let network: InMemoryNetwork
    private let eventLoop: any EventLoop
    private let accepted = Watched<[ScriptedConnection]>([])

    /// Creates a server that accepts connections.
    ///
    /// - Parameters:
    ///   - addresses: The server's addresses; several of them simulate several servers. Default: one address.
    ///   - patience: How long any wait may take before it fails, in real time. Default: one minute.
    public convenience init(
        at addresses: [MQTTConfiguration.Server] = [.mqtt("scripted.test")], patience: Duration = .seconds(60)
    ) {
        self.init(at: addresses, patience: patience, network: InMemoryNetwork())
    }

    package init(at addresses: [MQTTConfiguration.Server], patience: Duration, network: InMemoryNetwork) {
        self.addresses = addresses
        self.patience = patience
        self.network = network
        self.eventLoop = EventLoops.shared.next()
        for address in addresses { self.startListening(at: address) }
    }

    /// Accepts connections to `address`, which may be a new one, from now on.
    public func startListening(at address: MQTTConfiguration.Server) {
        self.network.listen(at: Endpoint(address), on: self.eventLoop) { [accepted, patience] link in
            let connection = ScriptedConnection(link, to: address, patience: patience)
            accepted.change { $0.append(connection) }
            return connection.makeHandler()
        }
    }

    /// Refuses connections to `address` from now on; existing ones stay open.
    public func stopListening(at address: MQTTConfiguration.Server) {
        self.network.stopListening(at: Endpoint(address))
    }

    /// Returns the next connection that a client opens or has already opened. Its CONNECT has not been read.
    ///
    /// - Throws: ``ScriptError`` if no client connects in time.
    public func accept() async throws -> ScriptedConnection {
        try await self.accepted.wait(for: "a connection", within: self.patience) { connections in
            connections.isEmpty ? nil : connections.removeFirst()
        }
    }

    /// The number of connections that clients have opened and ``accept()`` has not returned yet.
    public var waitingCount: Int { self.accepted.change { $0.count } }

    // MARK: Clients

    /// Makes clients with this configuration connect to this server.
    ///
    /// - Parameters:
    ///   - configuration: Receives this server's addresses.
    ///   - clock: The clock for the client's timeouts. Default: `nil`, real time.
    public func connect(_ configuration: inout MQTTConfiguration, clock: TestClock? = nil) {
        configuration.servers = self.addresses
        configuration.connectorOverride = self.network
        if let clock { configuration.clock = MonotonicClock(clock) }
    }

    /// Creates a client for this server that is not connected yet.
    ///
    /// - Parameters:
    ///   - clock: The clock for the client's timeouts. Default: `nil`, real time.
    ///   - configure: Changes the configuration. Default: no changes.
    /// - Throws: `MQTTError` if the configuration is not valid.
    public func makeClient(
        clock: TestClock? = nil, _ configure: (inout MQTTConfiguration) -> Void = { _ in }
    ) throws(MQTTError) -> MQTTClient {
        var configuration = MQTTConfiguration()
        self.connect(&configuration, clock: clock)
        configure(&configuration)
        return try MQTTClient(configuration)
    }

    /// Creates a client and connects it.
    ///
    /// - Parameters:
    ///   - clock: The clock for the client's timeouts. Default: `nil`, real time.
    ///   - configure: Changes the configuration. Default: no changes.
    /// - Returns: The client, and the server's end of its connection.
    /// - Throws: `MQTTError` if the configuration is not valid or the client cannot connect; ``ScriptError`` if no
    ///   CONNECT arrives in time.
    public func connectedClient(
        clock: TestClock? = nil, _ configure: (inout MQTTConfiguration) -> Void = { _ in }
    ) async throws -> (client: MQTTClient, connection: ScriptedConnection) {
        let client = try self.makeClient(clock: clock, configure)
        async let connected = client.connect()
        let connection = try await self.accept()
        try await connection.acceptConnect()
        _ = try await connected
        return (client, connection)
    }
}

extension Endpoint {
    fileprivate init(_ address: MQTTConfiguration.Server) {
        self.init(host: address.host, port: address.port, security: .plain)
    }
}
