import CurlewBroker
import CurlewCore
import CurlewTesting
import CurlewTransport
import NIOCore
import Testing

/// A client whose session outlives its connection.
func keep(_ connect: inout Connect) {
    connect.cleanStart = false
    connect.properties = Properties([.sessionExpiryInterval(1000)])
}

@Suite("Storage", .timeLimit(.minutes(1)))
struct StorageTests {
    @Test("Sessions, subscriptions, queued and retained messages outlive the broker [MQTT-4.1.0-1]")
    func outlives() async throws {
        let store = MQTTMemoryStore()
        try await withPeers({ $0.store = store }) { peers in
            let subscriber = try await peers.connect("s", keep)
            #expect(
                try await subscriber.subscribe("t/#", "$share/group/u", identifier: 7) == [.grantedQoS2, .grantedQoS2])
            try await subscriber.send(.disconnect(Disconnect()))
            #expect(try await subscriber.receiveEnd() == nil)
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

    @Test("Acknowledged and dropped messages, ended subscriptions and ended sessions are removed from the store")
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
            // One message is queued; the next one has no room.
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

    @Test("QoS exchanges resume after a restart where they stopped [MQTT-4.4.0-1] [MQTT-4.3.3-10]")
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
            // Received and forwarded, but not yet released by PUBREL.
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
            // New messages get different packet identifiers.
            _ = try await publisher.deliver("new", to: "t")
            let new = try await subscriber.receivePublish()
            #expect(!sent.contains(try #require(new.packetID)))
        }
    }

    @Test("Session expiry, message expiry and will delay count the time while the broker is stopped [MQTT-3.3.2-6]")
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
            while !peers.broker.clients.isEmpty { try await letOthersRun() }
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
            while peers.broker.sessions.count > 2 { try await letOthersRun() }
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

    @Test("After a crash, the will of a session that is not kept is published")
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

    @Test("The broker does not start if its store cannot be read")
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

    @Test("A failed start does not change the store")
    func failedStart() async throws {
        let clock = TestClock()
        let store = MQTTMemoryStore()
        try await withPeers({ $0.store = store }) { peers in _ = try await peers.connect("s", keep) }
        let before = store.snapshot
        try await withBroker { other in
            let port = try #require(await other.broker.listeners.first?.port)
            var configuration = MQTTBrokerConfiguration(listeners: [.tcp(port: port)])
            configuration.store = store
            configuration.clock = MonotonicClock(clock)
            await #expect(throws: MQTTBrokerError.self) { try await MQTTBroker(configuration).start() }
        }
        clock.advance(by: .seconds(2000))
        #expect(store.snapshot == before)
    }

    @Test("A session discarded by Clean Start is not restored after a crash [MQTT-3.1.2-4]")
    func overIsOver() async throws {
        let store = GatedStore()
        try await withPeers({ $0.store = store }) { peers in
            let first = try await peers.connect("s", keep)
            _ = try await first.subscribe("t")
            let second = try await peers.connect("s")
            #expect(!second.connAck.sessionPresent)
            // The broker crashes.
            store.change { $0.commitsLeft = 0 }
        }
        try await withPeers({ $0.store = MQTTMemoryStore(store.now.kept) }) { peers in
            let peer = try await peers.connect("s", keep)
            #expect(!peer.connAck.sessionPresent)
            #expect(peers.broker.statistics.subscriptions == 0)
        }
    }

    @Test(
        "When a shared subscription's member leaves, its queued messages are stored with another member [MQTT-4.8.2-5]")
    func sharedSubscription() async throws {
        let store = MQTTMemoryStore()
        try await withPeers({ $0.store = store }) { peers in
            let (first, second) = (try await peers.connect("1", keep), try await peers.connect("2", keep))
            _ = try await first.subscribe("$share/g/t")
            first.close()
            while peers.broker.clients.count > 1 { try await letOthersRun() }
            let publisher = try await peers.connect("p")
            for number in 0..<5 { _ = try await publisher.deliver("\(number)", to: "t", qos: .exactlyOnce) }
            _ = try await second.subscribe("$share/g/t")
            second.close()
            while peers.broker.clients.count > 1 { try await letOthersRun() }
            let leaving = try await peers.connect("1") {
                $0.cleanStart = true
                $0.properties = Properties([.sessionExpiryInterval(0)])
            }
            try await leaving.expectNothing()
        }
        let kept = store.snapshot
        #expect(kept.sessions.keys.sorted() == ["2"])
        let waiting = kept.sessions["2"]?.deliveries.values.sorted { $0.number < $1.number } ?? []
        #expect(waiting.compactMap { $0.message?.content.text } == ["0", "1", "2", "3", "4"])
    }

    @Test("A broker whose task is cancelled stores everything before it ends")
    func cancelledRun() async throws {
        let store = GatedStore()
        var configuration = MQTTBrokerConfiguration(listeners: [.tcp(port: 0)])
        configuration.store = store
        configuration.systemTopicInterval = .zero
        let broker = MQTTBroker(configuration)
        let running = Task { try await broker.run() }
        while await broker.listeners.isEmpty { try await letOthersRun() }
        store.change { $0.isOpen = false }
        let publishing = Task { try await broker.publish("kept", to: "t", retain: true) }
        try await store.wait(for: "the message") { !$0.changes.isEmpty }
        running.cancel()
        while await !broker.listeners.isEmpty { try await letOthersRun() }
        store.change { $0.isOpen = true }
        try await running.value
        #expect(store.now.kept.retained.count == 1)
        #expect(try await publishing.value == 0)
    }
}
