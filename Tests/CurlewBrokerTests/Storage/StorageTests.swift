import CurlewBroker
import CurlewCore
import CurlewTesting
import CurlewTransport
import NIOCore
import Testing

/// A client whose session outlives its connection.
private func keep(_ connect: inout Connect) {
    connect.cleanStart = false
    connect.properties = Properties([.sessionExpiryInterval(1000)])
}

@Suite("What a store keeps", .timeLimit(.minutes(1)))
struct StorageTests {
    @Test("Sessions, subscriptions, messages and retained messages outlive the broker [MQTT-4.1.0-1]")
    func outlives() async throws {
        let store = MQTTMemoryStore()
        try await withPeers({ $0.store = store }) { peers in
            let subscriber = try await peers.connect("s", keep)
            #expect(
                try await subscriber.subscribe("t/#", "$share/group/u", identifier: 7) == [.grantedQoS2, .grantedQoS2])
            try await subscriber.send(.disconnect(Disconnect()))
            let publisher = try await peers.connect("p")
            for number in 0..<5 {
                #expect(try await publisher.deliver("\(number)", to: "t/\(number)") == .success)
                #expect(try await publisher.deliver("\(number)", to: "u", qos: .exactlyOnce) == .success)
            }
            _ = try await publisher.deliver("kept", to: "r/1", retain: true)
            _ = try await publisher.deliver("dropped", to: "r/2", retain: true)
            _ = try await publisher.deliver("", to: "r/2", retain: true)
        }
        try await withPeers({ $0.store = store }) { peers in
            #expect(peers.broker.statistics.subscriptions == 2)
            #expect(try peers.broker.retained().map(\.text) == ["kept"])
            let publisher = try await peers.connect("p")
            #expect(try await publisher.deliver("5", to: "t/5") == .success)
            let subscriber = try await peers.connect("s", keep)
            #expect(subscriber.connAck.sessionPresent)
            for number in 0..<5 {
                let first = try await subscriber.receivePublish()
                #expect(first.topic?.string == "t/\(number)")
                #expect(first.qos == .atLeastOnce)
                #expect(!first.dup)
                #expect(first.properties.subscriptionIdentifiers == [7])
                let second = try await subscriber.receivePublish()
                #expect(second.topic?.string == "u")
                #expect(second.qos == .exactlyOnce)
            }
            #expect(try await subscriber.receivePublish().topic?.string == "t/5")
        }
    }

    @Test("What is acknowledged, given up, unsubscribed or over is not kept")
    func forgotten() async throws {
        let store = MQTTMemoryStore()
        try await withPeers({
            $0.store = store
            $0.limits.maximumQueuedMessages = 1
        }) { peers in
            let subscriber = try await peers.connect("s", keep)
            _ = try await subscriber.subscribe("t", "u")
            let publisher = try await peers.connect("p", keep)
            _ = try await publisher.deliver("1", to: "t")
            let first = try await subscriber.receivePublish()
            try await subscriber.send(.puback(Acknowledgement(try #require(first.packetID))))
            _ = try await publisher.deliver("2", to: "t", qos: .exactlyOnce)
            let second = try await subscriber.receivePublish()
            let id = try #require(second.packetID)
            try await subscriber.send(.pubrec(Acknowledgement(id)))
            guard case .pubrel = try await subscriber.receive() else { throw PeerError.closed }
            try await subscriber.send(.pubcomp(Acknowledgement(id)))
            try await subscriber.send(.unsubscribe(Unsubscribe(try #require(PacketID(9)), [TopicFilter("u")])))
            guard case .unsuback = try await subscriber.receive() else { throw PeerError.closed }
            try await subscriber.send(.disconnect(Disconnect()))
            #expect(try await subscriber.receiveEnd() == nil)
            // One waits, the next finds no room.
            _ = try await publisher.deliver("3", to: "t")
            _ = try await publisher.deliver("4", to: "t")
            // This session ends.
            try await publisher.send(.disconnect(Disconnect(properties: Properties([.sessionExpiryInterval(0)]))))
            #expect(try await publisher.receiveEnd() == nil)
        }
        let kept = store.snapshot
        #expect(kept.sessions.keys.sorted() == ["s"])
        let session = try #require(kept.sessions["s"])
        #expect(session.deliveries.values.compactMap { $0.message?.content.text } == ["3"])
        #expect(session.subscriptions.keys.map(\.string) == ["t"])
        #expect(session.about.disconnectedAt != nil)
    }

    @Test("Exchanges go on where they were when the broker stopped [MQTT-4.4.0-1] [MQTT-4.3.3-10]")
    func exchanges() async throws {
        let store = MQTTMemoryStore()
        var sent: [PacketID] = []
        try await withPeers({ $0.store = store }) { peers in
            let subscriber = try await peers.connect("s", keep)
            _ = try await subscriber.subscribe("t")
            let publisher = try await peers.connect("p", keep)
            _ = try await publisher.deliver("released", to: "t", qos: .exactlyOnce)
            _ = try await publisher.deliver("once", to: "t", qos: .exactlyOnce)
            _ = try await publisher.deliver("least", to: "t")
            for _ in 0..<3 { sent.append(try #require(try await subscriber.receivePublish().packetID)) }
            try await subscriber.send(.pubrec(Acknowledgement(sent[0])))
            guard case .pubrel = try await subscriber.receive() else { throw PeerError.closed }
            // Passed on, and not released.
            try await publisher.publish("half", to: "nobody", qos: .exactlyOnce, id: 77)
            guard case .pubrec = try await publisher.receive() else { throw PeerError.closed }
        }
        try await withPeers({ $0.store = store }) { peers in
            let watcher = try await peers.connect("w")
            _ = try await watcher.subscribe("nobody")
            let publisher = try await peers.connect("p", keep)
            try await publisher.publish("half", to: "nobody", qos: .exactlyOnce, dup: true, id: 77)
            guard case .pubrec = try await publisher.receive() else { throw PeerError.closed }
            try await publisher.send(.pubrel(Acknowledgement(try #require(PacketID(77)))))
            guard case .pubcomp(let end) = try await publisher.receive() else { throw PeerError.closed }
            #expect(end.reasonCode == .success)
            try await watcher.expectNothing()
            let subscriber = try await peers.connect("s", keep)
            guard case .pubrel(let release) = try await subscriber.receive() else { throw PeerError.closed }
            #expect(release.packetID == sent[0])
            let once = try await subscriber.receivePublish()
            #expect(once.packetID == sent[1] && once.dup && once.qos == .exactlyOnce)
            let least = try await subscriber.receivePublish()
            #expect(least.packetID == sent[2] && least.dup && least.qos == .atLeastOnce)
            // New messages get other identifiers.
            _ = try await publisher.deliver("new", to: "t")
            let new = try await subscriber.receivePublish()
            #expect(!sent.contains(try #require(new.packetID)))
        }
    }

    @Test("Time goes on while the broker is away: for sessions, messages and wills [MQTT-3.3.2-6]")
    func times() async throws {
        let store = MQTTMemoryStore()
        let today = Duration.seconds(1_800_000_000)
        let will = Connect.Will(
            topic: try TopicName("wills"), payload: ByteBuffer(string: "gone"), qos: .atLeastOnce,
            properties: Properties([.willDelayInterval(60)]))
        try await withPeers({
            $0.store = store
            $0.timeOfDay = { today }
        }) { peers in
            let long = try await peers.connect("long", keep)
            _ = try await long.subscribe("t", "wills")
            let short = try await peers.connect("short") {
                $0.cleanStart = false
                $0.properties = Properties([.sessionExpiryInterval(50)])
            }
            _ = try await short.subscribe("t")
            let dying = try await peers.connect("dying") {
                keep(&$0)
                $0.will = will
            }
            for peer in [long, short, dying] { peer.close() }
            while !peers.broker.clients.isEmpty { await Task.yield() }
            let publisher = try await peers.connect("p")
            for expiry: UInt32 in [99, 300] {
                _ = try await publisher.deliver(
                    "\(expiry)", to: "t", properties: Properties([.messageExpiryInterval(expiry)]))
            }
        }
        try await withPeers({
            $0.store = store
            $0.timeOfDay = { today + .seconds(100) }
        }) { peers in
            while peers.broker.sessions.count > 2 { await Task.yield() }
            #expect(Set(peers.broker.sessions.map(\.client.identifier)) == ["long", "dying"])
            let long = try await peers.connect("long", keep)
            let message = try await long.receivePublish()
            #expect(String(buffer: message.payload) == "300")
            #expect((190...200).contains(message.properties.messageExpiryInterval ?? 0))
            let gone = try await long.receivePublish()
            #expect(String(buffer: gone.payload) == "gone")
        }
        #expect(store.snapshot.sessions["dying"]?.about.will == nil)
    }

    @Test("The will of a session that is not kept is published after a crash")
    func willAfterCrash() async throws {
        let will = Connect.Will(topic: try TopicName("wills"), payload: ByteBuffer(string: "gone"), qos: .atLeastOnce)
        let store = GatedStore()
        try await withPeers({ $0.store = store }) { peers in
            let watcher = try await peers.connect("w", keep)
            _ = try await watcher.subscribe("wills")
            _ = try await peers.connect("dying") { $0.will = will }
            // The broker crashes.
            store.change { $0.commitsLeft = 0 }
        }
        let left = MQTTMemoryStore(store.now.kept)
        try await withPeers({ $0.store = left }) { peers in
            let watcher = try await peers.connect("w", keep)
            #expect(try await String(buffer: watcher.receivePublish().payload) == "gone")
            #expect(peers.broker.sessions.map(\.client.identifier) == ["w"])
        }
        #expect(left.snapshot.sessions.keys.sorted() == ["w"])
    }

    @Test("Nobody is told of what is not committed, and nobody else waits", arguments: [QoS.atLeastOnce, .exactlyOnce])
    func waits(qos: QoS) async throws {
        let store = GatedStore()
        try await withPeers({ $0.store = store }) { peers in
            let subscriber = try await peers.connect("s", keep)
            _ = try await subscriber.subscribe("t")
            let publisher = try await peers.connect("p")
            let other = try await peers.connect("o")
            _ = try await other.subscribe("o")
            store.change {
                $0.isOpen = false
                $0.changes = []
            }
            try await publisher.publish("1", to: "t", qos: qos)
            try await store.wait(for: "the message") { !$0.changes.isEmpty }
            // Who has nothing to do with it goes on.
            #expect(try await other.deliver("2", to: "nobody", qos: qos) == .noMatchingSubscribers)
            try await other.publish("3", to: "o", qos: .atMostOnce)
            #expect(try await String(buffer: other.receivePublish().payload) == "3")
            let before = store.now.commits
            let opening = Task {
                for _ in 0..<100 { await Task.yield() }
                store.change { $0.isOpen = true }
            }
            _ = try await publisher.receive()
            #expect(store.now.commits > before)
            #expect(try await String(buffer: subscriber.receivePublish().payload) == "1")
            await opening.value
        }
    }

    @Test("What clients send while a commit takes its time is committed together")
    func groupCommit() async throws {
        let store = GatedStore()
        try await withPeers({ $0.store = store }) { peers in
            let subscriber = try await peers.connect("s", keep)
            _ = try await subscriber.subscribe("t")
            subscriber.close()
            while peers.broker.clients.contains(where: { $0.identifier == "s" }) { await Task.yield() }
            let publisher = try await peers.connect("p")
            store.change { $0.isOpen = false }
            try await publisher.publish("0", to: "t", qos: .atLeastOnce)
            try await store.wait(for: "the first") { $0.changes.contains { $0.isDelivery } }
            let before = store.now.commits
            for id: UInt16 in 2...100 { try await publisher.publish("\(id)", to: "t", qos: .atLeastOnce, id: id) }
            while peers.broker.statistics.queuedBytes < 100 * 100 { await Task.yield() }
            while peers.broker.sessions.first(where: { $0.client.identifier == "s" })?.queuedMessages != 100 {
                await Task.yield()
            }
            store.change { $0.isOpen = true }
            for id: UInt16 in 1...100 {
                guard case .puback(let ack) = try await publisher.receive() else { throw PeerError.closed }
                #expect(ack.packetID.rawValue == id)
            }
            // The one that waited, and all others in one or, while the last of them came, two.
            #expect(store.now.commits - before <= 3)
        }
    }

    @Test("What is not kept costs no commit: sessions that end with their connections, and QoS 0")
    func volatile() async throws {
        let store = GatedStore()
        try await withPeers({ $0.store = store }) { peers in
            let subscriber = try await peers.connect("s")
            _ = try await subscriber.subscribe("t")
            let publisher = try await peers.connect("p")
            for qos in [QoS.atMostOnce, .atLeastOnce, .exactlyOnce] {
                try await publisher.publish("x", to: "t", qos: qos)
                _ = try await subscriber.receivePublish()
            }
        }
        #expect(store.now.changes == [])
    }

    @Test("A store that fails is asked again, and nothing is lost")
    func failingStore() async throws {
        let clock = TestClock()
        let store = GatedStore()
        try await withPeers({
            $0.store = store
            $0.clock = MonotonicClock(clock)
        }) { peers in
            let subscriber = try await peers.connect("s", keep)
            _ = try await subscriber.subscribe("t")
            let publisher = try await peers.connect("p")
            store.change { $0.commitsLeft = 0 }
            try await publisher.publish("1", to: "t", qos: .atLeastOnce)
            try await store.wait(for: "the failure") { $0.failures == 1 }
            store.change { $0.commitsLeft = nil }
            while store.now.changes.count(where: \.isDelivery) < 2 {
                clock.advance(by: .milliseconds(100))
                await Task.yield()
            }
            guard case .puback = try await publisher.receive() else { throw PeerError.closed }
            #expect(try await String(buffer: subscriber.receivePublish().payload) == "1")
        }
    }

    @Test("A publish of the program returns when it is committed, and throws when it never is")
    func localPublish() async throws {
        let store = GatedStore()
        try await withPeers({ $0.store = store }) { peers in
            try await peers.broker.publish("kept", to: "t", retain: true)
            #expect(store.now.kept.retained.count == 1)
            store.change { $0.commitsLeft = 0 }
            let publishing = Task { try await peers.broker.publish("lost", to: "t", retain: true) }
            try await store.wait(for: "the failure") { $0.failures > 0 }
            await peers.broker.stop()
            let outcome = await publishing.result
            #expect(throws: MQTTBrokerError.self) { try outcome.get() }
        }
        #expect(store.now.kept.retained.values.map(\.message.content.text) == ["kept"])
    }

    @Test("A store that cannot be read keeps the broker from starting")
    func unreadable() async throws {
        struct Broken: MQTTBrokerStore {
            func load() async throws -> MQTTBrokerSnapshot { throw GatedStore.Failure() }
            func commit(_ changes: [MQTTBrokerChange]) async throws {}
        }
        var configuration = MQTTBrokerConfiguration(listeners: [.tcp(port: 0)])
        configuration.store = Broken()
        let broker = MQTTBroker(configuration)
        let error = await #expect(throws: MQTTBrokerError.self) { try await broker.start() }
        #expect(error?.code == .storageFailed)
    }
}

extension MQTTBrokerChange {
    fileprivate var isDelivery: Bool { if case .deliveryAdded = self { true } else { false } }
}
