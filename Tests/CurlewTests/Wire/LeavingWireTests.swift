import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@Suite("Messages that a loop has not processed", .bounded)
struct LeavingWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    private struct Unwilling: Error {}

    /// A subscription to `t` with the unread messages `a`, `b` and `c` at QoS 1, packet identifiers 1 to 3.
    private func filled(
        clock: TestClock? = nil
    ) async throws -> (client: MQTTClient, connection: ScriptedConnection, subscription: MQTTSubscription) {
        let (client, connection) = try await self.server.connectedClient(clock: clock) {
            $0.acknowledgement.stuckWarning = .seconds(5)
        }
        let subscription = try await connection.subscribe(client, to: "t")
        try connection.send(
            .publish(Publish("a", "t", id: 1)), .publish(Publish("b", "t", id: 2)), .publish(Publish("c", "t", id: 3)))
        try await connection.sync()
        return (client, connection, subscription)
    }

    @Test("first { … } acknowledges the messages it has seen, and the rest goes to the next subscription")
    func first() async throws {
        let (client, connection, subscription) = try await self.filled()
        #expect(try await subscription.first { $0.text == "b" }?.text == "b")
        for id in 1...2 as ClosedRange<UInt16> { try await connection.expect(.puback(Acknowledgement(id))) }
        try await connection.confirmUnsubscribe()
        #expect(client.statistics.unacknowledgedMessages == 1 && client.statistics.unclaimedMessages == 1)
        #expect(try await subscription.first { _ in true } == nil)
        let next = try await connection.subscribe(client, to: "t")
        try connection.send(.publish(Publish("d", "t", id: 4)))
        var iterator = next.makeAsyncIterator()
        for text in ["c", "d"] { #expect(try await iterator.next()?.text == text) }
        for id in 3...3 as ClosedRange<UInt16> { try await connection.expect(.puback(Acknowledgement(id))) }
    }

    @Test(
        "Leaving a loop by break or an error acknowledges only the current message, and unsubscribes",
        arguments: [false, true])
    func leaving(throwing: Bool) async throws {
        let (client, connection, subscription) = try await self.filled()
        do {
            for try await _ in subscription {
                if throwing { throw Unwilling() }
                break
            }
        } catch is Unwilling {}
        try await connection.expect(.puback(Acknowledgement(1)))
        try await connection.confirmUnsubscribe()
        #expect(client.statistics.unacknowledgedMessages == 2 && client.statistics.unclaimedMessages == 2)
        #expect(client.statistics.messagesDropped == 0 && subscription.queuedCount == 0)
    }

    @Test("A cancelled task gets no more messages; unread ones go to the next subscription")
    func cancelled() async throws {
        let (client, connection, subscription) = try await self.filled()
        let loop = Task {
            var texts: [String] = []
            for try await message in subscription {
                texts.append(message.text)
                withUnsafeCurrentTask { $0?.cancel() }
            }
            return texts
        }
        #expect(try await loop.value == ["a"])
        try await connection.expect(.puback(Acknowledgement(1)))
        try await connection.confirmUnsubscribe()
        let next = try await connection.subscribe(client, to: "t")
        #expect(try await next.first { _ in true }?.text == "b")
    }

    @Test("A cancelled task stops reading even if messages keep arriving")
    func cancelledWhileMessagesCome() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t")
        let loop = Task {
            var count = 0
            for try await _ in subscription {
                count += 1
                try connection.send(.publish(Publish("x", "t")), .publish(Publish("x", "t")))
                if count == 3 { withUnsafeCurrentTask { $0?.cancel() } }
            }
            return count
        }
        try connection.send(.publish(Publish("x", "t")))
        #expect(try await loop.value == 3)
    }

    @Test("An iterator that is dropped unused acknowledges nothing")
    func iterator() async throws {
        let (client, connection, subscription) = try await self.filled()
        do { _ = subscription.makeAsyncIterator() }
        try await connection.confirmUnsubscribe()
        #expect(client.statistics.unacknowledgedMessages == 3)
        let next = try await connection.subscribe(client, to: "t")
        #expect(try await next.first { _ in true }?.text == "a")
    }

    @Test("Two loops share the messages, and the subscription ends when both have ended")
    func twoLoops() async throws {
        let (client, connection, subscription) = try await self.filled()
        var second: MQTTSubscription.Iterator? = subscription.makeAsyncIterator()
        #expect(try await subscription.first { _ in true }?.text == "a")
        try await connection.expect(.puback(Acknowledgement(1)))
        #expect(try await second?.next()?.text == "b")
        #expect(client.statistics.unclaimedMessages == 0)
        second = nil
        try await connection.expect(.puback(Acknowledgement(2)))
        try await connection.confirmUnsubscribe()
        #expect(client.statistics.unclaimedMessages == 1)
    }

    @Test("Unread messages of a temporary subscription go to the next subscription, in order")
    func inline() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let first = client.subscribe(to: "t").first { _ in true }
        try await connection.grantSubscribe()
        try connection.send(
            .publish(Publish("a", "t", id: 1)), .publish(Publish("b", "t", id: 2)), .publish(Publish("c", "t", id: 3)))
        #expect(try await first?.text == "a")
        try await connection.expect(.puback(Acknowledgement(1)))
        try await connection.confirmUnsubscribe()
        #expect(client.statistics.unclaimedMessages == 2 && client.statistics.messagesDropped == 0)
        let next = try await connection.subscribe(client, to: "+")
        try connection.send(.publish(Publish("d", "t", id: 4)))
        var iterator = next.makeAsyncIterator()
        for text in ["b", "c", "d"] { #expect(try await iterator.next()?.text == text) }
        for id in 2...3 as ClosedRange<UInt16> { try await connection.expect(.puback(Acknowledgement(id))) }
    }

    @Test("Unread messages that nobody claims are reported with their topic, and acknowledged")
    func nobody() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        let events = client.events
        async let first = client.subscribe(to: "t").first { _ in true }
        try await connection.grantSubscribe()
        try connection.send(.publish(Publish("a", "t", id: 1)), .publish(Publish("b", "t", id: 2)))
        #expect(try await first?.text == "a")
        try await connection.expect(.puback(Acknowledgement(1)))
        try await connection.confirmUnsubscribe()
        clock.advance(by: .seconds(10))
        try await connection.expect(.puback(Acknowledgement(2)))
        let topics = try await CurlewTests.first(of: events) {
            if case .messagesUnclaimed(let topics, 1) = $0 { topics } else { nil }
        }
        #expect(topics == [try TopicName("t")])
    }

    @Test("With acknowledgement on receipt, no message waits for another subscription")
    func onReceipt() async throws {
        let (client, connection) = try await self.server.connectedClient()
        try await self.receiveOne(client, connection)
        try await connection.confirmUnsubscribe()
        #expect(client.statistics.unclaimedMessages == 0 && client.statistics.unacknowledgedMessages == 0)
    }

    private func receiveOne(_ client: MQTTClient, _ connection: ScriptedConnection) async throws {
        let subscription = try await connection.subscribe(client, to: "t", acknowledgement: .onReceipt)
        try connection.send(.publish(Publish("a", "t", id: 1)))
        try await connection.expect(.puback(Acknowledgement(1)))
        #expect(subscription.queuedCount == 1)
    }

    @Test("With manual acknowledgement, read messages stay unacknowledged, and unread ones go to the next subscription")
    func manual() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t", acknowledgement: .manual)
        try connection.send(.publish(Publish("a", "t", id: 1)), .publish(Publish("b", "t", id: 2)))
        try await connection.sync()
        let message = try #require(try await subscription.first { _ in true })
        try await connection.confirmUnsubscribe()
        #expect(client.statistics.unacknowledgedMessages == 2 && client.statistics.unclaimedMessages == 1)
        let next = try await connection.subscribe(client, to: "t")
        #expect(try await next.first { _ in true }?.text == "b")
        try await connection.confirmUnsubscribe()
        try subscription.acknowledge(message)
        for id in 1...2 as ClosedRange<UInt16> { try await connection.expect(.puback(Acknowledgement(id))) }
    }

    @Test("A message left unread by two subscriptions is delivered to the next one once")
    func twoSubscriptions() async throws {
        let (client, connection) = try await self.server.connectedClient()
        try await self.subscribeTwice(client, connection)
        for _ in 1...2 { try await connection.confirmUnsubscribe() }
        #expect(client.statistics.unclaimedMessages == 1)
        let next = try await connection.subscribe(client, to: "#")
        #expect(try await next.first { _ in true }?.text == "a")
        try await connection.expect(.puback(Acknowledgement(1)))
    }

    private func subscribeTwice(_ client: MQTTClient, _ connection: ScriptedConnection) async throws {
        let one = try await connection.subscribe(client, to: "t")
        let other = try await connection.subscribe(client, to: "+")
        try connection.send(.publish(Publish("a", "t", id: 1)))
        try await connection.sync()
        #expect(one.queuedCount == 1 && other.queuedCount == 1)
    }

    @Test("After unsubscribe(), the loop still gets the messages that have arrived")
    func unsubscribed() async throws {
        let (_, connection, subscription) = try await self.filled()
        async let done: Void = subscription.unsubscribe()
        try await connection.confirmUnsubscribe()
        try await done
        var texts: [String] = []
        for try await message in subscription { texts.append(message.text) }
        #expect(texts == ["a", "b", "c"])
    }

    @Test("A message that arrives after its subscription has ended is acknowledged at once")
    func late() async throws {
        let (client, connection) = try await self.server.connectedClient()
        _ = try await connection.subscribe(client, to: "t")
        try connection.send(.publish(Publish("a", "t", id: 1)))
        _ = try await connection.confirmUnsubscribe()
        try await connection.expect(.puback(Acknowledgement(1)))
        try connection.send(.publish(Publish("b", "t", id: 2)))
        try await connection.expect(.puback(Acknowledgement(2)))
        #expect(client.statistics.messagesUnrouted == 2 && client.statistics.unclaimedMessages == 0)
    }

    @Test("A message that overflows a queue with the policy fail goes to the next subscription")
    func overflow() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t", queue: .init(count: 1, overflow: .fail))
        try connection.send(.publish(Publish("a", "t", id: 1)), .publish(Publish("b", "t", id: 2)))
        try await connection.confirmUnsubscribe()
        let next = try await connection.subscribe(client, to: "t")
        #expect(try await next.first { _ in true }?.text == "b")
        try await connection.confirmUnsubscribe()
        #expect(try await subscription.first { _ in true }?.text == "a")
        for id in 1...2 as ClosedRange<UInt16> { try await connection.expect(.puback(Acknowledgement(id))) }
    }

    @Test("A QoS 2 message left unread at disconnect() is delivered when the server sends it again")
    func exactlyOnceAfterDisconnect() async throws {
        let client = try self.server.makeClient { configuration in
            configuration.session.cleanStart = false
            configuration.clientIdentifier = .given("kept")
        }
        async let connected = client.connect()
        let connection = try await self.server.acceptAgain()
        _ = try await connected
        try await self.leaveUnread(client, connection)
        async let again = client.connect()
        let second = try await self.server.acceptAgain(sessionPresent: true)
        _ = try await again
        try second.send(.publish(Publish("a", "t", id: 1, qos: .exactlyOnce, dup: true)))
        try await second.sync()
        let next = try await second.subscribe(client, to: "t")
        #expect(try await next.first { _ in true }?.text == "a")
        try await second.expect(.pubrec(Acknowledgement(1)))
    }

    private func leaveUnread(_ client: MQTTClient, _ connection: ScriptedConnection) async throws {
        let subscription = try await connection.subscribe(client, to: "t")
        try connection.send(.publish(Publish("a", "t", id: 1, qos: .exactlyOnce)))
        try await connection.sync()
        await client.disconnect()
        #expect(subscription.queuedCount == 1)
    }

    @Test("A subscription that nobody reads is reported as stuck")
    func stuck() async throws {
        let clock = TestClock()
        let (client, connection, subscription) = try await self.filled(clock: clock)
        let events = client.events
        for _ in 1...2 { try await clock.advanceToSleeper(within: .seconds(5)) }
        let topic = try await CurlewTests.first(of: events) {
            if case .acknowledgementStuck(let topic, _) = $0 { topic } else { nil }
        }
        #expect(topic == (try TopicName("t")) && subscription.queuedCount == 3)
        withExtendedLifetime(connection) {}
    }
}
