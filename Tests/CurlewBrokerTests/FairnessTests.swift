import CurlewCore
import CurlewTransport
import Dispatch
import NIOCore
import Synchronization
import Testing

@testable import CurlewBroker

/// What one client makes the broker do keeps others of the same event loop waiting no longer than a turn takes.
@Suite("Fairness", .timeLimit(.minutes(2)))
struct FairnessTests {
    // MARK: Many filters

    @Test("While a packet with thousands of filters is processed, others are served", arguments: [true, false])
    func manyFilters(subscribes: Bool) async throws {
        let count = 5000
        let stage = Stage()
        try await withPeers {
            $0.authorizers = [stage]
            $0.publishFilters = [stage]
            $0.observers = [stage]
        } _: { peers in
            let (greedy, other) = (try await peers.connect("greedy"), try await peers.connect("other"))
            let filters = try (0..<count).map { try TopicFilter("f/\($0)") }
            let id = try #require(PacketID(1))
            let subscribe = Packet.subscribe(Subscribe(id, filters.map { Subscribe.Subscription($0) }))
            if !subscribes {
                try await greedy.send(subscribe)
                guard case .suback = try await greedy.receive() else { throw PeerError.closed }
            }
            stage.holdNextSubscription()
            try await greedy.send(subscribes ? subscribe : .unsubscribe(Unsubscribe(id, filters)))
            await stage.isHolding()
            stage.reset()
            try await other.publish("x", to: "other")
            await other.link.hasWritten()
            stage.goOn()
            switch try await greedy.receive() {
            case .suback(let ack): #expect(ack.reasonCodes.allSatisfy { $0 == .grantedQoS2 })
            case .unsuback(let ack): #expect(ack.reasonCodes.allSatisfy { $0 == .success })
            case let packet: throw PeerError.unexpected(packet)
            }
            try await other.expectNothing()
            // It came while the first filters were processed, and was published before the last ones were.
            let place = try #require(stage.place(of: "other"))
            #expect(place < count / 2)
        }
    }

    @Test("The end of a session with thousands of subscriptions is divided as well, and is complete")
    func endOfSession() async throws {
        let count = 5000
        let stage = Stage()
        try await withPeers {
            $0.publishFilters = [stage]
            $0.observers = [stage]
        } _: { peers in
            stage.subscriptions = { peers.broker.statistics.subscriptions }
            let (greedy, other) = (try await peers.connect("greedy"), try await peers.connect("other"))
            let filters = try (0..<count).map { Subscribe.Subscription(try TopicFilter("f/\($0)")) }
            try await greedy.send(.subscribe(Subscribe(try #require(PacketID(1)), filters)))
            guard case .suback = try await greedy.receive() else { throw PeerError.closed }
            stage.holdNextEnd()
            try await greedy.send(.disconnect(Disconnect()))
            await stage.isHolding()
            try await other.publish("x", to: "other")
            await other.link.hasWritten()
            stage.goOn()
            try await other.expectNothing()
            #expect(try #require(stage.place(of: "other")) > 0)
            while peers.broker.statistics.subscriptions > 0 { await Task.yield() }
            #expect(peers.broker.sessions.map(\.client.identifier) == ["other"])
        }
    }

    // MARK: Many messages

    @Test("One read of many small messages does not go before what others have sent")
    func smallMessages() async throws {
        let count = 40_000
        let stage = Stage()
        try await withPeers {
            $0.publishFilters = [stage]
        } _: { peers in
            let (greedy, other) = (try await peers.connect("greedy"), try await peers.connect("other"))
            stage.holdNextMessage()
            greedy.send(try self.flood(count))
            await stage.isHolding()
            try await other.publish("x", to: "other")
            await other.link.hasWritten()
            stage.goOn()
            try await other.expectNothing()
            try await greedy.expectNothing()
            #expect(try #require(stage.place(of: "other")) < count)
            #expect(stage.messageCount == count + 1)
        }
    }

    @Test("What a client has sent before it closed the connection is processed to its end")
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
            // The goodbye was read: there is no will [MQTT-3.14.4-3].
            try await watcher.expectNothing()
            while peers.broker.clients.count > 1 { await Task.yield() }
        }
    }

    @Test("A client that takes a session over waits until what its owner has said is processed")
    func takenOverWhileWaiting() async throws {
        let count = 40_000
        let stage = Stage()
        try await withPeers {
            $0.publishFilters = [stage]
        } _: { peers in
            let watcher = try await peers.connect("watcher")
            _ = try await watcher.subscribe("#")
            let first = try await peers.connect("a")
            stage.holdNextMessage()
            first.send(try self.flood(count))
            await stage.isHolding()
            let second = try await peers.open()
            try await second.send(.connect(Connect(clientIdentifier: "a")))
            await second.link.hasWritten()
            stage.goOn()
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

    // MARK: Nothing is refused for an inner bound

    @Test(
        "Thousands of SUBSCRIBEs at once are granted, also by a client that takes no retained messages",
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

    @Test("So many patterns of wildcards a client may have, and each again and again")
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

    @Test("Thousands of overlapping subscriptions bring one copy of a message, and bounded work")
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
            // The one without wildcards is no pattern.
            #expect(ack.reasonCodes.count { $0 == .success } == 257)
            #expect(ack.reasonCodes.allSatisfy { $0 == .success || $0 == .quotaExceeded })
            try await peers.broker.publish("x", to: Array(repeating: "a", count: levels).joined(separator: "/"))
            #expect(String(buffer: try await peer.receivePublish().payload) == "x")
            try await peer.expectNothing()
        }
    }
}

/// Sees what the broker does, in order, and can hold it up at one point, so that something else comes meanwhile.
private final class Stage: MQTTBrokerAuthorizer, MQTTBrokerPublishFilter, MQTTBrokerObserver {
    private enum Point { case subscription, end, message }

    private struct State {
        var heldPoint: Point?
        var steps = 0
        var places: [String: Int] = [:]
        var messages = 0
        var subscriptions: (@Sendable () -> Int)?
    }

    private let state = Mutex(State())
    private let holding = AsyncStream.makeStream(of: Void.self)
    private let release = DispatchSemaphore(value: 0)

    let interests: MQTTBrokerEvents = [.connections, .subscriptions]

    /// What is noted for a message in place of how many subscriptions were looked at.
    var subscriptions: (@Sendable () -> Int)? {
        get { self.state.withLock { $0.subscriptions } }
        set { self.state.withLock { $0.subscriptions = newValue } }
    }

    var messageCount: Int { self.state.withLock { $0.messages } }

    func place(of topic: String) -> Int? { self.state.withLock { $0.places[topic] } }

    func holdNextSubscription() { self.state.withLock { $0.heldPoint = .subscription } }
    func holdNextEnd() { self.state.withLock { $0.heldPoint = .end } }
    func holdNextMessage() { self.state.withLock { $0.heldPoint = .message } }

    /// Counts from here.
    func reset() { self.state.withLock { $0.steps = 0 } }

    func isHolding() async { for await _ in self.holding.stream {} }

    func goOn() { self.release.signal() }

    private func pass(_ point: Point) {
        let isHeld = self.state.withLock { state in
            state.steps += 1
            guard state.heldPoint == point else { return false }
            state.heldPoint = nil
            return true
        }
        guard isHeld else { return }
        self.holding.continuation.finish()
        self.release.wait()
    }

    func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision {
        if case .subscribe = action { self.pass(.subscription) }
        return .abstain
    }

    func willPublish(_ message: MQTTBrokerMessage, from client: MQTTBrokerClient?) -> MQTTPublishDecision {
        let subscriptions = self.subscriptions
        let count = subscriptions?()
        self.state.withLock { state in
            state.messages += 1
            state.places[message.topic.string] = count ?? state.steps
        }
        self.pass(.message)
        return .pass
    }

    func observe(_ event: MQTTBrokerEvent) {
        switch event {
        case .unsubscribed: self.pass(.subscription)
        case .disconnected: self.pass(.end)
        default: break
        }
    }
}

extension Link {
    /// Waits until what was written before is on its way.
    fileprivate func hasWritten() async {
        try? await self.eventLoop.submit {}.get()
    }
}
