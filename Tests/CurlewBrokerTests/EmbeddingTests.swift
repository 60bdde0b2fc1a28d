import CurlewBroker
import CurlewCore
import CurlewTesting
import CurlewTransport
import NIOCore
import Synchronization
import Testing

/// Records events, for tests that wait for them.
private final class Notes: MQTTBrokerObserver {
    let interests: MQTTBrokerEvents = [.connections, .subscriptions, .dropped, .retained, .acknowledged]
    private let events = Mutex<[MQTTBrokerEvent]>([])

    func observe(_ event: MQTTBrokerEvent) { self.events.withLock { $0.append(event) } }

    var all: [MQTTBrokerEvent] { self.events.withLock { $0 } }
}

/// Replaces or rejects messages by their payload.
private struct Censor: MQTTBrokerPublishFilter {
    func willPublish(_ message: MQTTBrokerMessage, from client: MQTTBrokerClient?) -> MQTTPublishDecision {
        switch message.text {
        case "forbidden": return .deny(.payloadFormatInvalid)
        case "rude":
            var polite = message
            polite.payload = ByteBuffer(string: "polite")
            return .replace(polite)
        default: return .allow
        }
    }
}

/// Denies the actions that a test adds to its set.
private final class Rules: MQTTBrokerAuthorizer {
    let checksReceiving: Bool
    private let denied = Mutex<Set<String>>([])

    init(checksReceiving: Bool = false) { self.checksReceiving = checksReceiving }

    func deny(_ names: String...) { self.denied.withLock { $0.formUnion(names) } }

    func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision {
        let name =
            switch action {
            case .publish(let topic): "publish \(topic)"
            case .subscribe(let filter): "subscribe \(filter)"
            case .receive(let topic): "receive \(topic)"
            }
        return self.denied.withLock { $0.contains(name) } ? .deny : .abstain
    }
}

@Suite("Embedding the broker", .timeLimit(.minutes(1)))
struct EmbeddingTests {
    @Test("The program publishes and subscribes without a connection")
    func local() async throws {
        try await withPeers { peers in
            let broker = peers.broker
            try await broker.publish("kept", to: "t/kept", retain: true)
            let subscription = try await broker.subscribe(to: "t/#")
            var messages = subscription.makeAsyncIterator()
            let kept = await messages.next()
            #expect(kept?.text == "kept")
            #expect(kept?.retain == true)
            let peer = try await peers.connect("a")
            _ = try await peer.subscribe("t/+")
            #expect(try await peer.receivePublish().retain)
            let publisher = try await peers.connect("p")
            _ = try await publisher.deliver("from a client", to: "t/1", qos: .exactlyOnce)
            let message = await messages.next()
            #expect(message?.text == "from a client")
            #expect(message?.qos == .exactlyOnce)
            #expect(try await String(buffer: peer.receivePublish().payload) == "from a client")
            #expect(try await broker.publish("to both", to: "t/2", qos: .atLeastOnce) == 2)
            #expect(await messages.next()?.text == "to both")
            subscription.unsubscribe()
            #expect(await messages.next() == nil)
            #expect(try await broker.publish("to one", to: "t/2") == 1)
            #expect(broker.statistics.subscriptions == 1)
        }
    }

    @Test("Messages that the program does not take in time are dropped, counted and reported")
    func localBound() async throws {
        let notes = Notes()
        try await withPeers {
            $0.observers = [notes]
        } _: { peers in
            let subscription = try await peers.broker.subscribe(to: "t", capacity: 2)
            for number in 0..<5 { try await peers.broker.publish("\(number)", to: "t") }
            #expect(subscription.droppedCount == 3)
            var messages = subscription.makeAsyncIterator()
            #expect(await messages.next()?.text == "0")
            #expect(notes.all.count { if case .dropped = $0 { true } else { false } } == 3)
        }
    }

    @Test("An invalid call throws before anything happens")
    func invalid() async throws {
        let broker = MQTTBroker(MQTTBrokerConfiguration(listeners: []))
        await #expect(throws: MQTTBrokerError.self) { try await broker.publish("x", to: "t") }
        try await broker.start()
        await #expect(throws: MQTTBrokerError.self) { try await broker.publish("x", to: "t/#") }
        await #expect(throws: MQTTBrokerError.self) { _ = try await broker.subscribe(to: "#/t") }
        await #expect(throws: MQTTBrokerError.self) { try await broker.start() }
        await broker.stop()
        await broker.stop()
        await #expect(throws: MQTTBrokerError.self) { try await broker.publish("x", to: "t") }
    }

    @Test("A port in use is reported in one error, and the broker's other listeners are closed")
    func portInUse() async throws {
        try await withBroker { first in
            let port = try #require(await first.broker.listeners.first?.port)
            let second = MQTTBroker(MQTTBrokerConfiguration(listeners: [.tcp(port: 0), .tcp(port: port)]))
            do {
                try await second.start()
                Issue.record("two brokers listen on one port")
            } catch let error as MQTTBrokerError {
                #expect(error.code == .listeningFailed)
                #expect(error.message.contains("\(port)"))
            }
            #expect(await second.listeners.isEmpty)
            await second.stop()
        }
    }

    @Test("A loop over a subscription ends with the broker")
    func end() async throws {
        let broker = MQTTBroker(MQTTBrokerConfiguration(listeners: []))
        try await broker.start()
        let subscription = try await broker.subscribe(to: "t")
        try await broker.publish("last", to: "t")
        await broker.stop()
        var topics: [String] = []
        for await message in subscription { topics.append(message.topic.string) }
        #expect(topics == ["t"])
        #expect(await subscription.next(within: .seconds(60)) == nil)
    }

    @Test("next(within:) keeps a subscription, and the end of its last loop ends it")
    func loops() async throws {
        try await withPeers { peers in
            let subscription = try await peers.broker.subscribe(to: "t")
            #expect(await subscription.next(within: .zero) == nil)
            try await peers.broker.publish("1", to: "t")
            #expect(await subscription.next(within: .seconds(60))?.topic.string == "t")
            #expect(try await peers.broker.publish("2", to: "t") == 1)
            #expect(await subscription.first { _ in true }?.topic.string == "t")
            #expect(try await peers.broker.publish("3", to: "t") == 0)
        }
    }

    @Test("Two tasks share the messages of a subscription")
    func sharing() async throws {
        try await withPeers { peers in
            let subscription = try await peers.broker.subscribe(to: "t/#")
            async let first = subscription.next(within: .seconds(60))
            async let second = subscription.next(within: .seconds(60))
            for number in 1...2 { try await peers.broker.publish("x", to: "t/\(number)") }
            let topics = await Set([first, second].compactMap { $0?.topic.string })
            #expect(topics == ["t/1", "t/2"])
        }
    }

    @Test("A publish filter can allow, replace or deny a message, and the publisher gets the reason")
    func filters() async throws {
        try await withPeers {
            $0.publishFilters = [Censor()]
        } _: { peers in
            let subscriber = try await peers.connect("s")
            _ = try await subscriber.subscribe("t")
            let publisher = try await peers.connect("p")
            #expect(try await publisher.deliver("rude", to: "t") == .success)
            #expect(try await String(buffer: subscriber.receivePublish().payload) == "polite")
            #expect(try await publisher.deliver("forbidden", to: "t") == .payloadFormatInvalid)
            #expect(try await publisher.deliver("forbidden", to: "t", qos: .exactlyOnce) == .payloadFormatInvalid)
            // The rejected message's packet identifier is free again [MQTT-4.3.3-9].
            #expect(try await publisher.deliver("fine", to: "t", qos: .exactlyOnce) == .success)
            #expect(try await String(buffer: subscriber.receivePublish().payload) == "fine")
            await #expect(throws: MQTTBrokerError.self) { try await peers.broker.publish("forbidden", to: "t") }
        }
    }

    @Test("Authorizers decide who may publish, subscribe and receive; a reload ends subscriptions that they now deny")
    func rules() async throws {
        let rules = Rules(checksReceiving: true)
        rules.deny("publish t/secret", "subscribe secrets/#", "receive t/hidden")
        try await withPeers {
            $0.authorizers = [rules]
        } _: { peers in
            let subscriber = try await peers.connect("s")
            #expect(
                try await subscriber.subscribe("secrets/#", "t/#", "$share/g/t/hidden") == [
                    .notAuthorized, .grantedQoS2, .grantedQoS2,
                ])
            let publisher = try await peers.connect("p")
            #expect(try await publisher.deliver("x", to: "t/secret") == .notAuthorized)
            #expect(try await publisher.deliver("x", to: "t/hidden") == .noMatchingSubscribers)
            #expect(try await publisher.deliver("open", to: "t/open") == .success)
            #expect(try await String(buffer: subscriber.receivePublish().payload) == "open")
            rules.deny("subscribe t/#", "publish t/open")
            try await peers.broker.reload()
            #expect(try await publisher.deliver("x", to: "t/other") == .noMatchingSubscribers)
            #expect(try await publisher.deliver("x", to: "t/open") == .notAuthorized)
            try await subscriber.send(.puback(Acknowledgement(try #require(PacketID(1)))))
            try await subscriber.expectNothing()
        }
    }

    @Test("If one file cannot be reloaded, the others are still reloaded")
    func partialReload() async throws {
        struct Broken: MQTTBrokerAuthorizer {
            func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision {
                .abstain
            }
            func reload() async throws { throw MQTTBrokerError(.invalidConfiguration, "It is broken.") }
        }
        final class Whole: MQTTBrokerAuthorizer {
            let reloads = Mutex(0)
            func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision {
                .abstain
            }
            func reload() async throws { self.reloads.withLock { $0 += 1 } }
        }
        let whole = Whole()
        try await withPeers({ $0.authorizers = [Broken(), whole] }) { peers in
            let error = await #expect(throws: MQTTBrokerError.self) { try await peers.broker.reload() }
            #expect(error?.message == "It is broken.")
            #expect(whole.reloads.withLock { $0 } == 1)
        }
    }

    @Test("Observers get events in the order in which they happen")
    func observers() async throws {
        let notes = Notes()
        try await withPeers {
            $0.observers = [notes]
        } _: { peers in
            let peer = try await peers.connect("a")
            _ = try await peer.subscribe("t")
            _ = try await peer.deliver("x", to: "t", retain: true)
            let message = try await peer.receivePublish()
            try await peer.send(.puback(Acknowledgement(try #require(message.packetID))))
            try await peer.expectNothing()
            try await peer.send(.disconnect(Disconnect()))
            #expect(try await peer.receiveEnd() == nil)
        }
        let kinds = notes.all.map { event in
            switch event {
            case .connected: "connected"
            case .refused: "refused"
            case .disconnected: "disconnected"
            case .subscribed: "subscribed"
            case .unsubscribed: "unsubscribed"
            case .dropped: "dropped"
            case .acknowledged: "acknowledged"
            case .retained: "retained"
            }
        }
        #expect(kinds == ["connected", "subscribed", "retained", "acknowledged", "disconnected"])
    }

    @Test("The broker's own figures are retained below $SYS")
    func systemTopics() async throws {
        let clock = TestClock()
        try await withPeers {
            $0.clock = MonotonicClock(clock)
            $0.systemTopicInterval = .seconds(10)
        } _: { peers in
            let subscription = try await peers.broker.subscribe(to: "$SYS/broker/clients/connected")
            let peer = try await peers.connect("a")
            for _ in 0..<11 { try await clock.advanceToSleeper(within: .seconds(10)) }
            for await message in subscription where message.text == "1" { break }
            // The version never changes, so it arrives only as a retained message.
            _ = try await peer.subscribe("$SYS/broker/version")
            let version = try await peer.receivePublish()
            #expect(version.retain)
            #expect(version.topic?.string == "$SYS/broker/version")
            #expect(String(buffer: version.payload).hasPrefix("curlew version "))
        }
    }

    @Test("A client that exceeds its message rate is read more slowly and loses nothing")
    func messageRate() async throws {
        let clock = TestClock()
        try await withPeers {
            $0.clock = MonotonicClock(clock)
            $0.limits.messageRate = .init(perSecond: 10, burst: 5)
        } _: { peers in
            let publisher = try await peers.connect("p")
            for number in 1...5 as ClosedRange<UInt16> {
                #expect(try await publisher.deliver("x", to: "t", id: number) == .noMatchingSubscribers)
            }
            // The next message is read, but nothing after it until its time has come.
            #expect(try await publisher.deliver("x", to: "t", id: 6) == .noMatchingSubscribers)
            try await publisher.send(.pingreq)
            for _ in 0..<3 { try await clock.advanceToSleeper(within: .seconds(1)) }
            guard case .pingresp = try await publisher.receive() else { throw PeerError.closed }
        }
    }

    @Test("A connection beyond the maximum is closed")
    func connectionLimit() async throws {
        try await withPeers {
            $0.limits.maximumConnections = 1
        } _: { peers in
            let first = try await peers.connect("a")
            let second = try await peers.open()
            try await second.send(.connect(Connect(clientIdentifier: "b")))
            #expect(try await second.receiveEnd() == nil)
            try await first.send(.disconnect(Disconnect()))
            #expect(try await first.receiveEnd() == nil)
        }
    }

    @Test("The program can disconnect a client with a reason code")
    func disconnecting() async throws {
        try await withPeers { peers in
            let peer = try await peers.connect("a")
            #expect(!peers.broker.disconnect("nobody"))
            #expect(peers.broker.disconnect("a", reason: .serverMoved))
            guard case .disconnect(let end)? = try await peer.receiveEnd() else { throw PeerError.closed }
            #expect(end.reasonCode == .serverMoved)
        }
    }
}

/// A two-step authentication in which the client returns a word spelled backwards.
private struct Backwards: MQTTBrokerEnhancedAuthenticator {
    let method = "backwards"

    struct Exchange: MQTTEnhancedAuthentication {
        var word: String?

        mutating func respond(to data: ByteBuffer?) async throws -> MQTTAuthenticationStep {
            guard let word else {
                self.word = "curlew"
                return .challenge(ByteBuffer(string: "curlew"))
            }
            guard let data, String(buffer: data) == String(word.reversed()) else { return .deny(.notAuthorized) }
            return .allow(username: "bird", data: ByteBuffer(string: "welcome"))
        }
    }

    func begin(_ attempt: MQTTConnectionAttempt) -> any MQTTEnhancedAuthentication { Exchange() }
}

@Suite("Enhanced authentication on the wire", .timeLimit(.minutes(1)))
struct EnhancedAuthenticationWireTests {
    private func properties(_ data: String?) -> Properties {
        Properties(
            [.authenticationMethod("backwards")] + (data.map { [.authenticationData(ByteBuffer(string: $0))] } ?? []))
    }

    private func auth(_ code: ReasonCode, _ data: String?) -> Packet {
        .auth(Auth(reasonCode: code, properties: self.properties(data)))
    }

    @Test(
        "A client's answer to a challenge is accepted or refused [MQTT-4.12.0-2] [MQTT-4.12.0-4] [MQTT-4.12.0-5]",
        arguments: ["welruc", "wrong"])
    func challenge(answer: String) async throws {
        try await withPeers {
            $0.enhancedAuthenticators = [Backwards()]
        } _: { peers in
            let peer = try await peers.open()
            try await peer.send(.connect(Connect(clientIdentifier: "a", properties: self.properties(nil))))
            guard case .auth(let challenge) = try await peer.receive() else { throw PeerError.closed }
            #expect(challenge.reasonCode == .continueAuthentication)
            #expect(challenge.properties == self.properties("curlew"))
            try await peer.send(self.auth(.continueAuthentication, answer))
            guard case .connack(let ack) = try await peer.receive() else { throw PeerError.closed }
            guard answer == "welruc" else {
                #expect(ack.reasonCode == .notAuthorized)
                #expect(try await peer.receiveEnd() == nil)
                return
            }
            #expect(ack.reasonCode == .success)
            #expect(ack.properties.list.contains(.authenticationMethod("backwards")))
            #expect(peers.broker.clients.first?.username == "bird")
            // Reauthenticate on the open connection [MQTT-4.12.1-1].
            try await peer.send(self.auth(.reauthenticate, nil))
            guard case .auth(let again) = try await peer.receive() else { throw PeerError.closed }
            #expect(again.reasonCode == .continueAuthentication)
            try await peer.send(self.auth(.continueAuthentication, answer))
            guard case .auth(let success) = try await peer.receive() else { throw PeerError.closed }
            #expect(success.reasonCode == .success)
            try await peer.expectNothing()
        }
    }

    @Test("Only AUTH is allowed while a challenge is unanswered")
    func impatience() async throws {
        try await withPeers {
            $0.enhancedAuthenticators = [Backwards()]
        } _: { peers in
            let peer = try await peers.open()
            try await peer.send(.connect(Connect(clientIdentifier: "a", properties: self.properties(nil))))
            guard case .auth = try await peer.receive() else { throw PeerError.closed }
            try await peer.send(.pingreq)
            guard case .connack(let ack)? = try await peer.receiveEnd() else { throw PeerError.closed }
            #expect(ack.reasonCode == .protocolError)
        }
    }
}
