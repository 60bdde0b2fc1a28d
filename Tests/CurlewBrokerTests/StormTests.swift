import CurlewBroker
import CurlewCore
import CurlewTesting
import CurlewTransport
import NIOCore
import Testing

@Suite("Storms", .timeLimit(.minutes(5)))
struct StormTests {
    @Test("A client that does not complete CONNECT in time is disconnected, even if it keeps sending single bytes")
    func slowConnect() async throws {
        let clock = TestClock()
        try await withPeers {
            $0.clock = MonotonicClock(clock)
            $0.limits.connectTimeout = .seconds(5)
        } _: { peers in
            let (silent, dripping) = (try await peers.open(), try await peers.open())
            let punctual = try await peers.connect("a")
            var connect = ByteBuffer()
            try Packet.connect(Connect(clientIdentifier: "slow")).encode(into: &connect, version: .v5_0)
            for _ in 0..<7 {
                let byte = connect.readSlice(length: 1)
                dripping.send(try #require(byte))
                try await punctual.expectNothing()
                try await clock.advanceToSleeper(within: .seconds(1))
            }
            #expect(try await silent.receiveEnd() == nil)
            #expect(try await dripping.receiveEnd() == nil)
            try await punctual.expectNothing()
        }
    }

    @Test("Sending very many retained messages to one client does not delay others, and each message is sent once")
    func manyRetained() async throws {
        let count = 30_000
        try await withPeers { peers in
            for number in 0..<count {
                try await peers.broker.publish("\(number)", to: "r/\(number % 100)/\(number)", retain: true)
            }
            let (greedy, other) = (try await peers.connect("greedy"), try await peers.connect("other"))
            greedy.setReading(false)
            let subscribe = Subscribe(try #require(PacketID(1)), [Subscribe.Subscription(try TopicFilter("#"))])
            try await greedy.send(.subscribe(subscribe))
            while peers.broker.statistics.subscriptions == 0 { try await letOthersRun() }
            // Messages are sent in portions, as fast as the client reads: here, not at all.
            try await other.expectNothing()
            #expect(peers.broker.statistics.messagesSent < count)
            greedy.setReading(true)
            var seen: Set<String> = []
            guard case .suback = try await greedy.receive() else { throw PeerError.closed }
            for _ in 0..<count { seen.insert(String(buffer: try await greedy.receivePublish().payload)) }
            #expect(seen.count == count)
            try await greedy.expectNothing()
        }
    }

    @Test("Of many clients that connect at once with the same identifier one stays; the others get Session taken over")
    func takeOver() async throws {
        try await withPeers { peers in
            var rivals: [Peer] = []
            for _ in 0..<200 {
                let rival = try await peers.open()
                var connect = Connect(clientIdentifier: "same")
                keep(&connect)
                try await rival.send(.connect(connect))
                rivals.append(rival)
            }
            var left = 0
            for rival in rivals {
                guard case .connack(let ack) = try await rival.receive() else { throw PeerError.closed }
                #expect(ack.reasonCode == .success)
            }
            for rival in rivals {
                try await rival.send(.pingreq)
                switch try? await rival.receive() {
                case .pingresp?: left += 1
                case .disconnect(let end)?: #expect(end.reasonCode == .sessionTakenOver)
                default: break
                }
            }
            #expect(left == 1)
            #expect(peers.broker.clients.count == 1)
            #expect(peers.broker.sessions.count == 1)
        }
    }

    @Test("Thousands of subscriptions that come and go leave none behind")
    func subscriptions() async throws {
        try await withPeers { peers in
            let watcher = try await peers.connect("watcher")
            _ = try await watcher.subscribe("busy/#")
            for client in 0..<10 {
                let peer = try await peers.connect("c\(client)")
                for round in 0..<50 {
                    let filters = try (0..<20).map { try TopicFilter("busy/\(round)/\($0)/+") }
                    let id = try #require(PacketID(UInt16(round + 1)))
                    try await peer.send(
                        .subscribe(Subscribe(id, filters.map { Subscribe.Subscription($0) })),
                        .unsubscribe(Unsubscribe(id, filters)))
                }
                for _ in 0..<50 {
                    guard case .suback = try await peer.receive() else { throw PeerError.closed }
                    guard case .unsuback(let ack) = try await peer.receive() else { throw PeerError.closed }
                    #expect(ack.reasonCodes.allSatisfy { $0 == .success })
                }
                #expect(try await peer.deliver("still here", to: "busy/1/1/1") == .success)
                #expect(try await watcher.receivePublish().topic?.string == "busy/1/1/1")
            }
            #expect(peers.broker.statistics.subscriptions == 1)
        }
    }

    @Test("Each will is published once when clients that subscribe to each other's wills are lost [MQTT-3.1.2-10]")
    func wills() async throws {
        let count = 100
        try await withPeers { peers in
            let watcher = try await peers.connect("watcher")
            _ = try await watcher.subscribe("wills/#")
            var doomed: [Peer] = []
            for number in 0..<count {
                let topic = try TopicName("wills/\(number)")
                let peer = try await peers.connect("c\(number)") {
                    $0.will = .init(topic: topic, payload: ByteBuffer(string: "gone"), qos: .atLeastOnce)
                }
                _ = try await peer.subscribe("wills/#")
                doomed.append(peer)
            }
            for peer in doomed { peer.close() }
            var topics: Set<String> = []
            for _ in 0..<count {
                let will = try await watcher.receivePublish()
                try await watcher.send(.puback(Acknowledgement(try #require(will.packetID))))
                topics.insert(will.topic?.string ?? "")
            }
            #expect(topics.count == count)
            try await watcher.expectNothing()
            #expect(peers.broker.sessions.count == 1)
        }
    }
}
