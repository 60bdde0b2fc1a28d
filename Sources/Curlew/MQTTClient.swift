public import CurlewCore
import CurlewTransport
public import Logging
import NIOCore
import Synchronization

/// An MQTT client: one connection to a server, kept up from ``connect()`` to ``disconnect(drain:)``, and usable from any task
/// and thread.
///
/// ```swift
/// let client = try MQTTClient("mqtt://localhost")
/// try await client.connect()
/// try await client.publish("21.5", to: "home/kitchen/temperature", qos: .atLeastOnce)
/// ```
///
/// A `publish` that returns at QoS 1 or 2 was acknowledged by the server; one that throws says whether the message was sent.
/// When the connection is lost, another is made; subscriptions and unacknowledged messages outlive it. A connected client lives
/// until it is disconnected, whether or not something refers to it.
public final class MQTTClient: Sendable {
    /// What the client was made with.
    public let configuration: MQTTConfiguration

    let logger: Logger
    let clock: MonotonicClock
    let connector: any Connector
    let eventLoop: any EventLoop
    let taskExecutor: EventLoopExecutor
    let deadlines: Deadlines
    let eventHub: EventHub
    let meters: ClientMeters
    /// Guards the session, what it has to send, who waits for it and where the client stands. Held for the handling of one
    /// call or one read, never while a continuation is resumed or code of the user runs.
    let shared: Mutex<Shared>
    /// Whether any of `fullSubscriptions` is there, for the end of each read.
    let isHoldingReading = Atomic(false)

    /// Makes a client for the server that a URL names: `mqtt://[user[:password]@]host[:port]`, or `mqtts://` for TLS. Nothing
    /// is sent before ``connect()``.
    ///
    /// - Throws: ``MQTTError`` with code `invalidURL` or `invalidConfiguration`.
    public convenience init(_ url: String, logger: Logger? = nil) throws(MQTTError) {
        try self.init(MQTTConfiguration(url: url), logger: logger)
    }

    /// Makes a client. Nothing is sent before ``connect()``.
    ///
    /// - Parameters:
    ///   - configuration: To which servers, and how.
    ///   - logger: Where to log to. Default: a logger that logs nothing.
    /// - Throws: ``MQTTError`` with code `invalidConfiguration` that says which value cannot work.
    public init(_ configuration: MQTTConfiguration, logger: Logger? = nil) throws(MQTTError) {
        try configuration.validate()
        self.configuration = configuration
        self.clock = configuration.clock
        self.connector = try configuration.makeConnector()
        self.eventLoop = EventLoops.shared.next()
        self.taskExecutor = EventLoopExecutor(self.eventLoop)
        self.deadlines = Deadlines(clock: self.clock, executor: self.taskExecutor)
        self.eventHub = EventHub(bufferSize: configuration.limits.bufferedEvents)
        var logger = logger ?? Logger(label: "curlew", factory: { _ in SwiftLogNoOpLogHandler() })
        var random = SystemRandomNumberGenerator()
        let identifier = configuration.clientIdentifier.firstIdentifier(using: &random)
        logger[metadataKey: "mqtt_client"] = "\(identifier)"
        self.logger = logger
        self.meters = ClientMeters()
        self.shared = Mutex(Shared(configuration, clientIdentifier: identifier))
    }

    /// Runs tasks on the thread on which the client's messages arrive: a task that starts with
    /// `Task(executorPreference: client.executor)` receives, requests and replies without a change of thread. It must not block.
    public var executor: any TaskExecutor { self.taskExecutor }

    /// Where the client stands now.
    public var state: MQTTState {
        switch self.shared.withLock({ $0.lifecycle.status }) {
        case .disconnected: .disconnected
        case .connecting: .connecting
        case .connected: .connected
        case .reconnecting: .reconnecting
        case .disconnecting: .disconnecting
        }
    }

    /// What the server said that it can do; `nil` while there is no connection.
    public var serverLimits: ServerLimits? { self.shared.withLock { $0.session.limits } }

    /// The protocol version of the connection; `nil` while there is none.
    public var protocolVersion: ProtocolVersion? { self.shared.withLock { $0.session.version } }

    /// The client identifier in use; empty before the server has assigned one.
    public var clientIdentifier: String { self.shared.withLock { $0.clientIdentifier } }

    /// Counts of what was done and of what is left to do, as they are now.
    public var statistics: MQTTStatistics {
        self.shared.withLock { shared in
            var statistics = shared.statistics
            statistics.inFlight = shared.session.inFlightCount
            (statistics.queued, statistics.queuedBytes) = shared.session.queued
            statistics.unacknowledged = shared.session.unacknowledgedCount
            statistics.unclaimed = shared.unclaimed.count
            statistics.unrouted += shared.unclaimed.letGoCount
            statistics.unsentBytes = shared.out.readableBytes
            return statistics
        }
    }

    /// What happens to the connection from now on. Each caller has a buffer of its own (`limits.bufferedEvents`, 256 by
    /// default), whose oldest events go first when nobody reads.
    public var events: some AsyncSequence<MQTTEvent, Never> { self.eventHub.listen() }
}

extension MQTTClient {
    /// What the lock guards.
    struct Shared {
        var session: ClientSession
        /// Encoded and not yet handed to the link.
        var out = ByteBuffer()
        /// Whose consumers have the server wait.
        var fullSubscriptions: Set<SubscriberID> = []
        /// How many bytes of `out` answer what the server has sent, as far as they are beyond what publishes fill.
        var answers = 0
        /// Whether the event loop has been asked to write, or waits for the link to take more.
        var isFlushScheduled = false
        /// The connection after its handshake.
        var connection: NIOLoopBound<ClientConnection>?
        /// Has it write; made once for each connection, so that it costs nothing to hand to the event loop.
        var flush: (@Sendable () -> Void)?
        var waiters = Waiters()
        var nextIdentifier: UInt64 = 1
        var receivers: [SubscriberID: any MessageReceiver] = [:]
        /// Those that were ended while they had messages that nobody has looked at.
        var endedReceivers: [SubscriberID: any MessageReceiver] = [:]
        /// What no subscription has taken.
        var unclaimed: UnclaimedMessages<MQTTMessage>
        /// When the next of them is let go, or told.
        var unclaimedDeadline: (id: Deadlines.ID, time: Timestamp)?
        /// Whether a server has sent a packet that was too large although it was told not to.
        var leavesOutLargePublishes = false
        var lifecycle = ClientLifecycle()
        /// What keeps the client connected; `nil` while nobody has called `connect()`.
        var supervision: Supervision?
        /// The properties of the DISCONNECT with which this client goes.
        var goodbye = Properties()
        var clientIdentifier: String
        /// What ended the client for good, for those who come later; `nil` where it was disconnected.
        var stopError: MQTTError?
        /// Who waits until nothing is left to send.
        var drained: [OneShot<Void>] = []
        var statistics = MQTTStatistics()
        /// How many published messages the metrics know of.
        var published = 0
        /// One publish whose way to its acknowledgement is being timed.
        var sample: (request: RequestID, since: Timestamp)?
        /// Who waits for the end of a re-authentication.
        var reauthentications: [OneShot<MQTTError?>] = []
        /// Where replies come in, after the first request.
        var inbox: ReplyInbox?
        var isWatchingAcknowledgements = false
        /// How the server of this connection has broken the protocol so far.
        var deviations: Set<ClientSession.Deviation> = []

        init(_ configuration: MQTTConfiguration, clientIdentifier: String) {
            self.session = ClientSession(configuration.sessionSettings)
            self.unclaimed = UnclaimedMessages(configuration.queues.unclaimed.bounds)
            self.clientIdentifier = clientIdentifier
        }

        mutating func makeRequestID() -> RequestID {
            defer { self.nextIdentifier += 1 }
            return RequestID(self.nextIdentifier)
        }

        mutating func makeSubscriberID() -> SubscriberID {
            defer { self.nextIdentifier += 1 }
            return SubscriberID(self.nextIdentifier)
        }

        /// Why nothing new is accepted; `nil` where it is.
        var refusal: MQTTError? {
            switch self.lifecycle.status {
            case .disconnecting: MQTTError(.clientStopped, "The client is being disconnected.")
            case .disconnected where self.lifecycle.isStopped:
                self.stopError
                    ?? MQTTError(.clientStopped, "The client was disconnected: call `connect()` to use it again.")
            case .disconnected, .connecting, .connected, .reconnecting: nil
            }
        }

        /// If there is something to write and nobody has been told: what the event loop is to do.
        mutating func claimFlush() -> (@Sendable () -> Void)? {
            guard !self.isFlushScheduled, self.out.readableBytes > 0, let flush else { return nil }
            self.isFlushScheduled = true
            return flush
        }

        /// Finishes what the session has completed: who is to be resumed, once the lock is released.
        mutating func takeResumptions(_ now: Timestamp?) -> Resumptions {
            var resumptions = Resumptions()
            if !self.drained.isEmpty, self.session.isDrained {
                resumptions.drained = exchange(&self.drained, with: [])
            }
            guard self.session.hasCompletions else { return resumptions }
            for completion in self.session.takeCompletions() {
                if let sample, sample.request == completion.request {
                    if let now { self.note(latency: now - sample.since) }
                    self.sample = nil
                }
                let result = Waiters.Result.completed(completion.outcome)
                if let target = self.waiters.finish(completion.request, result) {
                    resumptions.finished.append((target, result))
                }
            }
            return resumptions
        }

        private mutating func note(latency: Duration) {
            guard let average = self.statistics.acknowledgementLatency else {
                self.statistics.acknowledgementLatency = latency
                return
            }
            self.statistics.acknowledgementLatency = (average * 7 + latency) / 8
        }
    }

    /// Who is to be told something once the lock is released.
    struct Resumptions {
        /// Whose requests have ended, and how.
        var finished: [(Waiters.Target, Waiters.Result)] = []
        /// Who waited until nothing was left to send.
        var drained: [OneShot<Void>] = []

        func resume() {
            for (target, result) in self.finished { target.resume(with: result) }
            for oneShot in self.drained { oneShot.set(()) }
        }
    }

    /// The task that keeps the connection up, and what tells of its first connection and its end.
    struct Supervision {
        let task: Task<Void, Never>
        /// `nil` for success.
        let first: OneShot<MQTTError?>
        /// What was left undone.
        let ended: OneShot<DrainReport>
    }
}

extension MQTTConfiguration {
    /// What the session needs to know of the configuration.
    var sessionSettings: ClientSession.Settings {
        var settings = ClientSession.Settings()
        // Servers are told `session.receiveMaximum`, and forgiven when they send more: mosquitto 2.0.11 does so at QoS 1, and
        // to disconnect it for that would mean to disconnect it for ever. What they send is bounded by 65,535 packet
        // identifiers and by the queues of the subscriptions.
        settings.receiveMaximum = .max
        // Half-done exchanges of an earlier run, which such a session may have, must not meet new ones.
        if !self.session.cleanStart {
            settings.firstPacketID = PacketID(.random(in: 1...UInt16.max))
            settings.firstSubscriptionIdentifier = .random(in: 1...0x0FFF_FFFF)
        }
        settings.topicAliasMaximum = UInt16(clamping: self.session.topicAliasMaximum)
        settings.outgoingTopicAliasMaximum = self.session.usesTopicAliases ? 1024 : 0
        settings.highWaterMark = self.queues.unsentBytes
        settings.outboxCount = self.queues.outboxCount
        settings.outboxBytes = self.queues.outboxBytes
        settings.subscribeUserProperties = self.packetUserProperties.subscribe
        settings.unsubscribeUserProperties = self.packetUserProperties.unsubscribe
        return settings
    }

    /// What makes connections: sockets, unless a test has put in something else.
    func makeConnector() throws(MQTTError) -> any Connector {
        if let connector = self.connectorOverride { return connector }
        do {
            let needsTLS = self.servers.contains { $0.scheme.isSecure }
            return try SocketConnector(
                timeout: self.connection.connectTimeout, tls: needsTLS ? self.tls : nil,
                localAddress: self.connection.localAddress)
        } catch {
            throw MQTTError(.invalidConfiguration, "\(error)", cause: error)
        }
    }
}
