import CurlewCore
import CurlewTesting
import CurlewTransport
import NIOCore
import Testing

@testable import CurlewBroker

@Suite("Waiting for commits", .timeLimit(.minutes(1)))
struct CommitTests {
    /// Sends a packet, and checks that it has no visible effect until the store has committed the change.
    private func expectWaiting(
        _ peers: PeerFactory, _ store: GatedStore, _ sender: Peer, _ receivers: [Peer], _ packet: Packet
    ) async throws {
        let other = try await peers.connect("other")
        store.change {
            $0.isOpen = false
            $0.changes = []
        }
        let before = receivers.map(\.arrivedPackets)
        try await sender.send(packet)
        try await store.wait(for: "the change by \(packet.type)") { !$0.changes.isEmpty }
        // Gives the event loops time to send what they should not. Unrelated clients are still served.
        for id: UInt16 in 1...10 {
            #expect(try await other.deliver("x", to: "nobody", qos: .exactlyOnce, id: id) == .noMatchingSubscribers)
        }
        #expect(receivers.map(\.arrivedPackets) == before, "\(packet.type)")
        store.change { $0.isOpen = true }
    }

    @Test("Each step of subscriptions and QoS 1 and 2 exchanges waits for its commit")
    func steps() async throws {
        let store = GatedStore()
        let (t, id) = (try TopicName("t"), try #require(PacketID(1)))
        try await withPeers({ $0.store = store }) { peers in
            let subscriber = try await peers.open()
            try await self.expectWaiting(
                peers, store, subscriber, [subscriber],
                .connect(
                    Connect(
                        cleanStart: false, clientIdentifier: "s", properties: Properties([.sessionExpiryInterval(1000)])
                    )))
            guard case .connack = try await subscriber.receive() else { throw PeerError.closed }
            try await self.expectWaiting(
                peers, store, subscriber, [subscriber],
                .subscribe(Subscribe(id, [Subscribe.Subscription(TopicFilter(t.string))])))
            guard case .suback = try await subscriber.receive() else { throw PeerError.closed }
            let publisher = try await peers.connect("p", keep)
            for qos in [QoS.atLeastOnce, .exactlyOnce] {
                try await self.expectWaiting(
                    peers, store, publisher, [publisher, subscriber],
                    .publish(Publish(topic: t, payload: ByteBuffer(string: "x"), qos: qos, packetID: id)))
                _ = try await publisher.receive()
                let message = try await subscriber.receivePublish()
                #expect(message.qos == qos)
                let received = Acknowledgement(try #require(message.packetID))
                guard qos == .exactlyOnce else {
                    try await subscriber.send(.puback(received))
                    continue
                }
                try await self.expectWaiting(peers, store, publisher, [publisher], .pubrel(Acknowledgement(id)))
                guard case .pubcomp = try await publisher.receive() else { throw PeerError.closed }
                try await self.expectWaiting(peers, store, subscriber, [subscriber], .pubrec(received))
                guard case .pubrel = try await subscriber.receive() else { throw PeerError.closed }
            }
            try await self.expectWaiting(
                peers, store, subscriber, [subscriber], .unsubscribe(Unsubscribe(id, [TopicFilter(t.string)])))
            guard case .unsuback = try await subscriber.receive() else { throw PeerError.closed }
        }
    }

    @Test("A connection that ends before its CONNECT is committed is closed without a packet [MQTT-3.2.0-1]")
    func silentEnd() async throws {
        let store = GatedStore(isOpen: false)
        try await withPeers({ $0.store = store }) { peers in
            let peer = try await peers.open()
            var connect = Connect(clientIdentifier: "s")
            keep(&connect)
            try await peer.send(.connect(connect))
            try await store.wait(for: "the session") { !$0.changes.isEmpty }
            while !peers.broker.disconnect("s") { try await letOthersRun() }
            #expect(try await peer.receiveEnd() == nil)
            store.change { $0.isOpen = true }
        }
    }

    @Test("A client that sends faster than the store commits is no longer read, and does not time out [MQTT-3.1.2-24]")
    func behind() async throws {
        let clock = TestClock()
        let store = GatedStore()
        try await withPeers({
            $0.store = store
            $0.clock = MonotonicClock(clock)
        }) { peers in
            let publisher = try await peers.connect("p") { $0.keepAlive = 10 }
            store.change { $0.isOpen = false }
            let large = String(repeating: "x", count: 900_000)
            for id: UInt16 in 1...30 {
                try await publisher.publish(large, to: "t/\(id)", qos: .atLeastOnce, retain: true, id: id)
            }
            while peers.broker.statistics.retainedMessages < 17 { try await letOthersRun() }
            for _ in 0..<60 { try await clock.advanceToSleeper(within: .seconds(1)) }
            #expect(peers.broker.clients.count == 1)
            #expect(peers.broker.statistics.retainedMessages < 30)
            store.change { $0.isOpen = true }
            for id: UInt16 in 1...30 {
                guard case .puback(let ack) = try await publisher.receive() else { throw PeerError.closed }
                #expect(ack.packetID.rawValue == id)
            }
        }
    }

    @Test("A CONNECT waits while the store is behind, and is refused only after the connect timeout")
    func connectingWhileBehind() async throws {
        let clock = TestClock()
        let store = GatedStore()
        try await withPeers({
            $0.store = store
            $0.clock = MonotonicClock(clock)
            $0.limits.connectTimeout = .seconds(10)
        }) { peers in
            let publisher = try await peers.connect("p")
            store.change { $0.isOpen = false }
            let large = String(repeating: "x", count: 900_000)
            for id: UInt16 in 1...20 {
                try await publisher.publish(large, to: "t/\(id)", qos: .atLeastOnce, retain: true, id: id)
            }
            while peers.broker.statistics.retainedMessages < 19 { try await letOthersRun() }
            var connect = Connect(clientIdentifier: "impatient")
            keep(&connect)
            let impatient = try await peers.open()
            try await impatient.send(.connect(connect))
            // The timeout counts from CONNECT, which must have arrived before time passes.
            for worker in peers.broker.workers.all { try await worker.eventLoop.submit {}.get() }
            var passed = Duration.zero
            while passed < .seconds(12) { passed += try await clock.advanceToSleeper(within: .seconds(1)) }
            guard case .connack(let refusal)? = try await impatient.receiveEnd() else { throw PeerError.closed }
            #expect(refusal.reasonCode == .serverBusy)
            let patient = try await peers.open()
            connect.clientIdentifier = "patient"
            try await patient.send(.connect(connect))
            store.change { $0.isOpen = true }
            guard case .connack(let ack) = try await patient.receive() else { throw PeerError.closed }
            #expect(ack.reasonCode == .success)
        }
    }

    @Test("Changes that arrive during a commit are committed together")
    func groupCommit() async throws {
        let store = GatedStore()
        try await withPeers({ $0.store = store }) { peers in
            let subscriber = try await peers.connect("s", keep)
            _ = try await subscriber.subscribe("t")
            subscriber.close()
            while peers.broker.clients.contains(where: { $0.identifier == "s" }) { try await letOthersRun() }
            let publisher = try await peers.connect("p")
            store.change { $0.isOpen = false }
            try await publisher.publish("0", to: "t", qos: .atLeastOnce)
            try await store.wait(for: "the first") { $0.changes.contains { $0.isDelivery } }
            let before = store.now.commits
            for id: UInt16 in 2...100 { try await publisher.publish("\(id)", to: "t", qos: .atLeastOnce, id: id) }
            while peers.broker.statistics.queuedBytes < 100 * 100 { try await letOthersRun() }
            while peers.broker.sessions.first(where: { $0.client.identifier == "s" })?.queuedMessages != 100 {
                await Task.yield()
            }
            store.change { $0.isOpen = true }
            for id: UInt16 in 1...100 {
                guard case .puback(let ack) = try await publisher.receive() else { throw PeerError.closed }
                #expect(ack.packetID.rawValue == id)
            }
            // One commit for the first message, and one or two for all the others that arrived during it.
            #expect(store.now.commits - before <= 3)
        }
    }

    @Test("Sessions that end with their connections, and QoS 0 messages, cause no commits")
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

    @Test("A failed commit is retried, and nothing is lost")
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

    @Test("The program's publish returns after the commit, and throws if the commit never succeeds")
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
}

extension MQTTBrokerChange {
    fileprivate var isDelivery: Bool { if case .deliveryAdded = self { true } else { false } }
}
