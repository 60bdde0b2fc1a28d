import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Synchronization

/// The implementation of ``MQTTClient``: passes packets between the session and the connection, and results to waiting
/// calls.
///
/// From `connect()` to `disconnect()`, the supervisor's task keeps the engine alive, even if no reference to the client
/// remains.
final class ClientEngine: Sendable {
    let configuration: MQTTConfiguration
    let publishDefaults: PublishDefaults
    let logger: Logger
    let connector: any Connector
    /// What connections share with the engine: event loop, clock and deadlines.
    let context: ConnectionContext
    let events: EventHub
    let meters = ClientMeters()
    /// Calls to devices that handle one call at a time.
    let turns = CallTurns()
    /// The name that calls to devices have as their source, unless the dialect has another one.
    let callerName = "curlew-" + String(UInt64.random(in: .min ... .max), radix: 36)
    /// Locked while a call or a read is processed; never while a continuation is resumed or user code runs.
    let state: Mutex<State>
    /// Whether any subscription is full, so that the connection must pause reading. Checked after each read.
    let holdsReading = Atomic(false)

    init(_ configuration: MQTTConfiguration, logger: Logger?) throws(MQTTError) {
        try configuration.validate()
        self.configuration = configuration
        self.publishDefaults = try PublishDefaults(configuration.publishing)
        self.context = ConnectionContext(configuration)
        self.events = EventHub(bufferSize: configuration.limits.bufferedEvents)
        var logger = logger ?? Logger(label: "curlew", factory: { _ in SwiftLogNoOpLogHandler() })
        var random = SystemRandomNumberGenerator()
        let identifier = configuration.clientIdentifier.firstIdentifier(using: &random)
        logger[metadataKey: "mqtt_client"] = "\(identifier)"
        self.logger = logger
        self.connector = try configuration.makeConnector { [logger] error in
            logger.warning(
                "changed TLS files cannot be used; keeping the previous ones", metadata: ["error": "\(error)"])
        }
        self.state = Mutex(State(configuration, clientIdentifier: identifier))
    }

    var clock: MonotonicClock { self.context.clock }
    var eventLoop: any EventLoop { self.context.eventLoop }
    var executor: EventLoopExecutor { self.context.executor }
    var deadlines: Deadlines { self.context.deadlines }

    // MARK: Queries

    var status: ClientLifecycle.Status { self.state.withLock { $0.life.lifecycle.status } }

    var connectionError: MQTTError? { self.state.withLock { $0.life.connectionError } }

    var serverLimits: ServerLimits? { self.state.withLock { $0.session.limits } }

    var protocolVersion: ProtocolVersion? { self.state.withLock { $0.session.version } }

    var applicationProtocol: String? { self.state.withLock { $0.connection.applicationProtocol } }

    var clientIdentifier: String { self.state.withLock { $0.life.clientIdentifier } }

    var statistics: MQTTClientStatistics {
        self.state.withLock { state in
            var statistics = state.tally.statistics
            statistics.inFlightPackets = state.session.inFlightCount
            (statistics.queuedMessages, statistics.queuedBytes) = state.session.queued
            statistics.unacknowledgedMessages = state.session.unacknowledgedCount
            statistics.unclaimedMessages = state.receivers.unclaimed.count
            statistics.messagesUnrouted += state.receivers.unclaimed.letGoCount
            statistics.unsentBytes = state.output.byteCount
            return statistics
        }
    }

    /// The error that ended the client, or `clientStopped` if it was disconnected.
    var stopped: MQTTError {
        self.state.withLock { $0.life.stopError } ?? MQTTError(.clientStopped, "The client was disconnected.")
    }

    /// Runs the closure that ``OutgoingBuffer/claimFlush()`` returned, on the event loop.
    func flush(_ flush: (@Sendable () -> Void)?) {
        if let flush { self.eventLoop.execute(flush) }
    }
}

extension MQTTConfiguration {
    /// Creates the connector for sockets, unless another connector overrides it.
    ///
    /// - Parameter report: Called when files of TLS have changed and cannot be used, on any thread.
    package func makeConnector(
        report: @escaping @Sendable (TransportError) -> Void = { _ in }
    ) throws(MQTTError) -> any Connector {
        if let connector = self.connectorOverride { return connector }
        do {
            let needsTLS = self.servers.contains { $0.scheme.isSecure }
            var webSocket = self.webSocket
            // MQTT 3.1 has its own subprotocol.
            webSocket.subprotocol = self.connection.version.exact == .v3_1 ? "mqttv3.1" : "mqtt"
            return try SocketConnector(
                timeout: self.connection.connectTimeout, tls: needsTLS ? self.tls : nil, webSocket: webSocket,
                proxy: self.proxy, localAddress: self.connection.localAddress, report: report)
        } catch {
            throw MQTTError(.invalidConfiguration, "\(error)", cause: error)
        }
    }
}
