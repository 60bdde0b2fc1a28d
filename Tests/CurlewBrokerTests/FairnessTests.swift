import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization
import Testing

@testable import CurlewBroker

/// Work that one client causes delays other clients of the same event loop by no more than one turn.
@Suite("Fairness", .timeLimit(.minutes(2)))
struct FairnessTests {
    // MARK: Many filters

    @Test("Other clients are served while a packet with thousands of filters is processed", arguments: [true, false])
    func manyFilters(subscribes: Bool) async throws {
        // One turn takes 2,048 filters, and the next turn may follow at once.
        let count = 10_000
        let stage = Stage()
        try await withPeers {
            $0.authorizers = [stage]
            $0.publishFilters = [stage]
            $0.observers = [stage]
        } _: { peers in
            let greedy = try await peers.connect("greedy")
            let filters = try (0..<count).map { try TopicFilter("f/\($0)") }
            let id = try #require(PacketID(1))
            let subscribe = Packet.subscribe(Subscribe(id, filters.map { Subscribe.Subscription($0) }))
            if !subscribes {
                try await greedy.send(subscribe)
                guard case .suback = try await greedy.receive() else { throw PeerError.closed }
            }
            stage.watch(.subscription, of: peers.broker)
            try await greedy.send(subscribes ? subscribe : .unsubscribe(Unsubscribe(id, filters)))
            switch try await greedy.receive() {
            case .suback(let ack): #expect(ack.reasonCodes.allSatisfy { $0 == .grantedQoS2 })
            case .unsuback(let ack): #expect(ack.reasonCodes.allSatisfy { $0 == .success })
            case let packet: throw PeerError.unexpected(packet)
            }
            // What arrived during the first filter had its turn before the last filters were processed.
            let turn = await stage.turn()
            #expect(turn < count / 2)
        }
    }

    @Test("The end of a session with thousands of subscriptions is divided into turns and completes")
    func endOfSession() async throws {
        let count = 5000
        let stage = Stage()
        try await withPeers {
            $0.observers = [stage]
        } _: { peers in
            let greedy = try await peers.connect("greedy")
            let filters = try (0..<count).map { Subscribe.Subscription(try TopicFilter("f/\($0)")) }
            try await greedy.send(.subscribe(Subscribe(try #require(PacketID(1)), filters)))
            guard case .suback = try await greedy.receive() else { throw PeerError.closed }
            stage.watch(.end, of: peers.broker) { peers.broker.statistics.subscriptions }
            try await greedy.send(.disconnect(Disconnect()))
            #expect(await stage.turn() > 0)
            while peers.broker.statistics.subscriptions > 0 { try await letOthersRun() }
            #expect(peers.broker.sessions.isEmpty)
        }
    }

    // MARK: Many messages

    @Test("Other clients are served while many small messages of one read are processed")
    func smallMessages() async throws {
        let count = 40_000
        let stage = Stage()
        try await withPeers {
            $0.publishFilters = [stage]
        } _: { peers in
            let greedy = try await peers.connect("greedy")
            stage.watch(.message, of: peers.broker)
            greedy.send(try self.flood(count))
            #expect(await stage.turn() < count)
            try await greedy.expectNothing()
            #expect(stage.steps == count)
        }
    }

    @Test("Everything that a client sent before it closed the connection is processed")
    func closedWhileWaiting() async throws {
        let count = 40_000
        try await withPeers { peers in
            let watcher = try await peers.connect("watcher")
            _ = try await watcher.subscribe("#")
            let peer = try await peers.connect("a") {
                $0.will = .init(topic: TopicName(unchecked: "will"), payload: ByteBuffer(string: "gone"))
            }
            var bytes = try self.flood(count)
            try Packet.disconnect(Disconnect()).encode(into: &bytes, version: .v5_0)
            peer.send(bytes)
            peer.close()
            for _ in 0..<count { #expect(try await watcher.receivePublish().topic?.string == "t") }
            // DISCONNECT was processed, so there is no will [MQTT-3.14.4-3].
            try await watcher.expectNothing()
            while peers.broker.clients.count > 1 { try await letOthersRun() }
        }
    }

    @Test("A takeover waits until everything that the previous owner sent is processed")
    func takenOverWhileWaiting() async throws {
        let count = 40_000
        try await withPeers { peers in
            let watcher = try await peers.connect("watcher")
            _ = try await watcher.subscribe("#")
            let first = try await peers.connect("a")
            let second = try await peers.open()
            first.send(try self.flood(count))
            try await second.send(.connect(Connect(clientIdentifier: "a")))
            guard case .connack(let ack) = try await second.receive() else { throw PeerError.closed }
            #expect(ack.reasonCode == .success)
            for _ in 0..<count { _ = try await watcher.receivePublish() }
            guard case .disconnect(let end)? = try await first.receiveEnd() else { throw PeerError.closed }
            #expect(end.reasonCode == .sessionTakenOver)
        }
    }

    private func flood(_ count: Int) throws -> ByteBuffer {
        var bytes = ByteBuffer()
        let packet = Packet.publish(Publish(topic: TopicName(unchecked: "t"), payload: ByteBuffer(), qos: .atMostOnce))
        for _ in 0..<count { try packet.encode(into: &bytes, version: .v5_0) }
        return bytes
    }

    @Test("Unsubscribing from shared subscriptions with a long queue is divided into turns by the queue's length")
    func sharedSubscriptions() async throws {
        let (count, stage) = (100, Stage())
        try await withPeers {
            $0.observers = [stage]
        } _: { peers in
            let greedy = try await peers.connect("greedy") { $0.properties = Properties([.receiveMaximum(1)]) }
            for number in 0..<count { _ = try await greedy.subscribe("$share/\(number)/none") }
            _ = try await greedy.subscribe("t")
            for _ in 0..<5000 { try await peers.broker.publish("x", to: "t", qos: .atLeastOnce) }
            stage.watch(.subscription, of: peers.broker)
            var bytes = ByteBuffer()
            for number in 0..<count {
                let filter = try TopicFilter("$share/\(number)/none")
                try Packet.unsubscribe(Unsubscribe(try #require(PacketID(1)), [filter])).encode(
                    into: &bytes, version: .v5_0)
            }
            greedy.send(bytes)
            #expect(await stage.turn() < count)
        }
    }

    // MARK: Many rights

    private func subscribe(_ peer: Peer, count: Int) async throws {
        // Looking for retained messages would take turns too.
        let options = SubscriptionOptions(retainHandling: .doNotSend)
        let filters = try (0..<count).map { Subscribe.Subscription(try TopicFilter("f/\($0)"), options) }
        try await peer.send(.subscribe(Subscribe(try #require(PacketID(1)), filters)))
        guard case .suback = try await peer.receive() else { throw PeerError.closed }
        // Without this, the rest of its turn may still be due.
        try await peer.expectNothing()
    }

    @Test("Other clients are served while a reload checks thousands of subscriptions", arguments: [false, true])
    func reload(isDenied: Bool) async throws {
        let (count, stage) = (10_000, Stage())
        try await withPeers {
            $0.authorizers = [stage]
        } _: { peers in
            let greedy = try await peers.connect("greedy")
            try await self.subscribe(greedy, count: count)
            stage.watch(.subscription, of: peers.broker, denies: isDenied)
            try await peers.broker.reload()
            #expect(await stage.turn() < count / 2)
            #expect(stage.steps == count)
            #expect(peers.broker.statistics.subscriptions == (isDenied ? 0 : count))
            try await greedy.expectNothing()
        }
    }

    @Test("Clients are served while a CONNECT rechecks thousands of subscriptions; the session stays with its client")
    func returnThroughOtherListener() async throws {
        let (count, stage) = (10_000, Stage())
        let network = InMemoryNetwork()
        let endpoint = Endpoint(host: "other", port: 1883)
        try await withPeers {
            var other = MQTTBrokerConfiguration.Listener.inMemory(network, at: endpoint)
            other.authorizers = [stage]
            $0.listeners.append(other)
        } _: { peers in
            let keep = { (connect: inout Connect) in
                connect.cleanStart = false
                connect.properties = Properties([.sessionExpiryInterval(1000)])
            }
            var connect = Connect(clientIdentifier: "greedy")
            keep(&connect)
            let greedy = try await peers.connect("greedy", keep)
            try await self.subscribe(greedy, count: count)
            let others = PeerFactory(broker: peers.broker, network: network, endpoint: endpoint)
            let (first, second) = (try await others.open(), try await others.open())
            stage.watch(.subscription, of: peers.broker)
            try await first.send(.connect(connect))
            #expect(await stage.turn() < count / 2)
            // The client disconnects while its subscriptions are checked.
            first.close()
            try await second.send(.connect(connect))
            guard case .connack(let ack) = try await second.receive() else { throw PeerError.closed }
            #expect(ack.reasonCode == .success)
            #expect(ack.sessionPresent)
            try await second.expectNothing()
            #expect(peers.broker.clients.count == 1)
            #expect(peers.broker.statistics.subscriptions == count)
        }
    }

    // MARK: Wills

    @Test("Other clients are served while the wills of many lost clients are published")
    func wills() async throws {
        let (count, stage, blocker) = (300, Stage(), Blocker())
        try await withPeers {
            $0.publishFilters = [stage]
        } _: { peers in
            var receivers: [MQTTBrokerSubscription] = []
            for _ in 0..<200 { receivers.append(try await peers.broker.subscribe(to: "wills/#")) }
            var doomed: [Peer] = []
            for number in 0..<2 * count {
                let will = Connect.Will(topic: try TopicName("wills/\(number)"), payload: ByteBuffer(string: "gone"))
                doomed.append(try await peers.connect("c\(number)") { $0.will = will })
            }
            let session = try #require(peers.broker.engine.sessions["c0"])
            let worker = try #require(session.state.withLock { $0.connection }).worker
            // Clients on other event loops are all lost while the broker's own loop is busy.
            let others = doomed.filter { $0.link.eventLoop !== worker.eventLoop }
            doomed = others.count < count ? doomed : Array(others.prefix(count))
            stage.watch(.message, of: peers.broker)
            worker.eventLoop.execute { blocker.block() }
            await blocker.isBlocking()
            for peer in doomed { peer.close() }
            for peer in others { try await peer.link.eventLoop.submit {}.get() }
            blocker.release()
            #expect(await stage.turn() < count - 50)
            while stage.steps < doomed.count { try await letOthersRun() }
            #expect(receivers.allSatisfy { $0.droppedCount == 0 })
        }
    }

    // MARK: Internal limits refuse nothing

    @Test(
        "Thousands of SUBSCRIBEs at once are granted, even if the client acknowledges no retained messages",
        arguments: [
            false, true,
        ])
    func pipelined(isStuck: Bool) async throws {
        let count = 3000
        try await withPeers { peers in
            for number in 0..<10 {
                try await peers.broker.publish("r", to: "r/\(number)", qos: .atLeastOnce, retain: true)
            }
            let peer = try await peers.connect("a") { $0.properties = Properties([.receiveMaximum(1)]) }
            if isStuck { _ = try await peer.subscribe("r/+") }
            var bytes = ByteBuffer()
            for number in 1...count {
                let subscription = Subscribe.Subscription(
                    try TopicFilter("r/\(number)"), SubscriptionOptions(qos: .atMostOnce))
                let id = try #require(PacketID(UInt16(number)))
                try Packet.subscribe(Subscribe(id, [subscription])).encode(into: &bytes, version: .v5_0)
            }
            peer.send(bytes)
            var granted = 0
            while granted < count {
                switch try await peer.receive() {
                case .suback(let ack):
                    #expect(ack.reasonCodes == [.success])
                    granted += 1
                case .publish: break
                case let packet: throw PeerError.unexpected(packet)
                }
            }
        }
    }

    @Test("One SUBSCRIBE may have as many filters as a client may have subscriptions")
    func oneLargeSubscribe() async throws {
        let count = 20_000
        try await withPeers { peers in
            let peer = try await peers.connect("a")
            let filters = try (0..<count).map { Subscribe.Subscription(try TopicFilter("f/\($0)")) }
            try await peer.send(.subscribe(Subscribe(try #require(PacketID(1)), filters)))
            guard case .suback(let ack) = try await peer.receive() else { throw PeerError.closed }
            #expect(ack.reasonCodes.allSatisfy { $0 == .grantedQoS2 })
        }
    }

    // MARK: Overlapping subscriptions

    @Test("The number of wildcard patterns per client is limited; a known pattern may be used again")
    func patterns() async throws {
        try await withPeers {
            $0.limits.maximumWildcardPatternsPerClient = 2
        } _: { peers in
            let peer = try await peers.connect("a")
            #expect(try await peer.subscribe("a/+", "b/+", "+/c") == [.grantedQoS2, .grantedQoS2, .grantedQoS2])
            #expect(
                try await peer.subscribe("#", "a/+", "c/+", "plain") == [
                    .quotaExceeded, .grantedQoS2, .grantedQoS2, .grantedQoS2,
                ])
            try await peer.send(.unsubscribe(Unsubscribe(try #require(PacketID(2)), [try TopicFilter("+/c")])))
            guard case .unsuback = try await peer.receive() else { throw PeerError.closed }
            #expect(try await peer.subscribe("#") == [.grantedQoS2])
        }
    }

    @Test("Thousands of overlapping subscriptions deliver one copy of a message, with bounded work")
    func overlapping() async throws {
        try await withPeers { peers in
            let levels = 10
            let peer = try await peers.connect("a")
            let filters = try (0..<(1 << levels)).map { bits in
                let text = (0..<levels).map { bits >> $0 & 1 == 1 ? "+" : "a" }.joined(separator: "/")
                return Subscribe.Subscription(try TopicFilter(text), SubscriptionOptions(qos: .atMostOnce))
            }
            try await peer.send(.subscribe(Subscribe(try #require(PacketID(1)), filters)))
            guard case .suback(let ack) = try await peer.receive() else { throw PeerError.closed }
            // The filter without wildcards is not a pattern.
            #expect(ack.reasonCodes.count { $0 == .success } == 257)
            #expect(ack.reasonCodes.allSatisfy { $0 == .success || $0 == .quotaExceeded })
            try await peers.broker.publish("x", to: Array(repeating: "a", count: levels).joined(separator: "/"))
            #expect(String(buffer: try await peer.receivePublish().payload) == "x")
            try await peer.expectNothing()
        }
    }
}
