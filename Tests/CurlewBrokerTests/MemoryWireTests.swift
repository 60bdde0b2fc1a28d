import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization
import Testing

@testable import CurlewBroker
@testable import CurlewTesting

@Suite("Memory that clients make the broker hold", .timeLimit(.minutes(5)))
struct MemoryWireTests {
    private func keep(_ connect: inout Connect) { connect.properties = Properties([.sessionExpiryInterval(1000)]) }

    /// Connects, subscribes and disconnects; the session is kept.
    private func leave(_ name: String, subscribedTo filters: [String], _ peers: PeerFactory) async throws {
        let peer = try await peers.connect(name, self.keep)
        for filter in filters { #expect(try await peer.subscribe(filter) == [.grantedQoS2]) }
        try await peer.send(.disconnect(Disconnect()))
        #expect(try await peer.receiveEnd() == nil)
    }

    private static let large = String(repeating: "x", count: 100_000)

    @Test("A message queued for many offline clients counts once and takes no room from other clients")
    func shared() async throws {
        try await withPeers {
            $0.limits.maximumMemory = 8 << 20
        } _: { peers in
            for number in 0..<17 { try await self.leave("away\(number)", subscribedTo: ["shared"], peers) }
            try await self.leave("honest", subscribedTo: ["own"], peers)
            let publisher = try await peers.connect("p")
            for id in 1...20 as ClosedRange<UInt16> {
                #expect(try await publisher.deliver(Self.large, to: "shared", id: id) == .success)
            }
            #expect(peers.broker.statistics.queuedBytes < 21 * 132_000)
            for id in 1...100 as ClosedRange<UInt16> {
                #expect(try await publisher.deliver("\(id)", to: "own", id: id) == .success)
            }
            #expect(peers.broker.statistics.messagesDropped == 0)
        }
    }

    @Test("A shared message's memory is released when its last receiver has acknowledged it")
    func givenBack() async throws {
        try await withPeers { peers in
            let names = ["a", "b"]
            for name in names { try await self.leave(name, subscribedTo: ["t"], peers) }
            let publisher = try await peers.connect("p")
            let before = peers.broker.statistics.heldBytes
            #expect(try await publisher.deliver(Self.large, to: "t") == .success)
            for name in names {
                #expect(peers.broker.statistics.queuedBytes > 100_000)
                let peer = try await peers.connect(name) {
                    self.keep(&$0)
                    $0.cleanStart = false
                }
                let message = try await peer.receivePublish()
                try await peer.send(.puback(Acknowledgement(try #require(message.packetID))))
                try await peer.expectNothing()
                try await peer.send(.disconnect(Disconnect()))
                #expect(try await peer.receiveEnd() == nil)
            }
            #expect(peers.broker.statistics.queuedBytes == 0)
            while peers.broker.clients.count > 1 { try await letOthersRun() }
            #expect(peers.broker.statistics.heldBytes <= before + 8192)
        }
    }

    @Test("A greedy client's kept sessions never exceed the limit, and other clients are still served")
    func greedy() async throws {
        let limit = 3 << 20
        try await withPeers {
            $0.limits.maximumMemory = limit
        } _: { peers in
            let publisher = try await peers.connect("greedy")
            for number in 0..<12 {
                try await self.leave("away\(number)", subscribedTo: ["own/\(number)"], peers)
                var refused = 0
                for id in 1...20 as ClosedRange<UInt16> {
                    let code = try await publisher.deliver(Self.large, to: "own/\(number)", id: id)
                    if code == .quotaExceeded { refused += 1 }
                }
                #expect(refused > 0)
                #expect(peers.broker.statistics.heldBytes < limit)
            }
            try await self.leave("honest", subscribedTo: ["honest"], peers)
            // Served both before and after the largest holders have released memory.
            let other = try await peers.connect("other")
            for id in 1...10 as ClosedRange<UInt16> {
                #expect(try await other.deliver("\(id)", to: "honest", id: id) == .success)
            }
        }
    }

    @Test("One publisher's retained messages leave room for those of others")
    func retained() async throws {
        try await withPeers {
            $0.limits.maximumMemory = 2 << 20
        } _: { peers in
            let greedy = try await peers.connect("greedy")
            var refused = 0
            for id in 1...40 as ClosedRange<UInt16> {
                let code = try await greedy.deliver(Self.large, to: "r/\(id)", retain: true, id: id)
                if code == .quotaExceeded { refused += 1 }
            }
            #expect(refused > 0)
            #expect(peers.broker.statistics.heldBytes < 2 << 20)
            let honest = try await peers.connect("honest")
            #expect(try await honest.deliver("on", to: "lamp", retain: true) == .noMatchingSubscribers)
            #expect(try peers.broker.retained(matching: "lamp").map(\.text) == ["on"])
        }
    }

    /// A client that gets one of several retained messages and acknowledges nothing.
    private func slow(_ peers: PeerFactory, _ filter: String) async throws -> Peer {
        let peer = try await peers.connect("slow") {
            $0.cleanStart = false
            $0.properties = Properties([.sessionExpiryInterval(1000), .receiveMaximum(1)])
        }
        if !peer.connAck.sessionPresent { _ = try await peer.subscribe(filter) }
        return peer
    }

    private func retain(_ text: String, _ number: Int, _ peers: PeerFactory) async throws {
        try await peers.broker.publish(text, to: "r/\(number)", qos: .atLeastOnce, retain: true)
    }

    @Test("Retained messages that a client has not received on one connection are sent on the next")
    func retainedOfReturned() async throws {
        try await withPeers { peers in
            for number in 0..<5 { try await self.retain("x", number, peers) }
            let peer = try await self.slow(peers, "r/+")
            _ = try await peer.receivePublish()
            peer.close()
            let back = try await self.slow(peers, "r/+")
            var topics: Set<String> = []
            while topics.count < 5 {
                let message = try await back.receivePublish()
                topics.insert(message.topic?.string ?? "")
                try await back.send(.puback(Acknowledgement(try #require(message.packetID))))
            }
        }
    }

    @Test("Replaced retained messages count towards the session that still has to receive them")
    func retainedOfSlow() async throws {
        try await withPeers { peers in
            let engine = peers.broker.engine
            for number in 0..<10 { try await self.retain(Self.large, number, peers) }
            let peer = try await self.slow(peers, "r/+")
            _ = try await peer.receivePublish()
            try await peer.expectNothing()
            let session = try #require(engine.sessions["slow"])
            func held() -> Int { session.holding(engine.retained.withLock { $0.now }) }
            let before = held()
            #expect(before < 400_000)
            for number in 0..<10 { try await self.retain("", number, peers) }
            #expect(held() > before + 900_000)
            try await peer.send(
                .unsubscribe(Unsubscribe(try #require(PacketID(2)), [try TopicFilter("r/+")])))
            guard case .unsuback = try await peer.receive() else { throw PeerError.closed }
            #expect(held() < before + 10_000)
        }
    }

    @Test("A session that ends with retained messages on their way releases them, even if a route still refers to it")
    func retainedOfEnded() async throws {
        try await withPeers { peers in
            let engine = peers.broker.engine
            for number in 0..<10 { try await self.retain(Self.large, number, peers) }
            let peer = try await self.slow(peers, "r/+")
            let first = try await peer.receivePublish()
            // Now the route of this topic is cached, with the session.
            try await peers.broker.publish("x", to: "r/0", qos: .atLeastOnce)
            for number in 0..<10 { try await self.retain("", number, peers) }
            #expect(peers.broker.statistics.queuedBytes > 900_000)
            try await peer.send(
                .disconnect(Disconnect(properties: Properties([.sessionExpiryInterval(0)]))))
            #expect(try await peer.receiveEnd() == nil)
            while engine.sessions["slow"] != nil { try await letOthersRun() }
            #expect(peers.broker.statistics.queuedBytes == 0)
            withExtendedLifetime(first) {}
        }
    }

    @Test("A session that ends while its rights are checked is not counted again")
    func endedMeanwhile() async throws {
        /// Ends the session that it is asked about.
        final class Ending: MQTTBrokerAuthorizer {
            let broker = Watched<MQTTBroker?>(nil)

            func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision {
                guard let broker = self.broker.change({ $0 }), let session = broker.engine.sessions[client.identifier]
                else { return .allow }
                broker.engine.end(session, on: broker.workers.all[0])
                return .deny
            }
        }
        let ending = Ending()
        try await withPeers {
            $0.authorizers = [ending]
        } _: { peers in
            try await self.leave("a", subscribedTo: ["t", "u"], peers)
            let session = try #require(peers.broker.engine.sessions["a"])
            while !peers.broker.clients.isEmpty { try await letOthersRun() }
            ending.broker.change { $0 = peers.broker }
            try await peers.broker.reload()
            #expect(session.state.withLock { $0.isOver })
            #expect(session.state.withLock { $0.reportedBytes } == 0)
            #expect(session.weight.load(ordering: .relaxed) == 0)
            let (engine, worker, topic) = (
                peers.broker.engine, peers.broker.workers.all[0], try TopicName("t")
            )
            try await worker.eventLoop.submit { engine.revoke([topic], from: session, on: worker) }.get()
            #expect(session.state.withLock { $0.reportedBytes } == 0)
        }
    }

    @Test("A will is no longer counted after it is discarded")
    func willNotHeld() async throws {
        try await withPeers { peers in
            let topic = try TopicName("w")
            let peer = try await peers.connect("a") {
                self.keep(&$0)
                $0.will = Connect.Will(topic: topic, payload: ByteBuffer(repeating: 1, count: 60_000))
            }
            let session = try #require(peers.broker.engine.sessions["a"])
            #expect(session.weight.load(ordering: .relaxed) > 60_000)
            try await peer.send(.disconnect(Disconnect()))
            #expect(try await peer.receiveEnd() == nil)
            #expect(session.weight.load(ordering: .relaxed) < 10_000)
        }
    }

    // MARK: Whose memory is reclaimed

    /// A client with so many subscriptions that it holds the most memory.
    private func largest(_ peers: PeerFactory, _ change: (inout Connect) -> Void = { _ in }) async throws -> Peer {
        let peer = try await peers.connect("largest", change)
        let filler = String(repeating: "f", count: 500)
        let filters = try (0..<500).map { Subscribe.Subscription(try TopicFilter("\($0)/\(filler)")) }
        try await peer.send(.subscribe(Subscribe(try #require(PacketID(1)), filters)))
        guard case .suback(let ack) = try await peer.receive() else { throw PeerError.closed }
        #expect(ack.reasonCodes.allSatisfy { $0 == .grantedQoS2 })
        return peer
    }

    /// Fills the memory with retained messages of the program, then reclaims memory from the largest holders.
    private func reclaim(_ peers: PeerFactory) async throws {
        let engine = peers.broker.engine
        for number in 0..<100 where !engine.budget.isFull {
            try await peers.broker.publish(Self.large, to: "r/\(number)", retain: true)
        }
        #expect(engine.budget.isFull)
        let worker = peers.broker.workers.all[0]
        try await worker.eventLoop.submit { engine.reclaimMemory(on: worker) }.get()
    }

    @Test("While the largest holder is being disconnected, no other client loses messages")
    func largestAlonePays() async throws {
        try await withPeers {
            $0.limits.maximumMemory = 4 << 20
        } _: { peers in
            let publisher = try await peers.connect("p")
            for number in 0..<5 {
                try await self.leave("honest\(number)", subscribedTo: ["h/\(number)"], peers)
                #expect(try await publisher.deliver(Self.large, to: "h/\(number)") == .success)
            }
            let largest = try await self.largest(peers)
            try await self.reclaim(peers)
            guard case .disconnect(let end)? = try await largest.receiveEnd() else { throw PeerError.closed }
            #expect(end.reasonCode == .quotaExceeded)
            #expect(peers.broker.statistics.messagesDropped == 0)
        }
    }

    @Test("Packets that the largest holder has already sent are processed before its connection closes [MQTT-3.14.4-3]")
    func goodbyeOfLargest() async throws {
        try await withPeers {
            $0.limits.maximumMemory = 4 << 20
            $0.limits.messageRate = .init(perSecond: 1, burst: 1)
        } _: { peers in
            let watcher = try await peers.connect("w")
            _ = try await watcher.subscribe("t")
            let will = Connect.Will(topic: try TopicName("t"), payload: ByteBuffer(string: "gone"))
            let largest = try await self.largest(peers) { $0.will = will }
            for number in 1...4 { try await largest.publish("\(number)", to: "t") }
            try await largest.send(.disconnect(Disconnect()))
            try await largest.link.eventLoop.submit {}.get()
            try await self.reclaim(peers)
            #expect(try await largest.receiveEnd() == nil)
            for number in 1...4 {
                #expect(try await watcher.receivePublish().payload == ByteBuffer(string: "\(number)"))
            }
            try await watcher.expectNothing()
        }
    }

    @Test("The memory for incomplete packets is limited, and a small client is still served")
    func halfSent() async throws {
        let limit = 4 << 20
        try await withPeers {
            $0.limits.maximumMemory = limit
        } _: { peers in
            // The start of a PUBLISH of 900,000 bytes.
            var half = ByteBuffer(bytes: [0x30, 0xA0, 0xF7, 0x36, 0x00, 0x01, 0x61, 0x00])
            half.writeRepeatingByte(0x78, count: 500_000)
            var hostile: [Peer] = []
            for number in 0..<20 {
                let peer = try await peers.connect("hostile\(number)")
                peer.send(half)
                hostile.append(peer)
            }
            while peers.broker.clients.count == hostile.count { try await letOthersRun() }
            while peers.broker.statistics.heldBytes > limit { try await letOthersRun() }
            let honest = try await peers.connect("honest")
            _ = try await honest.subscribe("t")
            try await honest.publish("x", to: "t")
            #expect(try await honest.receivePublish().payload == ByteBuffer(string: "x"))
        }
    }

    @Test("A packet that stays incomplete closes its connection, even without a keep alive")
    func neverEnding() async throws {
        let clock = TestClock()
        try await withPeers {
            $0.clock = MonotonicClock(clock)
        } _: { peers in
            let peer = try await peers.connect("a")
            // The PINGRESP shows that the incomplete packet has arrived too.
            peer.send(ByteBuffer(bytes: [0xC0, 0x00, 0x30, 0x64, 0x00]))
            guard case .pingresp = try await peer.receive() else { throw PeerError.closed }
            let other = try await peers.connect("b")
            try await other.expectNothing()
            for _ in 0..<32 {
                try await clock.advanceToSleeper(within: .seconds(1))
                try await other.expectNothing()
            }
            guard case .disconnect(let end)? = try await peer.receiveEnd() else { throw PeerError.closed }
            #expect(end.reasonCode == .quotaExceeded)
        }
    }

    @Test("When the memory limit is exceeded, the largest holders pay, and a new client is served")
    func largestPays() async throws {
        let limit = 1 << 20
        try await withPeers {
            $0.limits.maximumMemory = limit
        } _: { peers in
            var count = 0
            // Each client holds little more than the minimum; together they exceed the limit.
            while peers.broker.statistics.heldBytes <= limit + (32 << 10), count < 1000 {
                count += 1
                let peer = try await peers.connect("small\(count)", self.keep)
                // While connected, this client may itself be one of the largest holders.
                guard (try? await peer.subscribe(String(repeating: "f", count: 500))) != nil else { continue }
                try await peer.send(.disconnect(Disconnect()))
                _ = try await peer.receiveEnd()
            }
            while peers.broker.statistics.heldBytes > limit { try await letOthersRun() }
            #expect(peers.broker.sessions.count < count)
            let newcomer = try await peers.connect("newcomer")
            #expect(try await newcomer.subscribe("t") == [.grantedQoS2])
        }
    }

    @Test("A client's name, subscriptions and will are counted, and released when its session ends")
    func namesAndFilters() async throws {
        try await withPeers { peers in
            let before = peers.broker.statistics.heldBytes
            let topic = String(repeating: "t", count: 60_000)
            let will = Connect.Will(topic: try TopicName("w"), payload: ByteBuffer(repeating: 1, count: 60_000))
            let peer = try await peers.connect(String(repeating: "n", count: 60_000)) {
                self.keep(&$0)
                $0.will = will
            }
            _ = try await peer.subscribe(topic)
            #expect(peers.broker.statistics.heldBytes > before + 300_000)
            try await peer.send(.disconnect(Disconnect(properties: Properties([.sessionExpiryInterval(0)]))))
            #expect(try await peer.receiveEnd() == nil)
            peer.close()
            while peers.broker.statistics.heldBytes > before { try await letOthersRun() }
            #expect(peers.broker.statistics.heldBytes == before)
        }
    }
}
