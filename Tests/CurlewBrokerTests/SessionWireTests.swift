import CurlewCore
import CurlewTesting
import CurlewTransport
import NIOCore
import Synchronization
import Testing

@testable import CurlewBroker

@Suite("Sessions on the wire", .timeLimit(.minutes(1)))
struct SessionWireTests {
    @Test("A first packet other than CONNECT, or a second CONNECT, ends the connection [MQTT-3.1.0-1] [MQTT-3.1.0-2]")
    func connectFirst() async throws {
        try await withPeers { peers in
            let silent = try await peers.open()
            try await silent.send(.pingreq)
            #expect(try await silent.receiveEnd() == nil)
            let twice = try await peers.connect("a")
            try await twice.send(.connect(Connect(clientIdentifier: "a")))
            guard case .disconnect(let end)? = try await twice.receiveEnd() else { throw PeerError.closed }
            #expect(end.reasonCode == .protocolError)
        }
    }

    @Test(
        "Session Present tells whether a session exists, and Clean Start discards it [MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.2.2-2] [MQTT-3.2.2-3]"
    )
    func sessionPresent() async throws {
        try await withPeers { peers in
            let keep: (inout Connect) -> Void = {
                $0.cleanStart = false
                $0.properties = Properties([.sessionExpiryInterval(100)])
            }
            let first = try await peers.connect("a", keep)
            #expect(!first.connAck.sessionPresent)
            #expect(try await first.subscribe("t") == [.grantedQoS2])
            try await first.send(.disconnect(Disconnect()))
            #expect(try await first.receiveEnd() == nil)
            let publisher = try await peers.connect("p")
            #expect(try await publisher.deliver("kept", to: "t") == .success)
            let second = try await peers.connect("a", keep)
            #expect(second.connAck.sessionPresent)
            let message = try await second.receivePublish()
            #expect(String(buffer: message.payload) == "kept")
            #expect(!message.dup)
            // Not acknowledged, so it is sent again with DUP.
            second.close()
            let third = try await peers.connect("a", keep)
            let again = try await third.receivePublish()
            #expect(again.dup)
            #expect(again.packetID == message.packetID)
            let clean = try await peers.connect("a")
            #expect(!clean.connAck.sessionPresent)
            #expect(try await publisher.deliver("gone", to: "t") == .noMatchingSubscribers)
            try await clean.expectNothing()
        }
    }

    @Test("A second connection with the same client identifier ends the first [MQTT-3.1.4-3]")
    func takeOver() async throws {
        try await withPeers { peers in
            var peer = try await peers.connect("a")
            for _ in 0..<20 {
                let next = try await peers.connect("a")
                guard case .disconnect(let end)? = try await peer.receiveEnd() else { throw PeerError.closed }
                #expect(end.reasonCode == .sessionTakenOver)
                peer = next
            }
            try await peer.expectNothing()
            #expect(peers.broker.clients.count == 1)
        }
    }

    @Test(
        "A will is published when the connection is lost, but not after DISCONNECT [MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT-3.14.4-3]",
        arguments: [true, false])
    func will(isLost: Bool) async throws {
        let topic = try TopicName("wills/a")
        try await withPeers { peers in
            let watcher = try await peers.connect("watcher")
            _ = try await watcher.subscribe("wills/#")
            let peer = try await peers.connect("a") {
                $0.will = .init(
                    topic: topic, payload: ByteBuffer(string: "gone"), qos: .atLeastOnce)
            }
            if isLost {
                peer.close()
                let will = try await watcher.receivePublish()
                #expect(String(buffer: will.payload) == "gone")
                #expect(will.qos == .atLeastOnce)
            } else {
                try await peer.send(.disconnect(Disconnect()))
                #expect(try await peer.receiveEnd() == nil)
                try await watcher.expectNothing()
            }
        }
    }

    @Test(
        "A delayed will is published after its delay unless the client reconnects first [MQTT-3.1.2-26]",
        arguments: [true, false])
    func willDelay(comesBack: Bool) async throws {
        let topic = try TopicName("wills/a")
        let clock = TestClock()
        try await withPeers {
            $0.clock = MonotonicClock(clock)
        } _: { peers in
            let watcher = try await peers.connect("watcher")
            _ = try await watcher.subscribe("wills/#")
            let keep: (inout Connect) -> Void = {
                $0.cleanStart = false
                $0.properties = Properties([.sessionExpiryInterval(100)])
                $0.will = .init(
                    topic: topic, payload: ByteBuffer(string: "gone"),
                    properties: Properties([.willDelayInterval(30)]))
            }
            let peer = try await peers.connect("a", keep)
            peer.close()
            while !peers.broker.clients.allSatisfy({ $0.identifier != "a" }) { try await letOthersRun() }
            if comesBack {
                let again = try await peers.connect("a", keep)
                clock.advance(by: .seconds(31))
                try await again.expectNothing()
                try await watcher.expectNothing()
            } else {
                clock.advance(by: .seconds(31))
                #expect(try await String(buffer: watcher.receivePublish().payload) == "gone")
            }
        }
    }

    @Test("If a client briefly reconnects just as its will is due, the will delay starts again")
    func lateWillDelay() async throws {
        let topic = try TopicName("wills/a")
        let (clock, blocker) = (TestClock(), Blocker())
        try await withPeers {
            $0.clock = MonotonicClock(clock)
            // Time passes before the client sends CONNECT.
            $0.limits.connectTimeout = .seconds(1000)
        } _: { peers in
            let watcher = try await peers.connect("watcher")
            _ = try await watcher.subscribe("wills/#")
            let keep: (inout Connect) -> Void = {
                $0.cleanStart = false
                $0.properties = Properties([.sessionExpiryInterval(100)])
                $0.will = .init(
                    topic: topic, payload: ByteBuffer(string: "gone"),
                    properties: Properties([.willDelayInterval(30)]))
            }
            let peer = try await peers.connect("a", keep)
            let session = try #require(peers.broker.engine.sessions["a"])
            let worker = try #require(session.state.withLock { $0.connection }).worker
            peer.close()
            while !peers.broker.clients.allSatisfy({ $0.identifier != "a" }) { try await letOthersRun() }
            let again = try await peers.open()
            worker.eventLoop.execute { blocker.block() }
            await blocker.isBlocking()
            // The due will waits for the event loop; the client queued behind it connects and leaves at once.
            clock.advance(by: .seconds(31))
            var connect = Connect(clientIdentifier: "a")
            keep(&connect)
            try await again.send(
                .connect(connect), .disconnect(Disconnect(reasonCode: .disconnectWithWillMessage)))
            if again.link.eventLoop !== worker.eventLoop {
                try await again.link.eventLoop.submit {}.get()
            }
            blocker.release()
            while session.state.withLock({ $0.connectNumber }) < 3 { try await letOthersRun() }
            while session.state.withLock({ $0.connection }) != nil { try await letOthersRun() }
            try await watcher.expectNothing()
            clock.advance(by: .seconds(31))
            #expect(try await String(buffer: watcher.receivePublish().payload) == "gone")
        }
    }

    @Test("A session deadline from an earlier absence does not apply to a later one")
    func lateDeadline() async throws {
        try await withPeers { peers in
            let engine = peers.broker.engine
            let keep: (inout Connect) -> Void = {
                $0.cleanStart = false
                $0.properties = Properties([.sessionExpiryInterval(100)])
            }
            let peer = try await peers.connect("a", keep)
            let session = try #require(engine.sessions["a"])
            let number = session.state.withLock { $0.connectNumber }
            let worker = peers.broker.workers.all[0]
            func isOver(afterEndOfAbsenceSince number: UInt64) async throws -> Bool {
                try await worker.eventLoop.submit {
                    engine.end(session, if: .awaySince(number), on: worker)
                    return session.state.withLock { $0.isOver }
                }.get()
            }
            #expect(try await !isOver(afterEndOfAbsenceSince: number))
            peer.close()
            while session.state.withLock({ $0.connection }) != nil { try await letOthersRun() }
            #expect(try await !isOver(afterEndOfAbsenceSince: number - 1))
            #expect(try await isOver(afterEndOfAbsenceSince: number))
        }
    }

    @Test("A session ends when its expiry interval has passed [MQTT-4.1.0-2]")
    func sessionExpiry() async throws {
        let clock = TestClock()
        try await withPeers {
            $0.clock = MonotonicClock(clock)
        } _: { peers in
            let keep: (inout Connect) -> Void = {
                $0.cleanStart = false
                $0.properties = Properties([.sessionExpiryInterval(10)])
            }
            let peer = try await peers.connect("a", keep)
            peer.close()
            while !peers.broker.clients.isEmpty { try await letOthersRun() }
            #expect(peers.broker.sessions.count == 1)
            clock.advance(by: .seconds(11))
            while !peers.broker.sessions.isEmpty { try await letOthersRun() }
            #expect(try await !peers.connect("a", keep).connAck.sessionPresent)
        }
    }

    @Test("A client that sends nothing for one and a half times its keep alive is disconnected [MQTT-3.1.2-24]")
    func keepAlive() async throws {
        let clock = TestClock()
        try await withPeers {
            $0.clock = MonotonicClock(clock)
        } _: { peers in
            let peer = try await peers.connect("a") { $0.keepAlive = 10 }
            clock.advance(by: .seconds(14))
            try await peer.expectNothing()
            for _ in 0..<17 { try await clock.advanceToSleeper(within: .seconds(1)) }
            guard case .disconnect(let end)? = try await peer.receiveEnd() else { throw PeerError.closed }
            #expect(end.reasonCode == .keepAliveTimeout)
        }
    }

    @Test("A QoS 2 message is delivered once, even if its PUBLISH is sent twice [MQTT-4.3.3-10]")
    func exactlyOnce() async throws {
        try await withPeers { peers in
            let subscriber = try await peers.connect("s")
            _ = try await subscriber.subscribe("t")
            let publisher = try await peers.connect("p") { $0.properties = Properties([.sessionExpiryInterval(100)]) }
            try await publisher.publish("1", to: "t", qos: .exactlyOnce)
            guard case .pubrec = try await publisher.receive() else { throw PeerError.closed }
            publisher.close()
            let again = try await peers.connect("p") {
                $0.cleanStart = false
                $0.properties = Properties([.sessionExpiryInterval(100)])
            }
            #expect(again.connAck.sessionPresent)
            try await again.publish("1", to: "t", qos: .exactlyOnce, dup: true)
            guard case .pubrec = try await again.receive() else { throw PeerError.closed }
            try await again.send(.pubrel(Acknowledgement(try #require(PacketID(1)))))
            guard case .pubcomp = try await again.receive() else { throw PeerError.closed }
            _ = try await subscriber.receivePublish()
            try await subscriber.expectNothing()
        }
    }

    @Test(
        "Retained messages are sent for a new subscription according to its Retain Handling [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]"
    )
    func retained() async throws {
        try await withPeers { peers in
            let publisher = try await peers.connect("p")
            for number in 0..<3 { _ = try await publisher.deliver("\(number)", to: "r/\(number)", retain: true) }
            let subscriber = try await peers.connect("s")
            _ = try await subscriber.subscribe("r/#", options: SubscriptionOptions(retainHandling: .doNotSend))
            try await subscriber.expectNothing()
            _ = try await subscriber.subscribe("r/#", options: SubscriptionOptions(retainHandling: .sendIfNew))
            try await subscriber.expectNothing()
            _ = try await subscriber.subscribe(
                "r/+", options: SubscriptionOptions(retainHandling: .sendIfNew), identifier: 5)
            var found: Set<String> = []
            for _ in 0..<3 {
                let message = try await subscriber.receivePublish()
                #expect(message.retain)
                #expect(message.properties.subscriptionIdentifiers == [5])
                found.insert(String(buffer: message.payload))
            }
            #expect(found == ["0", "1", "2"])
            _ = try await subscriber.subscribe("$share/g/r/#")
            try await subscriber.expectNothing()
        }
    }

    @Test("A shared subscription delivers each message to one member, and to another if that member leaves")
    func shared() async throws {
        try await withPeers { peers in
            let publisher = try await peers.connect("p")
            let first = try await peers.connect("1") { $0.properties = Properties([.receiveMaximum(1)]) }
            let second = try await peers.connect("2", version: .v3_1_1)
            #expect(try await first.subscribe("$share/g/t") == [.grantedQoS2])
            #expect(try await second.subscribe("$share/g/t") == [.grantedQoS2])
            for number in 0..<4 { _ = try await publisher.deliver("\(number)", to: "t") }
            var received = Set([try await String(buffer: first.receivePublish().payload)])
            for _ in 0..<2 { received.insert(String(buffer: try await second.receivePublish().payload)) }
            #expect(received.count == 3)
            // The first member has one message in flight and one queued, acknowledges neither, and leaves.
            first.close()
            var rest: Set<String> = []
            for _ in 0..<2 { rest.insert(String(buffer: try await second.receivePublish().payload)) }
            #expect(received.union(rest) == ["0", "1", "2", "3"])
        }
    }

    @Test("The broker sends DISCONNECT to its clients when it stops")
    func stopping() async throws {
        try await withPeers { peers in
            let peer = try await peers.connect("a")
            await peers.broker.stop()
            guard case .disconnect(let end)? = try await peer.receiveEnd() else { throw PeerError.closed }
            #expect(end.reasonCode == .serverShuttingDown)
        }
    }
}
