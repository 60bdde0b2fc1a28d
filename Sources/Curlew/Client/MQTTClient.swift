public import CurlewCore
public import Logging

/// An MQTT client: one connection to a broker, kept up from ``connect(retrying:)`` to ``disconnect(drain:sessionExpiry:)``, and
/// usable from any task and thread.
///
/// ```swift
/// let client = try MQTTClient("mqtt://localhost")
/// try await client.connect()
/// try await client.publish("21.5", to: "home/kitchen/temperature", qos: .atLeastOnce)
/// ```
///
/// A `publish` at QoS 1 or 2 returns when the broker has acknowledged the message; if it throws, the error says whether the
/// message was sent. The client reconnects automatically; subscriptions and unacknowledged messages survive. A connected client
/// stays connected until it is disconnected, even if no reference to it remains: see
/// ``withConnection(_:logger:_:)-(String,_,_)`` for a connection that ends with a block.
///
/// Public async functions throw ``MQTTError`` and nothing else, except for what closures of the caller throw.
public final class MQTTClient: Sendable {
    let engine: ClientEngine

    /// Makes a client for the broker that a URL names: `mqtt://[user[:password]@]host[:port]`, or `mqtts://` for TLS. Nothing
    /// is sent before ``connect(retrying:)``.
    ///
    /// - Parameters:
    ///   - url: The URL of the broker.
    ///   - logger: Where to log to. Default: a logger that logs nothing.
    /// - Throws: ``MQTTError`` with code `invalidURL` or `invalidConfiguration`.
    public convenience init(_ url: String, logger: Logger? = nil) throws(MQTTError) {
        try self.init(MQTTConfiguration(url: url), logger: logger)
    }

    /// Makes a client. Nothing is sent before ``connect(retrying:)``.
    ///
    /// - Parameters:
    ///   - configuration: To which servers to connect, and how.
    ///   - logger: Where to log to. Default: a logger that logs nothing.
    /// - Throws: ``MQTTError`` with code `invalidConfiguration` that names the value that cannot work.
    public init(_ configuration: MQTTConfiguration, logger: Logger? = nil) throws(MQTTError) {
        self.engine = try ClientEngine(configuration, logger: logger)
    }

    /// The configuration that the client was made with.
    public var configuration: MQTTConfiguration { self.engine.configuration }

    /// Runs tasks on the thread on which the client's messages arrive: a task that starts with
    /// `Task(executorPreference: client.executor)` receives, requests and replies without a change of thread. It must not block.
    public var executor: any TaskExecutor { self.engine.executor }

    /// Where the client stands now.
    public var state: MQTTState {
        switch self.engine.status {
        case .disconnected: .disconnected
        case .connecting: .connecting
        case .connected: .connected
        case .reconnecting: .reconnecting
        case .disconnecting: .disconnecting
        }
    }

    /// The limits that the broker announced in CONNACK; `nil` while there is no connection.
    public var serverLimits: ServerLimits? { self.engine.serverLimits }

    /// The protocol version of the connection; `nil` while there is none.
    public var protocolVersion: ProtocolVersion? { self.engine.protocolVersion }

    /// The client identifier in use; empty before the broker has assigned one.
    public var clientIdentifier: String { self.engine.clientIdentifier }

    /// Counts of what was done and of what is left to do, as they are now.
    public var statistics: MQTTStatistics { self.engine.statistics }

    /// What happens to the connection from now on. Each caller has a buffer of its own (`limits.bufferedEvents`, 256 by
    /// default), which drops its oldest events when nobody reads.
    public var events: some AsyncSequence<MQTTEvent, Never> { self.engine.events.listen() }
}
