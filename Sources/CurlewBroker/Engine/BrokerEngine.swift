import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Synchronization

/// What all connections of a broker share: sessions, subscriptions, retained messages, rules.
///
/// Nothing here belongs to a thread. Each part has a lock of its own. A session's lock may be taken under that of the
/// retained messages. The journal's lock for changes may be taken under any other, and its lock for groups only before
/// any other. No other locks are nested, and no user code is called under any of them.
final class BrokerEngine: Sendable {
    let configuration: MQTTBrokerConfiguration
    let clock: MonotonicClock
    let logger: Logger
    let clientLog: ClientLog
    let bounds: BrokerSession.Bounds
    let sessions = SessionRegistry()
    /// Wills with a delay, and sessions that end some time after their connection.
    let deadlines: Deadlines
    let events: EventDispatch
    /// Records what the store is told.
    let recorder: ChangeRecorder

    /// Guards all subscriptions. Event loops match topics in copies, which they refresh when the version has changed.
    private let subscriptions = Mutex(SubscriptionIndex<Receiver>())
    let subscriptionVersion = Atomic<UInt64>(1)
    /// Guards the retained messages.
    let retained: Mutex<RetainedMessages>
    /// The memory that the broker holds for all clients.
    let budget: MemoryBudget
    /// Changes when the authorizers have read their files again: earlier decisions are void.
    let authorizationVersion = Atomic<Int>(0)
    /// The number of connected clients, and its maximum so far.
    let connectedClients = Atomic<Int>(0)
    let maximumOfConnectedClients = Atomic<Int>(0)
    /// Links that are open.
    let links = OpenLinks()
    /// Guards how many connections are accepted per second, if that is limited.
    private let connectionRate: Mutex<RateLimit?>

    /// The subscriptions of the embedding program, which end with the broker.
    let localSubscribers = Mutex<Set<LocalSubscriber>>([])

    /// How many CONNECT packets have come.
    private let connects = Atomic<UInt64>(0)

    /// Whether any authorizer is asked about receiving.
    private let checksReceiving: Bool

    /// Whether routes must be found before a group of changes begins, since finding one calls user code.
    var asksAboutReceivers: Bool { self.journal != nil && self.checksReceiving }

    init(
        _ configuration: MQTTBrokerConfiguration, logger: Logger? = nil, eventLoop: any EventLoop, workers: WorkerList
    ) {
        let logger = logger ?? Logger(label: "curlew.broker", factory: { _ in SwiftLogNoOpLogHandler() })
        self.checksReceiving = (configuration.authorizers + configuration.listeners.flatMap { $0.authorizers ?? [] })
            .contains { $0.checksReceiving }
        self.configuration = configuration
        self.clock = configuration.clock
        self.logger = logger
        self.clientLog = ClientLog(logger, clock: configuration.clock)
        self.bounds = BrokerSession.Bounds(configuration)
        self.budget = MemoryBudget(limit: configuration.limits.maximumMemory ?? MachineMemory.available / 2)
        self.deadlines = Deadlines(clock: configuration.clock, executor: EventLoopExecutor(eventLoop))
        self.events = EventDispatch(configuration.observers)
        let journal = configuration.store.map { store in
            Journal(store, clock: configuration.clock, logger: logger) {
                for worker in workers.all { worker.eventLoop.execute { worker.changesCommitted() } }
            }
        }
        self.recorder = ChangeRecorder(journal, clock: configuration.clock, timeOfDay: configuration.timeOfDay)
        self.connectionRate = Mutex(
            configuration.limits.connectionsPerSecond.map {
                RateLimit(perSecond: $0, burst: $0, now: configuration.clock.now())
            })
        self.retained = Mutex(
            RetainedMessages(
                maximumCount: configuration.limits.maximumRetainedMessages,
                maximumBytes: configuration.limits.maximumRetainedBytes))
    }

    /// Whether one more connection may be accepted now.
    func takesConnection(now: Timestamp) -> Bool {
        self.connectionRate.withLock { rate in
            guard rate?.take(0, now: now) ?? .zero == .zero else { return false }
            return rate?.take(1, now: now) ?? .zero == .zero
        }
    }

    /// The number of the CONNECT that has just come: higher than those of all before it.
    func makeConnectNumber() -> UInt64 { self.connects.wrappingAdd(1, ordering: .relaxed).newValue }

    /// Commits changes to the store, if there is one.
    var journal: Journal? { self.recorder.journal }

    /// A new session for a client, which is not registered yet.
    func makeSession(for client: MQTTBrokerClient, _ rules: ClientRules) -> HostedSession {
        HostedSession(client: client, rules: rules, bounds: self.bounds, budget: self.budget, recorder: self.recorder)
    }

    // MARK: Memory

    /// Whether there is memory for the session of a client that connects.
    func hasMemory(for connect: Connect) -> Bool {
        let names = HostedSession.State.byteCount(ofNames: connect.clientIdentifier, connect.username)
        let will = (connect.will?.payload.readableBytes ?? 0) + (connect.will?.properties.byteCount ?? 0)
        return self.budget.room(holding: 0) >= HostedSession.State.overhead + names + will
    }

    // MARK: Subscriptions

    var subscriptionCount: Int { self.subscriptions.withLock { $0.count } }

    /// All subscriptions as they are now.
    var currentSubscriptions: SubscriptionIndex<Receiver> { self.subscriptions.withLock { $0 } }

    /// Changes the subscriptions. Messages that are published after this has returned are routed by the new ones.
    func changeSubscriptions<Result: Sendable>(
        _ body: (inout SubscriptionIndex<Receiver>) -> Result
    ) -> Result {
        self.subscriptions.withLock { index in
            let before = index.changes
            let result = body(&index)
            if index.changes != before { self.subscriptionVersion.wrappingAdd(1, ordering: .releasing) }
            return result
        }
    }

    /// Makes every loop find its routes again.
    func forgetRoutes() { self.subscriptionVersion.wrappingAdd(1, ordering: .releasing) }

    /// Finds the receivers of a topic's messages; on the worker's loop, and under no lock, since authorizers may be
    /// asked.
    func receivers(of topic: TopicName, on worker: Worker) -> RouteCache.Entry {
        let state = worker.onLoop
        return state.routes.entry(
            for: topic, version: self.subscriptionVersion.load(ordering: .acquiring), work: &state.work,
            refresh: {
                self.subscriptions.withLock { ($0, self.subscriptionVersion.load(ordering: .relaxed)) }
            },
            allows: { subscriber, topic in
                guard case .session(let session) = subscriber else { return true }
                let (client, rules) = session.state.withLock { ($0.client, $0.rules) }
                return rules.allowsReceiving(client, topic)
            },
            isAsked: self.checksReceiving)
    }

    // MARK: Identifiers

    /// A client identifier that no other client has [MQTT-3.1.3-6].
    func makeClientIdentifier(_ prefix: String) -> String {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        let suffix = String((0..<20).compactMap { _ in alphabet.randomElement(using: &generator) })
        return prefix + suffix
    }
}
