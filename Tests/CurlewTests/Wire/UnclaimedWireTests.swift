import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@Suite("Messages that arrive before their subscription", .bounded)
struct UnclaimedWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    /// Connects a client with a kept session, which the server has or has not.
    private func connected(
        isKept: Bool = true, version: ProtocolVersion = .v5_0, clock: TestClock? = nil,
        _ configure: (inout MQTTConfiguration) -> Void = { _ in }
    ) async throws -> (client: MQTTClient, connection: ScriptedConnection) {
        let client = try self.makeClient(version: version, clock: clock, configure)
        async let connected = client.connect()
        let connection = try await self.server.acceptAgain(sessionPresent: isKept)
        _ = try await connected
        return (client, connection)
    }

    private func makeClient(
        version: ProtocolVersion = .v5_0, clock: TestClock? = nil,
        _ configure: (inout MQTTConfiguration) -> Void = { _ in }
    ) throws -> MQTTClient {
        try self.server.makeClient(clock: clock) { configuration in
            configuration.session.cleanStart = false
            configuration.clientIdentifier = .given("kept")
            configuration.connection.version = .exactly(version)
            configuration.reconnectAtOnce()
            configure(&configuration)
        }
    }

    private func expectUnclaimed(
        _ client: MQTTClient, _ match: @escaping @Sendable ([TopicName], Int) -> Bool
    ) -> Task<Bool, any Error> {
        let events = client.events
        return Task {
            try await first(of: events) { event in
                guard case .messagesUnclaimed(let topics, let count) = event else { return nil }
                return match(topics, count)
            }
        }
    }

    // MARK: The next subscription

    @Test(
        "A program that connects and then subscribes loses nothing: messages wait unacknowledged [MQTT-4.4.0-1]",
        arguments: [ProtocolVersion.v3_1_1, .v5_0], [QoS.atLeastOnce, .exactlyOnce])
    func obviousProgram(version: ProtocolVersion, qos: QoS) async throws {
        let (client, connection) = try await self.connected(version: version)
        for text in ["a", "b", "c"] { try connection.publish(text, to: "t/1", qos: qos) }
        try await connection.sync()
        #expect(client.statistics.unclaimedMessages == 3)
        async let pending = client.subscribe(to: "t/+")
        let subscribe = try await connection.receiveSubscribe()
        try connection.publish("d", to: "t/1", qos: qos)
        try connection.send(.suback(SubAck(subscribe.packetID, [.grantedQoS2])))
        var iterator = try await pending.makeAsyncIterator()
        for text in ["a", "b", "c", "d"] { #expect(try await iterator.next()?.text == text) }
        for id in 1...3 as ClosedRange<UInt16> {
            let acknowledgement = Acknowledgement(id)
            try await connection.expect(qos == .atLeastOnce ? .puback(acknowledgement) : .pubrec(acknowledgement))
        }
        #expect(client.statistics.unclaimedMessages == 0 && client.statistics.messagesUnrouted == 0)
    }

    @Test("Messages in a new session, from a subscription that the server made itself, wait too")
    func serverMade() async throws {
        let (client, connection) = try await self.server.connectedClient()
        try connection.publish("a", to: "t", qos: .atLeastOnce)
        let subscription = try await connection.subscribe(client, to: "t")
        #expect(try await subscription.first { _ in true }?.text == "a")
        try await connection.receiveAcknowledgement()
    }

    @Test("Subscription identifiers of an earlier run do not misroute messages")
    func foreignIdentifiers() async throws {
        let (client, connection) = try await self.connected()
        let other = try await connection.subscribe(client, to: "a/#")
        let subscription = try await connection.subscribe(client, to: "a/b")
        for identifier in 1...4 as ClosedRange<UInt32> {
            try connection.send(
                .publish(Publish("\(identifier)", "a/b", properties: [.subscriptionIdentifier(identifier)])))
        }
        try await connection.sync()
        #expect(other.queuedCount == 4 && subscription.queuedCount == 4)
    }

    @Test("Messages taken by a refused subscription wait for another one")
    func refused() async throws {
        let (client, connection) = try await self.connected()
        try connection.publish("a", to: "t", qos: .atLeastOnce)
        try await connection.sync()
        async let error = failure { try await client.subscribe(to: "t") }
        try await connection.refuseSubscribe()
        #expect(try await error.code == .subscriptionRefused)
        let subscription = try await connection.subscribe(client, to: "+")
        #expect(try await subscription.first { _ in true }?.text == "a")
    }

    @Test("A refused subscription that acknowledges on receipt acknowledges nothing")
    func refusedOnReceipt() async throws {
        let (client, connection) = try await self.connected()
        try connection.publish("a", to: "t", qos: .atLeastOnce)
        try await connection.sync()
        async let error = failure { try await client.subscribe(to: "t", acknowledgement: .onReceipt) }
        try await connection.refuseSubscribe()
        #expect(try await error.code == .subscriptionRefused)
        let subscription = try await connection.subscribe(client, to: "t")
        #expect(try await subscription.first { _ in true }?.text == "a")
    }

    @Test("Unread messages of a subscription survive a session lost by the server")
    func lostSession() async throws {
        let (client, connection) = try await self.connected(isKept: false)
        var subscription: MQTTSubscription? = try await connection.subscribe(client, to: "t")
        for text in ["a", "b"] { try connection.publish(text, to: "t", qos: .atLeastOnce) }
        try await connection.sync()
        connection.close()
        let again = try await self.server.acceptAgain(sessionPresent: false)
        let subscribe = try await again.receiveSubscribe()
        try again.send(.suback(SubAck(subscribe.packetID, [.grantedQoS2])))
        try await again.sync()
        subscription = nil
        _ = try await again.confirmUnsubscribe()
        #expect(client.statistics.unclaimedMessages == 2)
        let other = try await again.subscribe(client, to: "+")
        var iterator = other.makeAsyncIterator()
        for text in ["a", "b"] { #expect(try await iterator.next()?.text == text) }
        withExtendedLifetime(subscription) {}
    }

    @Test("An ended subscription that is kept unread is reported as stuck, since it blocks acknowledgements")
    func endedAndKept() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.connected(isKept: false, clock: clock)
        let subscription = try await connection.subscribe(client, to: "t")
        let events = client.events
        try connection.publish("a", to: "t", qos: .atLeastOnce)
        try await connection.sync()
        async let ended: Void = subscription.unsubscribe()
        try await connection.confirmUnsubscribe()
        try await ended
        let told = Task {
            try await first(of: events) { event in
                if case .acknowledgementStuck(let topic, _) = event { topic.string == "t" } else { nil }
            }
        }
        for _ in 0..<4 { try await clock.advanceToSleeper(within: .seconds(60)) }
        #expect(try await told.value)
        #expect(try await subscription.first { _ in true }?.text == "a")
    }

    @Test("Waiting messages are acknowledged by the policy of the subscription that takes them")
    func policies() async throws {
        let (client, connection) = try await self.connected()
        try connection.send(.publish(Publish("a", "t", id: 1)), .publish(Publish("b", "u", id: 2)))
        try await connection.sync()
        async let one = client.subscribe(to: "t", acknowledgement: .onReceipt)
        let subscribe = try await connection.receiveSubscribe()
        #expect(client.statistics.unacknowledgedMessages == 2)
        try connection.send(.suback(SubAck(subscribe.packetID, [.grantedQoS2])))
        try await connection.expect(.puback(Acknowledgement(1)))
        _ = try await one.filters
        let other = try await connection.subscribe(client, to: "u", acknowledgement: .manual)
        let message = try #require(try await other.first { _ in true })
        #expect(client.statistics.unacknowledgedMessages == 1)
        try other.acknowledge(message)
        while try await connection.receive() != .puback(Acknowledgement(2)) {}
    }

    // MARK: Limits

    @Test("Messages that nobody claims in time are reported with their topic and acknowledged, so they block no others")
    func time() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.connected(clock: clock)
        let told = self.expectUnclaimed(client) { $0.map(\.string) == ["old"] && $1 == 1 }
        try connection.send(.publish(Publish("a", "old", id: 1)), .publish(Publish("b", "new", id: 2)))
        let subscription = try await connection.subscribe(client, to: "new")
        #expect(try await subscription.first { _ in true }?.text == "b")
        try await connection.confirmUnsubscribe()
        try await connection.sync()
        #expect(client.statistics.unacknowledgedMessages == 2)
        clock.advance(by: .seconds(10))
        for id in 1...2 as ClosedRange<UInt16> { try await connection.expect(.puback(Acknowledgement(id))) }
        #expect(try await told.value)
        #expect(client.statistics.messagesUnrouted == 1)
        // The next message for that topic is not held up either.
        try connection.send(.publish(Publish("c", "old", id: 3)))
        try await connection.expect(.puback(Acknowledgement(3)))
    }

    @Test("Beyond the maximum count, the oldest waiting message is dropped and reported")
    func count() async throws {
        let (client, connection) = try await self.connected { $0.queues.unclaimed.count = 2 }
        let told = self.expectUnclaimed(client) { $0.map(\.string) == ["t/0"] && $1 == 1 }
        for number in 0..<3 { try connection.publish("\(number)", to: "t/\(number)", qos: .atLeastOnce) }
        try await connection.receiveAcknowledgement()
        #expect(try await told.value)
        let subscription = try await connection.subscribe(client, to: "t/+")
        var iterator = subscription.makeAsyncIterator()
        for text in ["1", "2"] { #expect(try await iterator.next()?.text == text) }
    }

    @Test("With time zero, unclaimed messages are reported at once; with nil, they wait forever")
    func noTimeAndEndless() async throws {
        let (client, connection) = try await self.connected { $0.queues.unclaimed.timeLimit = .zero }
        let told = self.expectUnclaimed(client) { $1 == 1 }
        try connection.publish("a", to: "t", qos: .atLeastOnce)
        try await connection.receiveAcknowledgement()
        #expect(try await told.value)

        let clock = TestClock()
        let (patient, other) = try await self.connected(clock: clock) { configuration in
            configuration.queues.unclaimed.timeLimit = nil
            configuration.connection.keepAlive = .zero
        }
        try other.publish("a", to: "t", qos: .atLeastOnce)
        try await other.sync()
        clock.advance(by: .seconds(1_000_000))
        try await other.sync()
        #expect(patient.statistics.unclaimedMessages == 1)
    }

    // MARK: The next connection

    @Test(
        "A waiting message that is sent again on the next connection is delivered once",
        arguments: [QoS.atLeastOnce, .exactlyOnce])
    func resent(qos: QoS) async throws {
        let (client, connection) = try await self.connected()
        try connection.send(.publish(Publish("a", "t", id: 1, qos: qos)))
        try await connection.sync()
        connection.close()
        let second = try await self.server.acceptAgain(sessionPresent: true)
        try second.send(.publish(Publish("a", "t", id: 1, qos: qos, dup: true)))
        try await second.sync()
        let subscription = try await second.subscribe(client, to: "t")
        var iterator = subscription.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "a")
        #expect(subscription.queuedCount == 0)
        try second.publish("end", to: "t")
        #expect(try await iterator.next()?.text == "end")
        try await second.receiveAcknowledgement()
    }

    @Test("Waiting messages survive a session lost by the server")
    func sessionLost() async throws {
        let (client, connection) = try await self.connected()
        try connection.send(.publish(Publish("a", "t", id: 1)), .publish(Publish("b", "t", id: 2, qos: .exactlyOnce)))
        try await connection.sync()
        connection.close()
        let second = try await self.server.acceptAgain(sessionPresent: false)
        let subscription = try await second.subscribe(client, to: "t")
        var iterator = subscription.makeAsyncIterator()
        for text in ["a", "b"] { #expect(try await iterator.next()?.text == text) }
    }

    @Test("Waiting messages stay unacknowledged when the client disconnects")
    func disconnect() async throws {
        let (client, connection) = try await self.connected()
        try connection.send(.publish(Publish("a", "t", id: 1)))
        try await connection.sync()
        await client.disconnect()
        try await connection.receiveDisconnect()
        #expect(client.statistics.unclaimedMessages == 0 && client.statistics.messagesUnrouted == 0)
    }

    // MARK: Resuming or subscribing

    @Test("messages(matching:) subscribes if the server has no session")
    func subscribesIfNeeded() async throws {
        let client = try self.makeClient()
        let messages = try client.messages(matching: ["t/#"])
        async let connected = client.connect()
        let connection = try await self.server.acceptAgain(sessionPresent: false)
        _ = try await connected
        #expect(try await connection.grantSubscribe() == [try TopicFilter("t/#")])
        try connection.publish("x", to: "t/1", qos: .atLeastOnce)
        #expect(try await messages.first { _ in true }?.text == "x")
        try await connection.receiveAcknowledgement()
    }

    @Test("messages(matching:) also subscribes if the session is lost later, or after connect()")
    func subscribesLater() async throws {
        let (client, connection) = try await self.connected()
        let messages = try client.messages(matching: ["t"])
        try await connection.sync()
        connection.close()
        let second = try await self.server.acceptAgain(sessionPresent: false)
        #expect(try await second.grantSubscribe() == [try TopicFilter("t")])
        let more = try client.messages(matching: ["u"])
        #expect(try await second.grantSubscribe() == [try TopicFilter("u")])
        withExtendedLifetime((messages, more)) {}
    }

    @Test("If the server refuses, messages(matching:) throws")
    func subscribesAndIsRefused() async throws {
        let (client, connection) = try await self.connected(isKept: false)
        let messages = try client.messages(matching: ["t"])
        try await connection.refuseSubscribe()
        let error = try await failure { try await messages.first { _ in true } }
        #expect(error.code == .subscriptionRefused && error.reasonCode == .notAuthorized)
    }

    @Test("Unsubscribing from a resumed subscription sends UNSUBSCRIBE")
    func resumedEnds() async throws {
        let (client, connection) = try await self.connected()
        let messages = try client.messages(matching: ["t"])
        async let done: Void = messages.unsubscribe()
        #expect(try await connection.confirmUnsubscribe() == [try TopicFilter("t")])
        try await done
    }

    @Test("messages(matching:) takes messages that have already arrived")
    func resumesLate() async throws {
        let (client, connection) = try await self.connected()
        try connection.publish("a", to: "t", qos: .atLeastOnce)
        try await connection.sync()
        let messages = try client.messages(matching: ["t"])
        #expect(try await messages.first { _ in true }?.text == "a")
        try await connection.receiveAcknowledgement()
    }

    @Test("listen(to:) sends nothing to the server, with or without a session", arguments: [false, true])
    func listens(isKept: Bool) async throws {
        let (client, connection) = try await self.connected(isKept: isKept)
        let messages = try client.listen(to: ["t"])
        try connection.publish("a", to: "t")
        #expect(try await messages.first { _ in true }?.text == "a")
        try await messages.unsubscribe()
        try await connection.sync()
    }

    @Test("unsubscribe(from:) unsubscribes from an earlier run's filter, but not from one in use")
    func forgets() async throws {
        let (client, connection) = try await self.connected()
        let subscription = try await connection.subscribe(client, to: "new")
        async let done: Void = client.unsubscribe(from: ["old", "new"])
        #expect(try await connection.confirmUnsubscribe() == [try TopicFilter("old")])
        try await done
        try await connection.sync()
        withExtendedLifetime(subscription) {}
    }
}
