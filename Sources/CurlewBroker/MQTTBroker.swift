import CurlewCore
import CurlewTransport
public import Logging
import NIOCore
import Synchronization

/// An MQTT broker within the program.
///
/// ```swift
/// let broker = MQTTBroker(MQTTBrokerConfiguration(listeners: [.tcp(port: 0)]))
/// try await broker.start()
/// let port = await broker.listeners[0].port
/// ```
///
/// Every listener accepts MQTT 3.1, 3.1.1 and 5.0. The broker can also run as a service of an application (`Service`),
/// and the program itself can publish and subscribe without a connection.
public actor MQTTBroker {
    /// Where the broker listens.
    public struct BoundListener: Sendable, Hashable {
        /// Its name in logs, hooks and statistics.
        public let name: String
        /// The port that it is bound to, even if the configuration leaves the choice to the system; 0 for a Unix domain
        /// socket.
        public let port: Int
        /// The address as a URL, such as `mqtt://127.0.0.1:1883`.
        public let url: String
    }

    /// A socket, and the listener of the configuration that it belongs to.
    struct BoundSocket {
        let listener: Int
        let socket: SocketListener
    }

    private enum Phase {
        case idle
        case starting
        case running
        case stopping
        case stopped
    }

    nonisolated let engine: BrokerEngine
    /// The event loops of the connections.
    private let group: any EventLoopGroup
    private var phase = Phase.idle
    /// Whether to stop as soon as it has started.
    private var isStopWanted = false
    var sockets: [BoundSocket] = []
    private var inMemory: [(InMemoryNetwork, Endpoint)] = []
    /// The tasks that run as long as the broker: the ticks of the event loops, and the topics below `$SYS`.
    private var housekeeping: [Task<Void, Never>] = []
    var rules: [ClientRules] = []
    /// Where it listens; empty unless it runs.
    public private(set) var listeners: [BoundListener] = []
    /// One for each event loop, once it runs.
    nonisolated let workers = WorkerList()
    let ended = OneShot<Void>()

    /// Makes a broker, which does nothing until ``start()`` or ``run()``.
    ///
    /// - Parameters:
    ///   - configuration: How it runs. Default: on 127.0.0.1, port 1883.
    ///   - logger: Where to log to. Default: a logger that logs nothing. The broker logs on event loops, so a log
    ///     handler that blocks, for example on a paused terminal, stops the broker.
    public init(_ configuration: MQTTBrokerConfiguration = MQTTBrokerConfiguration(), logger: Logger? = nil) {
        self.group = EventLoops.shared
        self.engine = BrokerEngine(
            configuration, logger: logger, eventLoop: self.group.next(), workers: self.workers)
    }

    /// Starts to listen. Returns when clients can connect.
    ///
    /// - Throws: ``MQTTBrokerError`` if the configuration is invalid, if the store cannot be read, or if the broker
    ///   cannot listen on an address. Then it does not listen on any.
    public func start() async throws {
        guard case .idle = self.phase else {
            throw MQTTBrokerError(
                .invalidConfiguration, "A broker can be started only once; create a new one.")
        }
        self.phase = .starting
        do {
            try await self.startWorkers()
            let listeners = self.engine.configuration.listeners
            self.rules = listeners.map { ClientRules($0, of: self.engine.configuration) }
            for rules in self.rules { try rules.checkUsernames() }
            try await self.restore()
            for (index, (listener, rules)) in zip(listeners, self.rules).enumerated() {
                try await self.listen(index, listener, rules)
            }
        } catch {
            await self.stopListening()
            await self.finishStoring()
            self.phase = .stopped
            self.ended.set(())
            throw error
        }
        self.warnAboutCertificates()
        self.startHousekeeping()
        self.phase = .running
        if self.isStopWanted { await self.stop() }
    }

    private func startWorkers() async throws(MQTTBrokerError) {
        var workers: [Worker] = []
        for eventLoop in self.group.makeIterator() {
            do {
                workers.append(try await Worker.make(on: eventLoop))
            } catch {
                throw MQTTBrokerError(.notRunning, "The event loops have been shut down.", cause: error)
            }
        }
        self.workers.set(workers)
    }

    /// Restores the sessions and retained messages of the store.
    private func restore() async throws(MQTTBrokerError) {
        guard let store = self.engine.configuration.store, let worker = self.workers.all.first else { return }
        let snapshot: MQTTBrokerSnapshot
        do { snapshot = try await store.load() } catch {
            throw MQTTBrokerError(.storageFailed, "The store cannot be read; see the cause.", cause: error)
        }
        do {
            try await worker.eventLoop.flatSubmit { [engine, rules] in
                let restored = worker.eventLoop.makePromise(of: Void.self)
                engine.restore(snapshot, rules: rules, on: worker) { restored.succeed() }
                return restored.futureResult
            }.get()
        } catch {
            throw MQTTBrokerError(.notRunning, "The event loops have been shut down.", cause: error)
        }
    }

    private func listen(
        _ index: Int, _ listener: MQTTBrokerConfiguration.Listener, _ rules: ClientRules
    ) async throws(MQTTBrokerError) {
        let maximumPacketSize = self.engine.configuration.limits.maximumPacketSize
        let sockets: [SocketListener]
        do throws(TransportError) {
            switch listener.address {
            case .socket(let host, let port, let tls, let webSocket):
                let binding = Binding(
                    tls: tls?.settings, webSocket: try webSocket?.settings(maximumPacketSize: maximumPacketSize),
                    proxies: try listener.proxies, rules: rules, refused: self.refuse(rules))
                sockets = try await self.bind(host, port, listener.addressFamily, binding)
            case .socketFile(let file):
                let binding = Binding(
                    tls: nil, webSocket: nil, proxies: TrustedProxies(), rules: rules, refused: { _ in })
                sockets = [try await self.bindOne(.socketFile(file), binding)]
            case .inMemory(let network, let endpoint):
                network.listen(at: endpoint, on: self.group.next(), accept: self.accept(rules))
                self.inMemory.append((network, endpoint))
                self.listeners.append(BoundListener(name: rules.name, port: 0, url: "\(endpoint)"))
                return
            }
        } catch {
            throw MQTTBrokerError(
                error.code == .listeningFailed ? .listeningFailed : .invalidConfiguration,
                [.listener(index, error)], cause: error)
        }
        self.sockets += sockets.map { BoundSocket(listener: index, socket: $0) }
        let bound = sockets.first?.port ?? 0
        let url = listener.address.url(port: bound)
        self.listeners.append(BoundListener(name: listener.name ?? url, port: bound, url: url))
    }

    /// What the sockets of one listener have in common.
    private struct Binding {
        let tls: TLSServerSettings?
        let webSocket: WebSocketServerSettings?
        let proxies: TrustedProxies
        let rules: ClientRules
        let refused: @Sendable (FailedHandshake) -> Void
    }

    /// Listens on a host, or for `*` on all addresses of the machine, with the same port for IPv4 and IPv6.
    private func bind(
        _ host: String, _ port: Int, _ family: MQTTBrokerConfiguration.Listener.AddressFamily, _ binding: Binding
    ) async throws(TransportError) -> [SocketListener] {
        let ipv4 = "0.0.0.0"
        guard host == "*", family != .ipv4 else {
            return [try await self.bindOne(.host(host == "*" ? ipv4 : host, port: port), binding)]
        }
        // A port that is free for IPv6 may be in use for IPv4.
        var attempts = port == 0 ? 16 : 1
        while true {
            let ipv6: SocketListener
            do throws(TransportError) {
                ipv6 = try await self.bindOne(.host("::", port: port, acceptsOnlyIPv6: true), binding)
            } catch {
                guard family == .any, error.isIPv6Unavailable else { throw error }
                return [try await self.bindOne(.host(ipv4, port: port), binding)]
            }
            guard family == .any else { return [ipv6] }
            do throws(TransportError) {
                return [ipv6, try await self.bindOne(.host(ipv4, port: ipv6.port), binding)]
            } catch {
                await ipv6.close()
                attempts -= 1
                guard attempts > 0 else { throw error }
            }
        }
    }

    private func bindOne(
        _ address: SocketListener.Address, _ binding: Binding
    ) async throws(TransportError) -> SocketListener {
        let rules = binding.rules
        return try await SocketListener.bind(
            to: address, tls: binding.tls, webSocket: binding.webSocket, proxies: binding.proxies,
            group: self.group,
            handshakes: self.engine.budget,
            report: { [logger = self.engine.logger] event in
                let listener: Logger.Metadata = ["listener": "\(rules.name)"]
                switch event {
                case .paused(let error): logger.error("\(error.message)", metadata: listener)
                case .resumed: logger.notice("connections are accepted again", metadata: listener)
                }
            }, refused: binding.refused, accept: self.accept(rules))
    }

    private func accept(_ rules: ClientRules) -> @Sendable (any Link) -> any LinkHandler {
        { [engine, workers] link in
            let worker = workers.worker(of: link.eventLoop)
            let connection = BrokerConnection(
                link, rules: rules, certificate: link.peerCertificate.map(MQTTClientCertificate.init), engine: engine,
                worker: worker)
            connection.open()
            return connection
        }
    }

    /// Logs failed handshakes; if there are many, only some.
    private func refuse(_ rules: ClientRules) -> @Sendable (FailedHandshake) -> Void {
        let log = FailedHandshakeLog(listener: rules.name, logger: self.engine.logger, now: self.engine.clock.now())
        return { [engine] failure in log.note(failure, now: engine.clock.now()) }
    }

    /// Warns the operator about certificates that clients will reject.
    func warnAboutCertificates() {
        var seen: Set<String> = []
        for bound in self.sockets {
            for notice in bound.socket.certificateNotices() where seen.insert(notice).inserted {
                self.engine.logger.warning("\(notice)")
            }
        }
    }

    private func startHousekeeping() {
        let interval = self.engine.configuration.systemTopicInterval
        if interval > .zero {
            self.housekeeping.append(
                Task { [engine, workers] in await engine.publishSystemTopics(every: interval, of: workers.all) })
        }
        let ticking = Task { [weak self, engine, workers] in
            let tick = Duration.seconds(1)
            var next = engine.clock.now() + tick
            var ticks = 0
            while (try? await engine.clock.sleep(next)) != nil {
                let now = engine.clock.now()
                next = max(next + tick, now)
                for worker in workers.all { worker.eventLoop.execute { worker.tick(now: now) } }
                if let worker = workers.all.first { worker.eventLoop.execute { engine.tickMemory(on: worker) } }
                engine.clientLog.sayLeftOut()
                ticks += 1
                if ticks % 60 == 0 { engine.removeExpiredMessages(now: now) }
                if ticks % Self.ticksPerDay == 0 { await self?.warnAboutCertificates() }
            }
        }
        self.housekeeping.append(ticking)
    }

    private static let ticksPerDay = 86_400

    /// Stops listening, and disconnects all clients with *server shutting down*.
    ///
    /// Waits until everything that was written to the clients has left, up to
    /// ``MQTTBrokerConfiguration/Behavior/shutdownTimeout``. Wills without a delay are published before. With a store,
    /// all changes are committed when this returns.
    public func stop() async {
        switch self.phase {
        case .idle:
            self.phase = .stopped
            return self.ended.set(())
        case .starting:
            self.isStopWanted = true
            _ = await self.ended.waitRegardless()
            return
        case .stopping, .stopped:
            _ = await self.ended.waitRegardless()
            return
        case .running: self.phase = .stopping
        }
        let housekeeping = self.housekeeping
        self.housekeeping = []
        for task in housekeeping { task.cancel() }
        await self.stopListening()
        self.engine.links.close()
        for worker in self.workers.all {
            worker.eventLoop.execute {
                for connection in Array(worker.onLoop.connections.values) {
                    connection.settleAndClose(.serverShuttingDown, "The server is shutting down.")
                }
            }
        }
        let links = self.engine.links
        self.engine.deadlines.schedule(after: self.engine.configuration.behavior.shutdownTimeout) { links.giveUp() }
        await links.waitForEnd()
        for task in housekeeping { await task.value }
        for subscriber in self.engine.localSubscribers.withLock({ exchange(&$0, with: []) }) { subscriber.finish() }
        await self.finishStoring()
        self.phase = .stopped
        self.ended.set(())
    }

    /// Waits until all changes are committed, up to ``MQTTBrokerConfiguration/Behavior/shutdownTimeout``.
    private func finishStoring() async {
        self.engine.deadlines.cancelAll()
        guard let journal = self.engine.journal else { return }
        // Whatever was submitted to an event loop before runs first.
        for worker in self.workers.all { try? await worker.eventLoop.submit {}.get() }
        let limit = self.engine.deadlines.schedule(after: self.engine.configuration.behavior.shutdownTimeout) {
            journal.giveUp()
        }
        await journal.finish()
        self.engine.deadlines.cancel(limit)
    }

    private func stopListening() async {
        for bound in self.sockets { await bound.socket.close() }
        for (network, endpoint) in self.inMemory { network.stopListening(at: endpoint) }
        self.sockets = []
        self.inMemory = []
        self.listeners = []
    }

    /// Throws unless the broker runs.
    func requireRunning() throws(MQTTBrokerError) {
        guard case .running = self.phase else { throw MQTTBrokerError(.notRunning, "The broker is not running.") }
    }
}
