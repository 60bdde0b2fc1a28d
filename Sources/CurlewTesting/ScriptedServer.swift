public import Curlew
import CurlewTransport
import NIOCore

/// A server for tests that does what the test says and nothing else, in the test's own process: no socket, no port.
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
/// Each wait ends with a ``ScriptError`` when nothing comes, so that a test fails rather than hangs.
public final class ScriptedServer: Sendable {
    /// Where the server can be reached, by clients that ``connect(_:clock:)`` has configured.
    public let addresses: [MQTTConfiguration.Server]
    /// How long any wait may take, in real time.
    public let patience: Duration

    private let network: InMemoryNetwork
    private let eventLoop: any EventLoop
    private let accepted = Watched<[ScriptedConnection]>([])

    /// Makes a server that accepts connections.
    ///
    /// - Parameters:
    ///   - addresses: Where it can be reached; several of them play several servers. Default: one address.
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

    /// Accepts connections to one of the addresses, or to another, from now on.
    public func startListening(at address: MQTTConfiguration.Server) {
        self.network.listen(at: Endpoint(address), on: self.eventLoop) { [accepted, patience] link in
            let connection = ScriptedConnection(link, to: address, patience: patience)
            accepted.change { $0.append(connection) }
            return connection.makeHandler()
        }
    }

    /// Refuses connections to one of the addresses from now on; those that are there stay.
    public func stopListening(at address: MQTTConfiguration.Server) {
        self.network.stopListening(at: Endpoint(address))
    }

    /// The next connection that a client opens, or has opened; CONNECT is still to be read from it.
    ///
    /// - Throws: ``ScriptError`` when none comes.
    public func accept() async throws -> ScriptedConnection {
        try await self.accepted.wait(for: "a connection", within: self.patience) { connections in
            connections.isEmpty ? nil : connections.removeFirst()
        }
    }

    /// How many connections have been opened that were not yet taken with ``accept()``.
    public var waitingCount: Int { self.accepted.change { $0.count } }

    // MARK: Clients

    /// Has clients of this configuration connect to this server.
    ///
    /// - Parameters:
    ///   - configuration: Gets this server's addresses.
    ///   - clock: What the client's waits go by. Default: `nil`, real time.
    public func connect(_ configuration: inout MQTTConfiguration, clock: TestClock? = nil) {
        configuration.servers = self.addresses
        configuration.connectorOverride = self.network
        if let clock { configuration.clock = MonotonicClock(clock) }
    }

    /// Makes a client of this server that is not connected yet.
    ///
    /// - Parameters:
    ///   - clock: What the client's waits go by. Default: `nil`, real time.
    ///   - configure: Changes the configuration. Default: all defaults.
    /// - Throws: ``MQTTError`` when the configuration cannot work.
    public func makeClient(
        clock: TestClock? = nil, _ configure: (inout MQTTConfiguration) -> Void = { _ in }
    ) throws(MQTTError) -> MQTTClient {
        var configuration = MQTTConfiguration()
        self.connect(&configuration, clock: clock)
        configure(&configuration)
        return try MQTTClient(configuration)
    }

    /// Makes a client and connects it.
    ///
    /// - Parameters:
    ///   - clock: What the client's waits go by. Default: `nil`, real time.
    ///   - configure: Changes the configuration. Default: all defaults.
    /// - Returns: The client, and this end of its connection.
    /// - Throws: ``MQTTError`` when the configuration cannot work.
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
