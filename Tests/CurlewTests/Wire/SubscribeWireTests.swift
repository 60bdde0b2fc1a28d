import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@Suite("Subscribing and routing", .bounded)
struct SubscribeWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    @Test("SUBSCRIBE contains the filter, its options and a subscription identifier [MQTT-3.8.1-1] [MQTT-3.8.3-1]")
    func subscribe() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let options = SubscriptionOptions(
            qos: .atLeastOnce, noLocal: true, retainAsPublished: true, retainHandling: .doNotSend)
        async let subscription = client.subscribe(to: "home/+/t", options: options)
        let packet = try await connection.receiveSubscribe()
        #expect(packet.subscriptions == [.init(try TopicFilter("home/+/t"), options)])
        #expect(packet.properties.subscriptionIdentifiers.count == 1)
        try connection.send(.suback(SubAck(packet.packetID, [.grantedQoS0])))
        #expect(try await subscription.filters == [try TopicFilter("home/+/t")])
    }

    @Test(
        "A refused subscription throws, and is not made again after a reconnection",
        arguments: [ReasonCode.unspecifiedError, .notAuthorized])
    func refused(code: ReasonCode) async throws {
        let (client, connection) = try await self.server.connectedClient { $0.reconnectAtOnce() }
        async let error = failure { try await client.subscribe(to: "t") }
        try await connection.refuseSubscribe(code)
        let thrown = try await error
        #expect(thrown.code == .subscriptionRefused)
        #expect(thrown.reasonCode == code)
        connection.close()
        try await self.server.acceptAgain().sync()
    }

    @Test("A refused subscription throws before 5.0 too")
    func refusedBefore5() async throws {
        let (client, connection) = try await self.server.connectedClient {
            $0.connection.version = .exactly(.v3_1_1)
        }
        async let error = failure { try await client.subscribe(to: "t") }
        let packet = try await connection.receiveSubscribe()
        #expect(packet.properties.isEmpty)
        connection.send(bytes: [
            0x90, 3, UInt8(packet.packetID.rawValue >> 8), UInt8(packet.packetID.rawValue & 255), 0x80,
        ])
        #expect(try await error.reasonCode == .unspecifiedError)
    }

    @Test("If the server refuses one filter of several, none is kept")
    func refusedOne() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let error = failure {
            try await client.subscribe(to: ["a", "b"])
        }
        try await connection.grantSubscribe()
        try await connection.refuseSubscribe()
        #expect(try await error.reasonCode == .notAuthorized)
        #expect(try await connection.confirmUnsubscribe() == [try TopicFilter("a")])
        try await connection.sync()
    }

    @Test(
        "A kind of subscription that the server does not support is refused before it is sent",
        arguments: [
            (Property.wildcardSubscriptionAvailable(false), "a/#", ReasonCode.wildcardSubscriptionsNotSupported),
            (.sharedSubscriptionAvailable(false), "$share/g/a", .sharedSubscriptionsNotSupported),
        ])
    func unavailable(property: Property, filter: String, code: ReasonCode) async throws {
        let (client, connection) = try await self.server.connectedClient(properties: [property])
        let error = try await failure { try await client.subscribe(to: filter) }
        #expect(error.code == .notSupportedByServer)
        #expect(error.reasonCode == code)
        try await connection.sync()
    }

    @Test("If the server does not support subscription identifiers, none is sent")
    func withoutIdentifiers() async throws {
        let (client, connection) = try await self.server.connectedClient(
            properties: [.subscriptionIdentifierAvailable(false)])
        async let subscription = client.subscribe(to: "a/+")
        let packet = try await connection.receiveSubscribe()
        #expect(packet.properties.isEmpty)
        try connection.send(.suback(SubAck(packet.packetID, [.grantedQoS2])), .publish(Publish("x", "a/1")))
        var iterator = try await subscription.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "x")
    }

    @Test("If two subscriptions share a filter, UNSUBSCRIBE is sent only after the last one ends")
    func shared() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let first = try await connection.subscribe(client, to: "t")
        let second = try await connection.subscribe(client, to: "t")
        try connection.publish("both", to: "t")
        var firstIterator = first.makeAsyncIterator()
        var secondIterator = second.makeAsyncIterator()
        #expect(try await firstIterator.next()?.text == "both")
        #expect(try await secondIterator.next()?.text == "both")
        try await first.unsubscribe()
        try await connection.sync()
        try connection.publish("second", to: "t")
        #expect(try await secondIterator.next()?.text == "second")
        async let done: Void = second.unsubscribe()
        #expect(try await connection.confirmUnsubscribe() == [try TopicFilter("t")])
        try await done
        #expect(try await secondIterator.next() == nil)
    }

    @Test("Subscribing to a filter in use with different options is refused")
    func conflictingOptions() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t")
        let error = try await failure { try await client.subscribe(to: "t", options: .init(noLocal: true)) }
        #expect(error.code == .invalidArgument)
        try await connection.sync()
        _ = subscription
    }

    @Test("A subscription that is dropped unsubscribes")
    func dropped() async throws {
        let (client, connection) = try await self.server.connectedClient()
        _ = try await connection.subscribe(client, to: "t")
        #expect(try await connection.confirmUnsubscribe() == [try TopicFilter("t")])
    }

    @Test("A subscriber gets a message once even if several of its filters match")
    func overlapping() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let pending = client.subscribe(to: ["a/#", "a/b"])
        var identifiers: [UInt32] = []
        for _ in 0..<2 {
            let packet = try await connection.receiveSubscribe()
            identifiers += packet.properties.subscriptionIdentifiers
            try connection.send(.suback(SubAck(packet.packetID, [.grantedQoS2])))
        }
        let subscription = try await pending
        // A server may send one copy for each filter, or one for both.
        try connection.send(
            .publish(Publish("copies", "a/b", properties: [.subscriptionIdentifier(identifiers[0])])),
            .publish(Publish("copies", "a/b", properties: [.subscriptionIdentifier(identifiers[1])])),
            .publish(Publish("one", "a/b", properties: identifiers.map(Property.subscriptionIdentifier))),
            .publish(Publish("end", "a/c", properties: [.subscriptionIdentifier(identifiers[0])])))
        var texts: [String] = []
        for try await message in subscription {
            texts.append(message.text)
            if message.text == "end" { break }
        }
        #expect(texts == ["copies", "one", "end"])
    }

    @Test(
        "A shared subscription gets the messages that its filter matches [MQTT-4.8.2-1]",
        arguments: [ProtocolVersion.v3_1_1, .v5_0])
    func shareName(version: ProtocolVersion) async throws {
        let (client, connection) = try await self.server.connectedClient { $0.connection.version = .exactly(version) }
        let subscription = try await connection.subscribe(client, to: "$share/group/t/+")
        try connection.publish("x", to: "t/1")
        var iterator = subscription.makeAsyncIterator()
        #expect(try await iterator.next()?.topic == (try TopicName("t/1")))
    }

    @Test("A QoS 0 message that no subscription matches is counted as unrouted")
    func unrouted() async throws {
        let (client, connection) = try await self.server.connectedClient()
        try connection.publish("x", to: "t")
        try await connection.sync()
        #expect(client.statistics.messagesUnrouted == 1)
    }

    @Test("An invalid filter is refused before anything is sent", arguments: ["", "a/#/b", "a+", "$share/g"])
    func badFilter(filter: String) async throws {
        let client = try self.server.makeClient()
        #expect(try await failure { try await client.subscribe(to: filter) }.code == .invalidTopic)
    }
}
