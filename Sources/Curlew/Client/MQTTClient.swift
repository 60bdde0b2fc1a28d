public import CurlewCore
public import Logging

/// An MQTT client, which maintains one connection to a broker.
///
/// ```swift
/// let client = try MQTTClient("mqtt://localhost")
/// try await client.connect()
/// try await client.publish("21.5", to: "home/kitchen/temperature", qos: .atLeastOnce)
/// ```
///
/// A `publish` at QoS 1 or 2 returns when the broker has acknowledged the message. If it throws, the error says whether
/// the message was sent. The client reconnects automatically, and keeps subscriptions and unacknowledged messages. It
/// stays connected until it is disconnected, even if no reference to it remains; to connect only for a block of code,
/// use `withConnection(_:logger:_:)`.
///
/// All methods can be called from any task and thread. Public async functions throw only ``MQTTError`` and what the
/// caller's closures throw.
public final class MQTTClient: Sendable {
    let engine: ClientEngine

    /// Creates a client for the broker with this URL. Does not connect: call ``connect(retrying:timeout:)``.
    ///
    /// - Parameters:
    ///   - url: The URL of the broker: `mqtt://[user[:password]@]host[:port]`, or `mqtts://` for TLS.
    ///   - logger: The logger to use. Default: a logger that logs nothing.
    /// - Throws: ``MQTTError`` with code `invalidURL` or `invalidConfiguration`.
    public convenience init(_ url: String, logger: Logger? = nil) throws(MQTTError) {
        try self.init(MQTTConfiguration(url: url), logger: logger)
    }

    /// Creates a client for the broker with this URL, with other settings. Does not connect: call
    /// ``connect(retrying:timeout:)``.
    ///
    /// ```swift
    /// let client = try MQTTClient("mqtts://broker.example.com") { $0.session.cleanStart = false }
    /// ```
    ///
    /// - Parameters:
    ///   - url: The URL of the broker.
    ///   - logger: The logger to use. Default: a logger that logs nothing.
    ///   - configure: Changes the configuration.
    /// - Throws: ``MQTTError`` with code `invalidURL` or `invalidConfiguration`.
    public convenience init(
        _ url: String, logger: Logger? = nil, configure: (inout MQTTConfiguration) -> Void
    ) throws(MQTTError) {
        var configuration = try MQTTConfiguration(url: url)
        configure(&configuration)
        try self.init(configuration, logger: logger)
    }

    /// Creates a client. Does not connect: call ``connect(retrying:timeout:)``.
    ///
    /// - Parameters:
    ///   - configuration: The brokers to connect to, and all settings.
    ///   - logger: The logger to use. Default: a logger that logs nothing.
    /// - Throws: ``MQTTError`` with code `invalidConfiguration`; the message names the invalid value.
    public init(_ configuration: MQTTConfiguration, logger: Logger? = nil) throws(MQTTError) {
        self.engine = try ClientEngine(configuration, logger: logger)
    }

    /// The configuration that the client was created with.
    public var configuration: MQTTConfiguration { self.engine.configuration }

    /// Runs tasks on the thread of the client's event loop.
    ///
    /// A task that starts with `Task(executorPreference: client.executor)` receives, requests and replies without
    /// thread switches. It must not block.
    public var executor: any TaskExecutor { self.engine.executor }

    /// The current state of the client.
    public var state: MQTTState {
        switch self.engine.status {
        case .disconnected: .disconnected
        case .connecting: .connecting
        case .connected: .connected
        case .reconnecting: .reconnecting
        case .disconnecting: .disconnecting
        }
    }

    /// Why there is no connection: the error that ended the last one, or with which the last attempt failed; `nil` while
    /// the client is connected, and before the first failure.
    public var connectionError: MQTTError? { self.engine.connectionError }

    /// The limits that the broker announced in CONNACK; `nil` while there is no connection.
    public var serverLimits: ServerLimits? { self.engine.serverLimits }

    /// The protocol version of the connection; `nil` while there is none.
    public var protocolVersion: ProtocolVersion? { self.engine.protocolVersion }

    /// The application protocol that client and broker agreed on in the TLS handshake (ALPN, RFC 7301); `nil` without
    /// TLS, if the broker chose none of ``TLSSettings/applicationProtocols``, and while there is no connection.
    public var applicationProtocol: String? { self.engine.applicationProtocol }

    /// The client identifier in use; empty before the broker has assigned one.
    public var clientIdentifier: String { self.engine.clientIdentifier }

    /// What a client holds and has counted.
    public typealias Statistics = MQTTClientStatistics

    /// The current counters of past and outstanding work.
    public var statistics: Statistics { self.engine.statistics }

    /// The events from now on.
    ///
    /// Each call returns a new sequence with its own buffer (`limits.bufferedEvents`, 256 by default), which drops the
    /// oldest events when it is full. It ends only with the client: after ``MQTTEvent/stopped(_:)``, another
    /// ``connect(retrying:timeout:)`` continues it.
    public var events: some AsyncSequence<MQTTEvent, Never> & Sendable { self.engine.events.listen() }
}
