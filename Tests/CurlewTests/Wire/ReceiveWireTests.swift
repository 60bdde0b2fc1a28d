import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@Suite("Receiving and acknowledging", .bounded)
struct ReceiveWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    @Test("On consumption: a message is acknowledged when the next one is requested [MQTT-4.3.2-4]")
    func onConsumption() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t")
        try connection.send(.publish(Publish("a", "t", id: 1)), .publish(Publish("b", "t", id: 2)))
        var iterator = subscription.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "a")
        #expect(client.statistics.unacknowledgedMessages == 2)
        #expect(try await iterator.next()?.text == "b")
        try await connection.expect(.puback(Acknowledgement(1)))
        #expect(client.statistics.unacknowledgedMessages == 1)
    }

    @Test("On receipt: a message is acknowledged before anybody reads it")
    func onReceipt() async throws {
        let (client, connection) = try await self.server.connectedClient { $0.acknowledgement.policy = .onReceipt }
        let subscription = try await connection.subscribe(client, to: "t")
        try connection.send(.publish(Publish("a", "t", id: 1)), .publish(Publish("b", "t", id: 2, qos: .exactlyOnce)))
        try await connection.expect(.puback(Acknowledgement(1)))
        try await connection.expect(.pubrec(Acknowledgement(2)))
        #expect(subscription.queuedCount == 2)
    }

    @Test("Manually: messages are acknowledged in order of arrival, with reason codes [MQTT-4.6.0-2] [MQTT-4.6.0-3]")
    func manual() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t", acknowledgement: .manual)
        try connection.send(
            .publish(Publish("a", "t", id: 1)), .publish(Publish("b", "t", id: 2, qos: .exactlyOnce)),
            .publish(Publish("c", "t", id: 3)))
        var iterator = subscription.makeAsyncIterator()
        var messages: [MQTTMessage] = []
        while messages.count < 3, let message = try await iterator.next() { messages.append(message) }
        try subscription.acknowledge(messages[2])
        try subscription.acknowledge(messages[1])
        try await client.publish("mark", to: "mark")
        try await connection.expect(.publish(Publish("mark", "mark")))
        try subscription.acknowledge(messages[0], reasonCode: .payloadFormatInvalid)
        try await connection.expect(.puback(Acknowledgement(1, .payloadFormatInvalid)))
        try await connection.expect(.pubrec(Acknowledgement(2)))
        try await connection.expect(.puback(Acknowledgement(3)))
    }

    @Test("With several local subscribers, a message is acknowledged after all of them have released it")
    func severalSubscribers() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let first = try await connection.subscribe(client, to: "t")
        let second = try await connection.subscribe(client, to: "#", acknowledgement: .manual)
        try connection.send(.publish(Publish("a", "t", id: 1)))
        for try await _ in first { break }
        try await connection.confirmUnsubscribe()
        var iterator = second.makeAsyncIterator()
        let message = try #require(try await iterator.next())
        // The first subscriber has released it; the acknowledgement waits for the second.
        #expect(client.statistics.unacknowledgedMessages == 1)
        try second.acknowledge(message)
        try await connection.expect(.puback(Acknowledgement(1)))
        withExtendedLifetime(first) {}
    }

    @Test("A server that exceeds Receive Maximum is tolerated, since mosquitto 2.0.11 does so")
    func receiveMaximumExceeded() async throws {
        let (client, connection) = try await self.server.connectedClient { configuration in
            configuration.session.receiveMaximum = 2
            configuration.reconnect = .disabled
        }
        let subscription = try await connection.subscribe(client, to: "t")
        try connection.send(
            .publish(Publish("a", "t", id: 1)), .publish(Publish("b", "t", id: 2)), .publish(Publish("c", "t", id: 3)))
        var iterator = subscription.makeAsyncIterator()
        for text in ["a", "b", "c"] { #expect(try await iterator.next()?.text == text) }
        #expect(client.state == .connected)
    }

    @Test("PUBREL with an unknown packet identifier is answered with Packet Identifier not found [MQTT-4.3.3-11]")
    func unknownPubrel() async throws {
        let (client, connection) = try await self.server.connectedClient()
        try connection.send(.pubrel(Acknowledgement(77)))
        try await connection.expect(.pubcomp(Acknowledgement(77, .packetIdentifierNotFound)))
        _ = client
    }

    @Test("PUBREC with an unknown packet identifier is answered as such; other unknown acknowledgements are ignored")
    func unknownAcknowledgements() async throws {
        let (client, connection) = try await self.server.connectedClient()
        try connection.send(
            .puback(Acknowledgement(77)), .pubcomp(Acknowledgement(78)),
            .suback(SubAck(PacketID(literal: 79), [.grantedQoS0])),
            .unsuback(UnsubAck(PacketID(literal: 80), [.success])), .pubrec(Acknowledgement(81)))
        try await connection.expect(.pubrel(Acknowledgement(81, .packetIdentifierNotFound)))
        try await connection.sync()
        _ = client
    }

    @Test("A slow consumer does not block pings or publishes")
    func slowConsumer() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        connection.answersPings = false
        let slow = try await connection.subscribe(client, to: "t")
        for id in 1...100 { try connection.send(.publish(Publish("\(id)", "t", id: UInt16(id)))) }
        var iterator = slow.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "1")
        try await connection.sync()
        clock.advance(by: .seconds(60))
        try await connection.expect(.pingreq)
        try connection.send(.pingresp)
        try await client.publish("x", to: "u")
        try await connection.expect(.publish(Publish("x", "u")))
    }

    // MARK: Queues

    @Test(
        "A full queue drops its oldest or newest messages; they are counted and reported",
        arguments: [
            (MQTTConfiguration.SubscriptionQueue.Overflow.dropOldest, ["2", "3"]),
            (.dropNewest, ["0", "1"]),
        ])
    func overflow(policy: MQTTConfiguration.SubscriptionQueue.Overflow, kept: [String]) async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t", queue: .init(count: 2, overflow: policy))
        let events = client.events
        for number in 0..<4 { try connection.send(.publish(Publish("\(number)", "t"))) }
        try await connection.sync()
        var texts: [String] = []
        for try await message in subscription {
            texts.append(message.text)
            if texts.count == 2 { break }
        }
        #expect(texts == kept)
        #expect(subscription.droppedCount == 2)
        #expect(client.statistics.messagesDropped == 2)
        let count = try await first(of: events) { if case .messagesDropped(_, let count) = $0 { count } else { nil } }
        #expect(count == 1)
    }

    @Test("A dropped message is acknowledged, so that the receive window does not fill up")
    func overflowAcknowledges() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(
            client, to: "t", queue: .init(count: 1, overflow: .dropOldest))
        try connection.send(.publish(Publish("a", "t", id: 1)), .publish(Publish("b", "t", id: 2)))
        try await connection.expect(.puback(Acknowledgement(1)))
        _ = subscription
    }

    @Test("Queues can keep the latest message per topic, and order messages newest first or by priority")
    func otherQueues() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let latest = try await connection.subscribe(client, to: "+", queue: .init(overflow: .latestPerTopic))
        let lifo = try await connection.subscribe(client, to: "+", queue: .init(order: .lifo))
        for (text, topic) in [("1", "a"), ("2", "b"), ("3", "a")] { try connection.publish(text, to: topic) }
        try await connection.sync()
        var iterator = latest.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "3")
        #expect(try await iterator.next()?.text == "2")
        var other = lifo.makeAsyncIterator()
        #expect(try await other.next()?.text == "3")
        let byLength = MQTTConfiguration.SubscriptionQueue(order: .highestFirst { $0.byteCount })
        let priority = try await connection.subscribe(client, to: "p", queue: byLength)
        for text in ["a", "aaa", "aa"] { try connection.publish(text, to: "p") }
        try await connection.sync()
        var third = priority.makeAsyncIterator()
        for text in ["aaa", "aa", "a"] { #expect(try await third.next()?.text == text) }
    }

    @Test("With the policy fail, the subscription ends with an error after its queued messages, and unsubscribes")
    func overflowFails() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t", queue: .init(count: 1, overflow: .fail))
        try connection.send(.publish(Publish("a", "t")), .publish(Publish("b", "t")))
        try await connection.confirmUnsubscribe()
        var iterator = subscription.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "a")
        #expect(try await failure { try await iterator.next() }.code == .queueOverflow)
    }
}
