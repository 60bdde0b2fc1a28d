import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization
import Testing

@testable import CurlewBroker

@Suite("Hooks are called without holding a lock", .timeLimit(.minutes(1)))
struct HookTests {
    private func keep(_ connect: inout Connect) {
        connect.cleanStart = false
        connect.properties = Properties([.sessionExpiryInterval(1000)])
    }

    @Test("Every hook may call the broker, with and without a store", arguments: [false, true])
    func callBack(isStored: Bool) async throws {
        let hooks = CallingBack()
        try await withPeers({
            if isStored { $0.store = MQTTMemoryStore() }
            $0.observers = [hooks]
            $0.publishFilters = [hooks]
            $0.authorizers = [hooks]
            $0.authenticators = [hooks]
            $0.limits.maximumQueuedMessages = 1
        }) { peers in
            hooks.begin(peers.broker)
            let refused = try await peers.open()
            try await refused.send(.connect(Connect(version: .v5_0, keepAlive: 0, clientIdentifier: "refused")))
            _ = try await refused.receiveEnd()

            // A member of a shared subscription, with a will.
            let willTopic = try TopicName("wills/member")
            let member = try await peers.connect("member") {
                self.keep(&$0)
                $0.will = Connect.Will(topic: willTopic, payload: ByteBuffer(string: "w"), retain: true)
            }
            _ = try await member.subscribe("$share/g/jobs/#", "secret/#")
            let publisher = try await peers.connect("p")
            _ = try await publisher.deliver("1", to: "jobs/1", qos: .exactlyOnce, retain: true)
            _ = try await publisher.deliver("1", to: "secret/1", qos: .atLeastOnce)
            _ = try await member.receivePublish()
            let id = try #require(try await member.receivePublish().packetID)
            try await member.send(.puback(Acknowledgement(id)))
            member.close()
            while peers.broker.clients.count > 1 { try await letOthersRun() }

            // One message is queued for the member; the next one has no room.
            _ = try await publisher.deliver("2", to: "jobs/2", qos: .atLeastOnce)
            _ = try await publisher.deliver("2", to: "secret/2", qos: .atLeastOnce)

            // The other member gets the message that the first may no longer receive.
            let other = try await peers.connect("other") {
                $0.will = Connect.Will(topic: willTopic, payload: ByteBuffer(string: "o"), qos: .exactlyOnce)
            }
            _ = try await other.subscribe("$share/g/jobs/#", "unused")
            hooks.deny("member")
            try await peers.broker.reload()
            #expect(try await other.receivePublish().topic?.string == "jobs/2")
            try await other.send(.unsubscribe(Unsubscribe(try #require(PacketID(2)), [try TopicFilter("unused")])))
            guard case .unsuback = try await other.receive() else { throw PeerError.closed }
            other.close()
            while !hooks.missing.isEmpty { try await letOthersRun() }
            try await hooks.end()
        }
    }

    @Test("A route that becomes outdated before its message is stored is computed again", arguments: [1, 100])
    func outdatedRoute(changes: Int) async throws {
        let store = GatedStore()
        let hooks = Hooked()
        try await withPeers({
            $0.store = store
            $0.authorizers = [hooks]
        }) { peers in
            let subscriber = try await peers.connect("s", self.keep)
            _ = try await subscriber.subscribe("t")
            let publisher = try await peers.connect("p", self.keep)
            let filter = try TopicFilter("other")
            let engine = peers.broker.engine
            let session = try #require(engine.sessions["p"])
            let left = Mutex(changes)
            hooks.whenAskedAboutReceiving { _ in
                let number = left.withLock { left in
                    left -= 1
                    return left
                }
                guard number >= 0 else { return }
                engine.changeSubscriptions { index in
                    if number.isMultiple(of: 2) {
                        _ = index.insert(filter, .session(session), .init(SubscriptionOptions()))
                    } else {
                        _ = index.remove(filter, .session(session))
                    }
                }
            }
            #expect(try await publisher.deliver("x", to: "t", qos: .exactlyOnce, retain: true) == .success)
            #expect(try await subscriber.receivePublish().topic?.string == "t")
            try await publisher.expectNothing()
            #expect(left.withLock { $0 } < changes)
            #expect(store.now.kept.retained.count == 1)
            let received = store.now.changes.count { if case .received = $0 { true } else { false } }
            #expect(received == 1)
            let deliveries = store.now.changes.count { if case .deliveryAdded = $0 { true } else { false } }
            #expect(deliveries == 1)
        }
    }

    @Test("A message that arrives while its session is being ended also goes to another member")
    func lateOrphan() async throws {
        let hooks = Hooked()
        try await withPeers({
            $0.store = MQTTMemoryStore()
            $0.authorizers = [hooks]
        }) { peers in
            let away = try await peers.connect("away", self.keep)
            _ = try await away.subscribe("$share/g/jobs/#")
            away.close()
            while !peers.broker.clients.isEmpty { try await letOthersRun() }
            try await peers.broker.publish("1", to: "jobs/1", qos: .atLeastOnce)
            let jobs = try await peers.broker.subscribe(to: "$share/g/jobs/#")
            let (engine, worker) = (peers.broker.engine, peers.broker.workers.all[0])
            let session = try #require(engine.sessions["away"])
            let (late, group) = (try TopicName("jobs/2"), try TopicFilter("$share/g/jobs/#"))
            hooks.whenAskedAboutReceiving { topic in
                guard topic.string == "jobs/1" else { return }
                let packet = Publish(
                    topic: late, payload: ByteBuffer(string: "2"), qos: .atLeastOnce, packetID: PacketID(1))
                var publication = Publication(packet, topic: late, now: engine.clock.now())
                let terms = DeliveryTerms(qos: .atLeastOnce, retain: false, group: group)
                _ = session.offer(&publication, terms, now: engine.clock.now())
            }
            try await worker.eventLoop.submit { engine.end(session, on: worker) }.get()
            var messages = jobs.makeAsyncIterator()
            let topics = [await messages.next()?.topic.string, await messages.next()?.topic.string]
            #expect(topics == ["jobs/1", "jobs/2"])
        }
    }

    @Test("Publish filters see a will once")
    func willFilter() async throws {
        let filter = CountingFilter()
        try await withPeers({
            $0.store = MQTTMemoryStore()
            $0.publishFilters = [filter]
        }) { peers in
            let wills = try await peers.broker.subscribe(to: "wills")
            let topic = try TopicName("wills")
            let peer = try await peers.connect("a") {
                $0.will = Connect.Will(topic: topic, payload: ByteBuffer(string: "w"))
            }
            peer.close()
            for await message in wills {
                #expect(message.text == "filtered")
                break
            }
            #expect(filter.count.load(ordering: .relaxed) == 1)
        }
    }
}

/// Counts messages and replaces their payload.
private final class CountingFilter: MQTTBrokerPublishFilter {
    let count = Atomic<Int>(0)

    func willPublish(_ message: MQTTBrokerMessage, from client: MQTTBrokerClient?) -> MQTTPublishDecision {
        self.count.wrappingAdd(1, ordering: .relaxed)
        var message = message
        message.payload = ByteBuffer(string: "filtered")
        return .replace(message)
    }
}

/// Runs a closure when asked whether a client may receive a message, and allows everything.
private final class Hooked: MQTTBrokerAuthorizer {
    private let body = Mutex<(@Sendable (TopicName) -> Void)?>(nil)

    let checksReceiving = true

    func whenAskedAboutReceiving(_ body: @escaping @Sendable (TopicName) -> Void) {
        self.body.withLock { $0 = body }
    }

    func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision {
        if case .receive(let topic) = action { self.body.withLock { $0 }?(topic) }
        return .allow
    }
}

/// Calls the broker from every hook in every way: a lock held during a hook would trap or deadlock.
private final class CallingBack: MQTTBrokerObserver, MQTTBrokerPublishFilter, MQTTBrokerAuthorizer,
    MQTTBrokerAuthenticator
{
    private struct State {
        var broker: MQTTBroker?
        var calls: [String: Int] = [:]
        var tasks: [Task<Void, any Error>] = []
        var denied: String?
    }

    private static let hooks: Set<String> = [
        "connected", "refused", "disconnected", "subscribed", "unsubscribed", "dropped", "acknowledged", "retained",
        "filter", "filter of a will", "publish", "subscribe", "receive", "authenticate", "credentials",
    ]

    private let state = Mutex(State())

    let interests: MQTTBrokerEvents = [.connections, .subscriptions, .dropped, .retained, .acknowledged]
    let checksReceiving = true

    func begin(_ broker: MQTTBroker) { self.state.withLock { $0.broker = broker } }

    func deny(_ client: String) { self.state.withLock { $0.denied = client } }

    /// The hooks that have not been called yet.
    var missing: Set<String> { self.state.withLock { Self.hooks.subtracting($0.calls.keys) } }

    /// Waits for all calls that the hooks have made.
    func end() async throws {
        let tasks = self.state.withLock { state in
            state.broker = nil
            return state.tasks
        }
        for task in tasks { try await task.value }
    }

    private func callBack(_ hook: String) {
        let (broker, count) = self.state.withLock { state in
            state.calls[hook, default: 0] += 1
            return (state.broker, state.calls[hook, default: 0])
        }
        guard let broker else { return }
        _ = broker.statistics
        _ = broker.clients
        _ = broker.sessions
        _ = try? broker.retained()
        broker.disconnect("nobody")
        broker.engine.recorder.group {}
        broker.engine.changeSubscriptions { _ in }
        // The tasks' own calls run the hook again, so they are limited.
        guard count <= 2 else { return }
        let task = Task {
            try await broker.publish("x", to: "called/back", retain: true)
            try await broker.subscribe(to: "called/#").unsubscribe()
            try await broker.reload()
        }
        self.state.withLock { $0.tasks.append(task) }
    }

    func observe(_ event: MQTTBrokerEvent) {
        switch event {
        case .connected: self.callBack("connected")
        case .refused: self.callBack("refused")
        case .disconnected: self.callBack("disconnected")
        case .subscribed: self.callBack("subscribed")
        case .unsubscribed: self.callBack("unsubscribed")
        case .dropped: self.callBack("dropped")
        case .acknowledged: self.callBack("acknowledged")
        case .retained: self.callBack("retained")
        }
    }

    func willPublish(_ message: MQTTBrokerMessage, from client: MQTTBrokerClient?) -> MQTTPublishDecision {
        self.callBack(message.topic.string.hasPrefix("wills/") ? "filter of a will" : "filter")
        return .allow
    }

    func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision {
        switch action {
        case .publish: self.callBack("publish")
        case .subscribe:
            self.callBack("subscribe")
            if self.state.withLock({ $0.denied }) == client.identifier { return .deny }
        case .receive: self.callBack("receive")
        }
        return .allow
    }

    func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision {
        self.callBack("authenticate")
        return attempt.client.identifier == "refused" ? .deny(.notAuthorized) : .allow
    }

    func credentialStatus(of client: MQTTBrokerClient) -> MQTTCredentialStatus {
        self.callBack("credentials")
        return .notTracked
    }

    func reload() async throws {}
}
