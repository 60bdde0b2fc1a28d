import CurlewCore
import CurlewTransport
import Dispatch
import NIOCore
import Synchronization
import Testing

@testable import CurlewBroker
@testable import CurlewTesting

/// Users with passwords that the test changes.
private final class Users: MQTTBrokerAuthenticator {
    struct State: Sendable {
        var passwords: [String: String]
        /// The file's content, which applies after a reload.
        var next: [String: String]
    }

    let state: Watched<State>

    init(_ passwords: [String: String]) { self.state = Watched(State(passwords: passwords, next: passwords)) }

    func change(_ body: @Sendable (inout [String: String]) -> Void) { self.state.change { body(&$0.next) } }

    private func password(of user: String) -> String? { self.state.change { $0.passwords[user] } }

    func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision {
        guard let user = attempt.client.username else { return .abstain }
        let isRight = attempt.password.map { String(buffer: $0.bytes) } == self.password(of: user)
        return isRight ? .allow : .deny(.badUserNameOrPassword)
    }

    func credentialStatus(of client: MQTTBrokerClient) -> MQTTCredentialStatus {
        guard let user = client.username else { return .notTracked }
        return self.password(of: user).map { .known(version: Array($0.utf8)) } ?? .unknownUser
    }

    func reload() async throws { self.state.change { $0.passwords = $0.next } }
}

@Suite("Revoked rights", .timeLimit(.minutes(1)))
struct RevocationWireTests {
    private func client(_ user: String, _ password: String = "x", expiry: UInt32 = 1000) -> (inout Connect) -> Void {
        {
            $0.cleanStart = false
            $0.username = user
            $0.password = MQTTPassword(password)
            $0.properties = Properties([.sessionExpiryInterval(expiry)])
        }
    }

    private func texts(_ count: Int, of peer: Peer) async throws -> [String] {
        var texts: [String] = []
        for _ in 0..<count { texts.append(String(buffer: try await peer.receivePublish().payload)) }
        return texts
    }

    // MARK: Users

    @Test("A reload disconnects users that were removed or whose password changed, and no others")
    func users() async throws {
        let users = Users(["gone": "x", "changed": "x", "same": "x"])
        try await withPeers {
            $0.authenticators = [users]
            $0.listeners[0].anonymous = .allowed
        } _: { peers in
            let (gone, changed) = (
                try await peers.connect("g", self.client("gone")), try await peers.connect("c", self.client("changed"))
            )
            let (same, nobody) = (
                try await peers.connect("s", self.client("same")), try await peers.connect("n")
            )
            try await peers.broker.reload()
            for peer in [gone, changed, same, nobody] { try await peer.expectNothing() }
            users.change {
                $0["gone"] = nil
                $0["changed"] = "y"
            }
            try await peers.broker.reload()
            for peer in [gone, changed] {
                guard case .disconnect(let end)? = try await peer.receiveEnd() else { throw PeerError.closed }
                #expect(end.reasonCode == .administrativeAction)
            }
            for peer in [same, nobody] { try await peer.expectNothing() }
            // A session is kept if its user can still log in, and ends if not.
            let back = try await peers.connect("c", self.client("changed", "y"))
            #expect(back.connAck.sessionPresent)
            #expect(peers.broker.sessions.map(\.client.identifier).sorted() == ["c", "n", "s"])
        }
    }

    @Test(
        "A reload ends an offline session of a removed user, unless configured to keep it",
        arguments: [true, false])
    func sessionsOfRemovedUsers(areKept: Bool) async throws {
        let users = Users(["gone": "x"])
        try await withPeers {
            $0.authenticators = [users]
            $0.behavior.endsSessionsOfRemovedUsers = !areKept
        } _: { peers in
            let peer = try await peers.connect("g", self.client("gone"))
            try await peer.send(.disconnect(Disconnect()))
            #expect(try await peer.receiveEnd() == nil)
            users.change { $0 = [:] }
            try await peers.broker.reload()
            #expect(peers.broker.sessions.count == (areKept ? 1 : 0))
        }
    }

    @Test("The session of a user removed while the broker was down ends when the broker starts")
    func restoredSessionOfRemovedUser() async throws {
        let store = MQTTMemoryStore()
        let users = Users(["gone": "x", "same": "x"])
        try await withPeers {
            $0.authenticators = [users]
            $0.store = store
        } _: { peers in
            _ = try await peers.connect("g", self.client("gone"))
            _ = try await peers.connect("s", self.client("same"))
        }
        try await withPeers {
            $0.authenticators = [Users(["same": "x"])]
            $0.store = store
        } _: { peers in
            #expect(peers.broker.sessions.map(\.client.identifier) == ["s"])
        }
    }

    @Test("A client is refused if its user is removed while it is being authenticated")
    func removedMeanwhile() async throws {
        /// Allows every user that is not removed, but only when the test releases it.
        final class Slow: MQTTBrokerAuthenticator {
            let asked = Watched(false)
            let free = Watched(false)
            let isRemoved = Watched(false)

            func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision {
                self.asked.change { $0 = true }
                _ = try await self.free.wait(for: "leave", within: .seconds(30)) { $0 ? true : nil as Bool? }
                return .allow
            }

            func credentialStatus(of client: MQTTBrokerClient) -> MQTTCredentialStatus {
                self.isRemoved.change { $0 } ? .unknownUser : .known(version: [])
            }
        }
        let slow = Slow()
        try await withPeers({ $0.authenticators = [slow] }) { peers in
            let peer = try await peers.open()
            try await peer.send(.connect(Connect(clientIdentifier: "a", username: "u")))
            _ = try await slow.asked.wait(for: "the client", within: .seconds(30)) { $0 ? true : nil as Bool? }
            slow.isRemoved.change { $0 = true }
            try await peers.broker.reload()
            slow.free.change { $0 = true }
            guard case .connack(let ack)? = try await peer.receiveEnd() else { throw PeerError.closed }
            #expect(ack.reasonCode == .notAuthorized)
        }
    }

    @Test("Messages that a removed user has already sent are still delivered")
    func saidBefore() async throws {
        let users = Users(["gone": "x", "w": "x"])
        try await withPeers {
            $0.authenticators = [users]
            $0.limits.messageRate = .init(perSecond: 1, burst: 1)
        } _: { peers in
            let watcher = try await peers.connect("w", self.client("w"))
            _ = try await watcher.subscribe("#")
            let gone = try await peers.connect("g", self.client("gone"))
            for number in 1...3 { try await gone.publish("\(number)", to: "t") }
            try await gone.send(.disconnect(Disconnect()))
            try await gone.link.eventLoop.submit {}.get()
            users.change { $0["gone"] = nil }
            try await peers.broker.reload()
            #expect(try await gone.receiveEnd() == nil)
            #expect(try await self.texts(3, of: watcher) == ["1", "2", "3"])
        }
    }

    // MARK: Queued messages

    @Test("Queued and unacknowledged messages are dropped when the rules no longer allow them")
    func queued() async throws {
        let drops = Drops()
        try await TemporaryFile.with("topic readwrite #\n") { file in
            let access = try await MQTTAccessFile(path: file.path)
            try await withPeers {
                $0.authorizers = [access]
                $0.observers = [drops]
            } _: { peers in
                let keep = { (connect: inout Connect) in
                    connect.cleanStart = false
                    connect.properties = Properties([.sessionExpiryInterval(1000)])
                }
                let peer = try await peers.connect("s", keep)
                _ = try await peer.subscribe("public/#", "secret/#")
                let publisher = try await peers.connect("p")
                // In flight, at QoS 1 and 2.
                _ = try await publisher.deliver("f1", to: "secret/1")
                _ = try await publisher.deliver("f2", to: "secret/2", qos: .exactlyOnce)
                _ = try await publisher.deliver("f3", to: "public/3")
                #expect(try await self.texts(3, of: peer) == ["f1", "f2", "f3"])
                peer.close()
                // In the queue.
                _ = try await publisher.deliver("q1", to: "secret/1")
                _ = try await publisher.deliver("q2", to: "public/2")
                try file.write("topic read public/#\n")
                try await peers.broker.reload()
                #expect(drops.topics.sorted() == ["secret/1", "secret/1", "secret/2"])
                let back = try await peers.connect("s", keep)
                guard case .pubrel(let release) = try await back.receive() else { throw PeerError.closed }
                try await back.send(.pubcomp(release))
                #expect(try await self.texts(2, of: back) == ["f3", "q2"])
                try await back.expectNothing()
            }
        }
    }

    @Test("A queued message is not sent to a client that reconnects through a listener with stricter rules")
    func otherListener() async throws {
        let network = InMemoryNetwork()
        let endpoint = Endpoint(host: "public", port: 1883)
        let rules = try MQTTAccessFile(text: "topic read public/#\n")
        try await withPeers {
            var other = MQTTBrokerConfiguration.Listener.inMemory(network, at: endpoint)
            other.authorizers = [rules]
            $0.listeners.append(other)
        } _: { peers in
            let keep = { (connect: inout Connect) in
                connect.cleanStart = false
                connect.properties = Properties([.sessionExpiryInterval(1000)])
            }
            let peer = try await peers.connect("s", keep)
            _ = try await peer.subscribe("public/#", "secret/#")
            peer.close()
            let publisher = try await peers.connect("p")
            _ = try await publisher.deliver("secret", to: "secret/1")
            _ = try await publisher.deliver("public", to: "public/1")
            let others = PeerFactory(broker: peers.broker, network: network, endpoint: endpoint)
            let back = try await others.connect("s", keep)
            #expect(back.connAck.sessionPresent)
            #expect(try await self.texts(1, of: back) == ["public"])
            // Subscriptions that the other listener's rules forbid end as well.
            #expect(try await publisher.deliver("secret", to: "secret/1") == .noMatchingSubscribers)
            #expect(
                peers.broker.sessions.first { $0.client.identifier == "s" }?.subscriptions.map(\.string) == ["public/#"]
            )
        }
    }

    @Test("Messages queued by a subscription that is now denied are dropped, unless another subscription matches them")
    func queuedBySubscription() async throws {
        let (rules, drops) = (Filters(), Drops())
        try await withPeers {
            $0.authorizers = [rules]
            $0.observers = [drops]
        } _: { peers in
            let keep = { (connect: inout Connect) in
                connect.cleanStart = false
                connect.properties = Properties([.sessionExpiryInterval(1000)])
            }
            let peer = try await peers.connect("s", keep)
            _ = try await peer.subscribe("public/#", "secret/#", "secret/shown", "ended")
            peer.close()
            let publisher = try await peers.connect("p")
            for topic in ["secret/1", "public/1", "secret/shown", "ended"] {
                _ = try await publisher.deliver(topic, to: topic)
            }
            let session = try #require(peers.broker.engine.sessions["s"])
            // As if the client had unsubscribed.
            let (engine, worker, ended) = (
                peers.broker.engine, peers.broker.workers.all[0], try TopicFilter("ended")
            )
            try await worker.eventLoop.submit { _ = engine.unsubscribe(session, [ended], on: worker) }.get()
            rules.deny("secret/#")
            try await peers.broker.reload()
            #expect(drops.topics == ["secret/1"])
            let back = try await peers.connect("s", keep)
            #expect(try await self.texts(3, of: back) == ["public/1", "secret/shown", "ended"])
            try await back.expectNothing()
        }
    }

    @Test("Retained messages of a subscription that is now denied are no longer sent")
    func retainedBySubscription() async throws {
        let rules = Filters()
        try await withPeers {
            $0.authorizers = [rules]
        } _: { peers in
            for number in 0..<20 {
                try await peers.broker.publish("x", to: "secret/\(number)", qos: .atLeastOnce, retain: true)
            }
            let peer = try await peers.connect("s") { $0.properties = Properties([.receiveMaximum(1)]) }
            _ = try await peer.subscribe("secret/#")
            let first = try await peer.receivePublish()
            rules.deny("secret/#")
            try await peers.broker.reload()
            try await peer.expectNothing()
            try await peer.send(.puback(Acknowledgement(try #require(first.packetID))))
            // The first PINGRESP precedes what is delivered in the same turn.
            for _ in 0..<2 { try await peer.expectNothing() }
        }
    }

    @Test("No message is delivered by the old rules while a returning client is checked against new ones")
    func publishedMeanwhile() async throws {
        let network = InMemoryNetwork()
        let endpoint = Endpoint(host: "public", port: 1883)
        let rules = Publishing()
        try await withPeers {
            var other = MQTTBrokerConfiguration.Listener.inMemory(network, at: endpoint)
            other.authorizers = [rules]
            $0.listeners.append(other)
        } _: { peers in
            let keep = { (connect: inout Connect) in
                connect.cleanStart = false
                connect.properties = Properties([.sessionExpiryInterval(1000)])
            }
            let peer = try await peers.connect("s", keep)
            _ = try await peer.subscribe("secret/#")
            // The event loop's route cache now has this route.
            let publisher = try await peers.connect("p")
            _ = try await publisher.deliver("1", to: "secret/1", qos: .atLeastOnce)
            _ = try await peer.receivePublish()
            let id = try #require(PacketID(1))
            try await peer.send(.puback(Acknowledgement(id)), .disconnect(Disconnect()))
            #expect(try await peer.receiveEnd() == nil)
            let handle = try #require(peers.broker.engine.sessions["p"]?.state.withLock { $0.connection })
            rules.publish("secret/1", peers.broker.engine, on: handle.worker)
            let others = PeerFactory(broker: peers.broker, network: network, endpoint: endpoint)
            let back = try await others.connect("s", keep)
            #expect(back.connAck.sessionPresent)
            #expect(rules.hasPublished)
            try await back.expectNothing()
        }
    }

    @Test("Messages that a shared subscription's member may no longer receive go to another member")
    func shared() async throws {
        let rules = ChangingRules()
        try await withPeers({ $0.authorizers = [rules] }) { peers in
            let keep = { (connect: inout Connect) in
                connect.cleanStart = false
                connect.properties = Properties([.sessionExpiryInterval(1000)])
            }
            let first = try await peers.connect("first", keep)
            _ = try await first.subscribe("$share/g/t")
            first.close()
            let publisher = try await peers.connect("p")
            for number in 0..<3 { _ = try await publisher.deliver("\(number)", to: "t") }
            let second = try await peers.connect("second", keep)
            _ = try await second.subscribe("$share/g/t")
            rules.deny("first")
            try await peers.broker.reload()
            #expect(try await self.texts(3, of: second) == ["0", "1", "2"])
        }
    }

    @Test("Restored messages are checked against the rules in force when the client returns")
    func restored() async throws {
        let store = MQTTMemoryStore()
        let keep = { (connect: inout Connect) in
            connect.cleanStart = false
            connect.properties = Properties([.sessionExpiryInterval(1000)])
        }
        try await withPeers({ $0.store = store }) { peers in
            let peer = try await peers.connect("s", keep)
            _ = try await peer.subscribe("#")
            try await peer.send(.disconnect(Disconnect()))
            #expect(try await peer.receiveEnd() == nil)
            let publisher = try await peers.connect("p")
            _ = try await publisher.deliver("secret", to: "secret/1")
            _ = try await publisher.deliver("public", to: "public/1")
        }
        let rules = try MQTTAccessFile(text: "topic read public/#\n")
        try await withPeers {
            $0.store = store
            $0.authorizers = [rules]
        } _: { peers in
            let back = try await peers.connect("s", keep)
            #expect(try await self.texts(1, of: back) == ["public"])
            try await back.expectNothing()
        }
    }

    @Test("A will is checked against the rules in force when it is published")
    func will() async throws {
        try await TemporaryFile.with("topic readwrite #\n") { file in
            let access = try await MQTTAccessFile(path: file.path)
            let topic = try TopicName("will")
            try await withPeers({ $0.authorizers = [access] }) { peers in
                let watcher = try await peers.connect("w")
                _ = try await watcher.subscribe("will")
                let peer = try await peers.connect("a") { $0.will = Connect.Will(topic: topic, payload: ByteBuffer()) }
                try file.write("topic read #\n")
                try await peers.broker.reload()
                peer.close()
                while peers.broker.clients.count > 1 { try await letOthersRun() }
                try await watcher.expectNothing()
            }
        }
    }
}

/// Records the topics of messages dropped for lack of rights.
private final class Drops: MQTTBrokerObserver {
    private let state = Watched<[String]>([])

    var interests: MQTTBrokerEvents { .dropped }
    var topics: [String] { self.state.change { $0 } }

    func observe(_ event: MQTTBrokerEvent) {
        guard case .dropped(_, let topic, .notAuthorized) = event else { return }
        self.state.change { $0.append(topic.string) }
    }
}

/// Allows each client to receive until it is denied.
private final class ChangingRules: MQTTBrokerAuthorizer {
    private let denied = Watched<Set<String>>([])

    let checksReceiving = true

    func deny(_ client: String) { self.denied.change { _ = $0.insert(client) } }

    func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision {
        if case .receive = action, self.denied.change({ $0.contains(client.identifier) }) { return .deny }
        return .allow
    }
}

/// Allows all subscriptions except the denied ones, and asks for no receive checks.
private final class Filters: MQTTBrokerAuthorizer {
    private let denied = Watched<Set<String>>([])

    func deny(_ filter: String) { self.denied.change { _ = $0.insert(filter) } }

    func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision {
        guard case .subscribe(let filter) = action else { return .allow }
        return self.denied.change { $0.contains(filter.string) } ? .deny : .allow
    }
}

/// Denies all receiving, and publishes a message while it is asked about a subscription.
private final class Publishing: MQTTBrokerAuthorizer {
    private struct State {
        var job: (topic: String, engine: BrokerEngine, worker: Worker)?
        var isDone = false
    }

    private let state = Mutex(State())

    let checksReceiving = true

    var hasPublished: Bool { self.state.withLock { $0.isDone } }

    func publish(_ topic: String, _ engine: BrokerEngine, on worker: Worker) {
        self.state.withLock { $0.job = (topic, engine, worker) }
    }

    func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision {
        if case .receive = action { return .deny }
        guard case .subscribe = action, let job = self.state.withLock({ Swift.exchange(&$0.job, with: nil) })
        else { return .allow }
        if job.worker.eventLoop.inEventLoop {
            self.publishNow(job.topic, job.engine, job.worker)
        } else {
            let done = DispatchSemaphore(value: 0)
            job.worker.eventLoop.execute {
                self.publishNow(job.topic, job.engine, job.worker)
                done.signal()
            }
            done.wait()
        }
        return .allow
    }

    private func publishNow(_ topic: String, _ engine: BrokerEngine, _ worker: Worker) {
        let topic = TopicName(unchecked: topic)
        let packet = Publish(topic: topic, payload: ByteBuffer(string: "2"), qos: .atLeastOnce, packetID: PacketID(1))
        _ = engine.publish(packet, topic: topic, from: nil, on: worker, now: engine.clock.now())
        self.state.withLock { $0.isDone = true }
    }
}
