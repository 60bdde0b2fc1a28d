import CurlewCore
import CurlewTesting
import CurlewTransport
import NIOCore
import Synchronization
import Testing

@testable import CurlewBroker

@Suite("Backpressure on the wire", .timeLimit(.minutes(5)))
struct BackpressureWireTests {
    private func narrow(_ connect: inout Connect) { connect.properties = Properties([.receiveMaximum(1)]) }

    private func acknowledge(_ message: Publish, _ peer: Peer) async throws {
        try await peer.send(.puback(Acknowledgement(try #require(message.packetID))))
    }

    /// A subscriber that has acknowledged one message, has another in flight and a third in its queue of four. The
    /// publisher of these messages has all its acknowledgements; its next message must wait.
    private func stuck(_ peers: PeerFactory) async throws -> (subscriber: Peer, publisher: Peer, inFlight: Publish) {
        let subscriber = try await peers.connect("s", self.narrow)
        _ = try await subscriber.subscribe("t")
        let will = Connect.Will(topic: try TopicName("t"), payload: ByteBuffer(string: "will"), qos: .atLeastOnce)
        let publisher = try await peers.connect("p") { $0.will = will }
        #expect(try await publisher.deliver("0", to: "t", id: 1) == .success)
        try await self.acknowledge(try await subscriber.receivePublish(), subscriber)
        try await subscriber.expectNothing()
        #expect(try await publisher.deliver("1", to: "t", id: 2) == .success)
        #expect(try await publisher.deliver("2", to: "t", id: 3) == .success)
        let inFlight = try await subscriber.receivePublish()
        #expect(inFlight.payload == ByteBuffer(string: "1"))
        return (subscriber, publisher, inFlight)
    }

    @Test("A subscriber that acknowledges its messages loses none, however many publishers there are")
    func fanIn() async throws {
        let (publishers, each) = (5, 300)
        try await withPeers {
            // The clock stands still: a busy machine must not make the subscriber look as if it had stopped.
            $0.clock = MonotonicClock(TestClock())
            $0.limits.maximumQueuedMessages = 100
        } _: { peers in
            let subscriber = try await peers.connect("s") { $0.properties = Properties([.receiveMaximum(10)]) }
            _ = try await subscriber.subscribe("t/#")
            let first = try await peers.connect("first")
            #expect(try await first.deliver("x", to: "t/first") == .success)
            try await self.acknowledge(try await subscriber.receivePublish(), subscriber)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<publishers {
                    group.addTask {
                        let publisher = try await peers.connect("p\(number)")
                        for id in 1...each {
                            try await publisher.publish("\(id)", to: "t/\(number)", qos: .atLeastOnce, id: UInt16(id))
                        }
                        for _ in 1...each {
                            guard case .puback(let ack) = try await publisher.receive() else { throw PeerError.closed }
                            #expect(ack.reasonCode == .success)
                        }
                    }
                }
                var received: [TopicName: Int] = [:]
                for _ in 0..<(publishers * each) {
                    let message = try await subscriber.receivePublish()
                    received[try #require(message.topic), default: 0] += 1
                    #expect(message.payload == ByteBuffer(string: "\(received[try #require(message.topic)] ?? 0)"))
                    try await self.acknowledge(message, subscriber)
                }
                try await group.waitForAll()
            }
            #expect(peers.broker.statistics.messagesDropped == 0)
            #expect(peers.broker.statistics.publishersHeld > 0)
        }
    }

    @Test("A client that publishes to itself faster than it acknowledges keeps going and loses nothing")
    func ownSubscriber() async throws {
        try await withPeers {
            $0.clock = MonotonicClock(TestClock())
            $0.limits.maximumQueuedMessages = 20
        } _: { peers in
            let peer = try await peers.connect("a") { $0.properties = Properties([.receiveMaximum(5)]) }
            _ = try await peer.subscribe("t")
            for id in 1...400 as ClosedRange<UInt16> {
                try await peer.publish("\(id)", to: "t", qos: .atLeastOnce, id: id)
            }
            var (received, acknowledged) = (0, 0)
            while received < 400 || acknowledged < 400 {
                switch try await peer.receive() {
                case .publish(let message):
                    received += 1
                    #expect(message.payload == ByteBuffer(string: "\(received)"))
                    try await self.acknowledge(message, peer)
                case .puback(let ack):
                    acknowledged += 1
                    #expect(ack.reasonCode == .success)
                case let other: throw PeerError.unexpected(other)
                }
            }
            #expect(peers.broker.statistics.messagesDropped == 0)
        }
    }

    @Test("A stopped subscriber delays its publisher once, up to the maximum; then the queue's overflow policy applies")
    func stopped() async throws {
        let clock = TestClock()
        try await withPeers {
            $0.clock = MonotonicClock(clock)
            $0.limits.maximumQueuedMessages = 4
        } _: { peers in
            let (_, publisher, _) = try await self.stuck(peers)
            try await publisher.publish("3", to: "t", qos: .atLeastOnce, id: 4)
            // The ping is answered although the message waits.
            try await publisher.expectNothing()
            clock.advance(by: .seconds(1))
            guard case .puback(let ack) = try await publisher.receive() else { throw PeerError.closed }
            #expect(ack.reasonCode == .success)
            for id in 5...6 as ClosedRange<UInt16> {
                #expect(try await publisher.deliver("x", to: "t", id: id) == .success)
            }
            #expect(try await publisher.deliver("x", to: "t", id: 7) == .quotaExceeded)
            #expect(try await publisher.deliver("x", to: "t", qos: .exactlyOnce, id: 8) == .quotaExceeded)
            #expect(peers.broker.statistics.messagesDropped == 2)
            #expect(peers.broker.statistics.messagesRefused == 2)
            #expect(peers.broker.statistics.publishersHeld == 1)
        }
    }

    @Test("The publisher continues as soon as the subscriber acknowledges, without waiting for the clock")
    func drained() async throws {
        let clock = TestClock()
        try await withPeers {
            $0.clock = MonotonicClock(clock)
            $0.limits.maximumQueuedMessages = 4
        } _: { peers in
            let (subscriber, publisher, inFlight) = try await self.stuck(peers)
            try await publisher.publish("3", to: "t", qos: .atLeastOnce, id: 4)
            try await publisher.expectNothing()
            try await self.acknowledge(inFlight, subscriber)
            #expect(try await subscriber.receivePublish().payload == ByteBuffer(string: "2"))
            guard case .puback = try await publisher.receive() else { throw PeerError.closed }
        }
    }

    @Test("A subscriber that disconnects no longer delays its publisher")
    func gone() async throws {
        let clock = TestClock()
        try await withPeers {
            $0.clock = MonotonicClock(clock)
            $0.limits.maximumQueuedMessages = 4
        } _: { peers in
            let (subscriber, publisher, _) = try await self.stuck(peers)
            try await publisher.publish("3", to: "t", qos: .atLeastOnce, id: 4)
            try await publisher.expectNothing()
            subscriber.close()
            guard case .puback = try await publisher.receive() else { throw PeerError.closed }
        }
    }

    @Test("A waiting publisher's message and DISCONNECT still count after it has closed the connection [MQTT-3.14.4-3]")
    func goodbye() async throws {
        let clock = TestClock()
        try await withPeers {
            $0.clock = MonotonicClock(clock)
            $0.limits.maximumQueuedMessages = 4
        } _: { peers in
            let (subscriber, publisher, inFlight) = try await self.stuck(peers)
            try await publisher.publish("3", to: "t", qos: .atLeastOnce, id: 4)
            try await publisher.send(.disconnect(Disconnect()))
            try await publisher.expectNothing()
            publisher.close()
            while peers.broker.clients.count > 1 { try await letOthersRun() }
            var last = inFlight
            for text in ["2", "3"] {
                try await self.acknowledge(last, subscriber)
                last = try await subscriber.receivePublish()
                #expect(last.payload == ByteBuffer(string: text))
            }
            try await self.acknowledge(last, subscriber)
            try await subscriber.expectNothing()
        }
    }

    /// A client with a will that waits for a stuck subscriber, and a client that receives the will.
    private func held(_ peers: PeerFactory) async throws -> (held: Peer, watcher: Peer) {
        _ = try await self.stuck(peers)
        let watcher = try await peers.connect("watcher")
        _ = try await watcher.subscribe("will", "w")
        let will = Connect.Will(topic: try TopicName("will"), payload: ByteBuffer(string: "gone"))
        let held = try await peers.connect("held") { $0.will = will }
        try await held.publish("x", to: "t", qos: .atLeastOnce)
        _ = try await held.receive()
        return (held, watcher)
    }

    private func publishes(_ count: Int, to topic: String, qos: QoS) throws -> ByteBuffer {
        var bytes = ByteBuffer()
        let publish = Publish(
            topic: try TopicName(topic), payload: ByteBuffer(), qos: qos,
            packetID: qos == .atMostOnce ? nil : PacketID(1))
        for _ in 0..<count { try Packet.publish(publish).encode(into: &bytes, version: .v5_0) }
        return bytes
    }

    @Test("A DISCONNECT behind many messages of a waiting client is processed before a takeover [MQTT-3.14.4-3]")
    func goodbyeBehindMany() async throws {
        try await withPeers {
            $0.clock = MonotonicClock(TestClock())
            $0.limits.maximumQueuedMessages = 4
        } _: { peers in
            let (held, watcher) = try await self.held(peers)
            var bytes = try self.publishes(40_000, to: "nobody", qos: .atMostOnce)
            try Packet.disconnect(Disconnect()).encode(into: &bytes, version: .v5_0)
            held.send(bytes)
            try await held.link.eventLoop.submit {}.get()
            _ = try await peers.connect("held")
            #expect(try await held.receiveEnd() == nil)
            try await watcher.expectNothing()
        }
    }

    @Test("What a waiting client sent before a takeover is processed in turns")
    func takenOver() async throws {
        let (count, stage) = (40_000, Stage())
        try await withPeers {
            $0.clock = MonotonicClock(TestClock())
            $0.limits.maximumQueuedMessages = 4
            $0.publishFilters = [stage]
        } _: { peers in
            let (held, watcher) = try await self.held(peers)
            stage.watch(.message, of: peers.broker)
            held.send(try self.publishes(count, to: "t", qos: .atLeastOnce))
            try await held.link.eventLoop.submit {}.get()
            _ = try await peers.connect("held")
            #expect(await stage.turn() < count)
            #expect(stage.steps == count + 1)
            #expect(try await watcher.receivePublish().topic?.string == "will")
        }
    }

    @Test("Messages that a waiting client sent before malformed bytes are each processed once")
    func malformed() async throws {
        let count = 900
        try await withPeers {
            $0.clock = MonotonicClock(TestClock())
            $0.limits.maximumQueuedMessages = 4
        } _: { peers in
            let (held, watcher) = try await self.held(peers)
            var bytes = try self.publishes(count, to: "w", qos: .atLeastOnce)
            bytes.writeBytes([0xFF, 0xFF])
            held.send(bytes)
            for _ in 0..<count {
                guard case .puback = try await held.receive() else { throw PeerError.closed }
            }
            guard case .disconnect(let end)? = try await held.receiveEnd() else { throw PeerError.closed }
            #expect(end.reasonCode == .malformedPacket)
            for _ in 0..<count {
                let message = try await watcher.receivePublish()
                #expect(message.topic?.string == "w")
                try await self.acknowledge(message, watcher)
            }
            #expect(try await watcher.receivePublish().topic?.string == "will")
        }
    }

    @Test("A held client is read again after its keep alive has run out, if it has sent something")
    func keptAlive() async throws {
        let clock = TestClock()
        try await withPeers {
            $0.clock = MonotonicClock(clock)
            $0.limits.maximumQueuedMessages = 4
        } _: { peers in
            let (held, watcher) = try await self.held(peers)
            // More than may wait, so that the broker stops reading from the client.
            held.send(try self.publishes(2000, to: "w", qos: .atMostOnce))
            try await held.link.eventLoop.submit {}.get()
            let session = try #require(peers.broker.engine.sessions["held"])
            let connection = try #require(session.state.withLock { $0.connection })
            connection.execute { connection in connection.settle {} }
            for _ in 0..<2000 { _ = try await watcher.receivePublish() }
            try await held.publish("on", to: "w")
            #expect(try await watcher.receivePublish().payload == ByteBuffer(string: "on"))
        }
    }

    @Test("A QoS 0 message does not wait for a subscriber")
    func atMostOnce() async throws {
        let clock = TestClock()
        try await withPeers {
            $0.clock = MonotonicClock(clock)
            $0.limits.maximumQueuedMessages = 4
        } _: { peers in
            _ = try await self.stuck(peers)
            let other = try await peers.connect("o")
            for _ in 1...10 { try await other.publish("x", to: "t") }
            try await other.expectNothing()
            #expect(peers.broker.statistics.publishersHeld == 1)
        }
    }

    @Test("If one member of a shared subscription has no room, the next one gets the message")
    func sharedSubscription() async throws {
        try await withPeers {
            $0.limits.maximumQueuedMessages = 1
        } _: { peers in
            for name in ["a", "b"] {
                let member = try await peers.connect(name) {
                    $0.properties = Properties([.sessionExpiryInterval(100)])
                }
                _ = try await member.subscribe("$share/g/t", "only/\(name)")
                try await member.send(.disconnect(Disconnect()))
                #expect(try await member.receiveEnd() == nil)
            }
            let publisher = try await peers.connect("p")
            #expect(try await publisher.deliver("x", to: "only/a") == .success)
            #expect(try await publisher.deliver("1", to: "t") == .success)
            #expect(try await publisher.deliver("2", to: "t") == .quotaExceeded)
            #expect(peers.broker.statistics.messagesDropped == 1)
        }
    }

    @Test("A message succeeds if one of two receivers has room for it")
    func oneOfTwo() async throws {
        try await withPeers {
            $0.limits.maximumQueuedMessages = 1
        } _: { peers in
            for name in ["a", "b"] {
                let member = try await peers.connect(name) {
                    $0.properties = Properties([.sessionExpiryInterval(100)])
                }
                _ = try await member.subscribe("t", "only/\(name)")
                try await member.send(.disconnect(Disconnect()))
                #expect(try await member.receiveEnd() == nil)
            }
            let publisher = try await peers.connect("p")
            #expect(try await publisher.deliver("x", to: "only/a") == .success)
            #expect(try await publisher.deliver("1", to: "t") == .success)
            #expect(try await publisher.deliver("2", to: "t") == .quotaExceeded)
            #expect(peers.broker.statistics.messagesDropped == 3)
            #expect(peers.broker.statistics.messagesRefused == 1)
        }
    }

    @Test("The embedding program waits for clients as well, up to the maximum delay")
    func program() async throws {
        let clock = TestClock()
        try await withPeers {
            $0.clock = MonotonicClock(clock)
            $0.limits.maximumQueuedMessages = 4
            $0.limits.maximumPublisherDelay = .milliseconds(50)
        } _: { peers in
            let broker = peers.broker
            let subscriber = try await peers.connect("s", self.narrow)
            _ = try await subscriber.subscribe("t")
            try await broker.publish("0", to: "t", qos: .atLeastOnce)
            try await self.acknowledge(try await subscriber.receivePublish(), subscriber)
            try await subscriber.expectNothing()
            try await broker.publish("1", to: "t", qos: .atLeastOnce)
            let inFlight = try await subscriber.receivePublish()
            let bounded = Task { try await broker.publish("2", to: "t", qos: .atLeastOnce) }
            try await clock.advanceToSleeper(within: .milliseconds(50))
            #expect(try await bounded.value == 1)
            // The subscriber has made progress again, so the next message waits for its acknowledgement.
            try await self.acknowledge(inFlight, subscriber)
            let second = try await subscriber.receivePublish()
            try await subscriber.expectNothing()
            let released = Task { try await broker.publish("3", to: "t", qos: .atLeastOnce) }
            while broker.sessions.allSatisfy({ $0.queuedMessages == 0 }) { try await letOthersRun() }
            try await self.acknowledge(second, subscriber)
            #expect(try await subscriber.receivePublish().payload == ByteBuffer(string: "3"))
            #expect(try await released.value == 1)
        }
    }

    @Test("A client waits for the program's subscription; the program does not wait for its own")
    func localSubscription() async throws {
        try await withPeers {
            $0.clock = MonotonicClock(TestClock())
        } _: { peers in
            let subscription = try await peers.broker.subscribe(to: "t", capacity: 4)
            var messages = subscription.makeAsyncIterator()
            let publisher = try await peers.connect("p")
            #expect(try await publisher.deliver("0", to: "t", id: 1) == .success)
            try await publisher.publish("1", to: "t", qos: .atLeastOnce, id: 2)
            try await publisher.expectNothing()
            #expect(try await peers.broker.publish("2", to: "t", qos: .atLeastOnce) == 1)
            for text in ["0", "2"] { #expect(await messages.next()?.text == text) }
            guard case .puback = try await publisher.receive() else { throw PeerError.closed }
            #expect(await messages.next()?.text == "1")
        }
    }
}
