import Testing

@testable import CurlewCore

@Suite("Routing of received messages")
struct SubscriptionRoutingTests {
    /// A connected session with these filters granted.
    private func subscribed(_ wanted: (String, UInt64, SubscriptionOptions)...) throws -> SessionFixture {
        var fixture = SessionFixture.connected()
        for (filter, subscriber, options) in wanted {
            try fixture.subscribe(filter, subscriber, options)
            for packet in fixture.written().subscribes { fixture.suback(packet.packetID.rawValue) }
        }
        return fixture
    }

    private let plain = SubscriptionOptions()

    @Test("Without identifiers, a message goes once to each subscriber with a matching filter")
    func noIdentifiers() throws {
        var fixture = try self.subscribed(("a/#", 1, plain), ("a/b", 1, plain), ("a/b", 2, plain), ("c", 3, plain))
        for _ in 1...2 { #expect(fixture.deliver(on: "a/b")?.to.sorted() == [1, 2]) }
        #expect(fixture.deliver(on: "a/c")?.to == [1])
        #expect(fixture.deliver(on: "d")?.to == [])
    }

    @Test("One copy with the identifiers of all filters goes once to each subscriber [MQTT-3.3.4-4]")
    func oneCopy() throws {
        var fixture = try self.subscribed(("a/#", 1, plain), ("a/b", 1, plain), ("a/+", 2, plain), ("#", 3, plain))
        #expect(fixture.deliver(on: "a/b", identifiers: [1, 2, 3])?.to == [1, 2])
    }

    @Test("If there is a copy for each filter, each subscriber gets one of them [MQTT-3.3.4-5]")
    func copies() throws {
        var fixture = try self.subscribed(("a/#", 1, plain), ("a/b", 1, plain), ("a/b", 2, plain), ("#", 2, plain))
        let copies = [1, 3, 4].map { fixture.deliver(on: "a/b", identifiers: [$0])?.to }
        #expect(copies == [[1], [2], []])
    }

    @Test("A retained message goes to all subscribers of the filter for which it was sent")
    func retained() throws {
        var fixture = try self.subscribed(("a/#", 1, plain), ("a/b", 1, plain))
        #expect(fixture.deliver(on: "a/b", retain: true, identifiers: [2])?.to == [1])
    }

    @Test("Retained messages of a repeated SUBSCRIBE go to its requester, live messages to all")
    func retainedOfRepetition() throws {
        var fixture = SessionFixture.connected()
        var identifiers: [UInt32] = []
        for subscriber in 1...3 as ClosedRange<UInt64> {
            try fixture.subscribe("dev/#", subscriber)
            let packet = try #require(fixture.written().subscribes.first)
            identifiers += packet.properties.subscriptionIdentifiers
            fixture.suback(packet.packetID.rawValue)
        }
        // In any order, even after later SUBSCRIBEs: delayed messages for an earlier one are still routed correctly.
        for (index, identifier) in identifiers.enumerated().reversed() {
            let retained = fixture.deliver(on: "dev/1", retain: true, identifiers: [identifier])
            #expect(retained?.to == [UInt64(index + 1)])
            #expect(fixture.deliver(on: "dev/1", identifiers: [identifier])?.to == [1, 2, 3])
        }
        fixture.unsubscribe(2)
        #expect(fixture.deliver(on: "dev/1", retain: true, identifiers: [identifiers[1]])?.to == [])
        fixture.reconnect(present: false)
        let again = try #require(fixture.written().subscribes.first).properties.subscriptionIdentifiers
        #expect(fixture.deliver(on: "dev/1", retain: true, identifiers: again)?.to == [1, 3])
    }

    @Test("With Retain As Published, a message with RETAIN may be live, and goes to all")
    func retainAsPublished() throws {
        let options = SubscriptionOptions(retainAsPublished: true)
        var fixture = try self.subscribed(("a", 1, options), ("a", 2, options))
        for identifier in [1, 2] as [UInt32] {
            #expect(fixture.deliver(on: "a", retain: true, identifiers: [identifier])?.to == [1, 2])
        }
    }

    @Test("Only a few repeated SUBSCRIBEs are remembered; retained messages for the others go to all subscribers")
    func manyRepetitions() throws {
        var fixture = SessionFixture.connected()
        for subscriber in 1...20 as ClosedRange<UInt64> {
            try fixture.subscribe("a", subscriber)
            for packet in fixture.written().subscribes { fixture.suback(packet.packetID.rawValue) }
        }
        #expect(fixture.session.subscriptions.router.repetitionCount == 8)
        #expect(fixture.deliver(on: "a", retain: true, identifiers: [1])?.to == [1])
        #expect(fixture.deliver(on: "a", retain: true, identifiers: [20])?.to == [20])
        #expect(fixture.deliver(on: "a", retain: true, identifiers: [2])?.to.count == 20)
        for subscriber in 1...20 as ClosedRange<UInt64> { fixture.unsubscribe(subscriber) }
        for packet in fixture.written() {
            if case .unsubscribe(let packet) = packet { fixture.unsuback(packet.packetID.rawValue) }
        }
        #expect(fixture.session.subscriptions.count == 0 && fixture.session.subscriptions.router.repetitionCount == 0)
    }

    @Test("Identifiers that are unknown, or of a filter that does not match, are ignored")
    func unknownIdentifiers() throws {
        var fixture = try self.subscribed(("a", 1, plain), ("b", 2, plain))
        for identifiers in [[2], [99], [2, 99], [268_435_455]] as [[UInt32]] {
            #expect(fixture.deliver(on: "a", identifiers: identifiers)?.to == [1])
        }
    }

    @Test("A filter that is not yet granted does not keep messages from its subscriber")
    func pendingFilter() throws {
        var fixture = try self.subscribed(("a", 9, plain))
        try fixture.subscribe("x/#", 1)
        try fixture.subscribe("x/y", 1)
        fixture.suback(3)
        #expect(fixture.deliver(on: "x/y", identifiers: [3])?.to == [1])
        fixture.suback(2)
        #expect(fixture.deliver(on: "x/y", identifiers: [2])?.to == [])
        #expect(fixture.deliver(on: "x/y", identifiers: [3])?.to == [1])
    }

    @Test("A message that the server had queued before it granted a better filter is not lost")
    func backlog() throws {
        var fixture = try self.subscribed(("a/#", 1, SubscriptionOptions(qos: .atLeastOnce)))
        #expect(fixture.deliver(on: "a/b", identifiers: [1])?.to == [1])
        try fixture.subscribe("a/+", 1, SubscriptionOptions(qos: .exactlyOnce))
        for packet in fixture.written().subscribes { fixture.suback(packet.packetID.rawValue) }
        for _ in 1...3 { #expect(fixture.deliver(on: "a/b", identifiers: [1])?.to == [1]) }
        #expect(fixture.deliver(on: "a/b", identifiers: [2])?.to == [1])
        #expect(fixture.deliver(on: "a/b", identifiers: [1])?.to == [], "copies for the better one come now")
        #expect(fixture.deliver(on: "a/b/c", identifiers: [1])?.to == [1])
        fixture.reconnect(present: false)
        for packet in fixture.written().subscribes { fixture.suback(packet.packetID.rawValue) }
        #expect(
            fixture.deliver(on: "a/b", identifiers: [1])?.to == [1], "a session that is new has a backlog of its own")
    }

    @Test("A shared filter does not suppress copies for other filters, since its copy may go to another member")
    func sharedFilter() throws {
        var fixture = try self.subscribed(("$share/g/a", 1, plain), ("a", 1, plain))
        #expect(fixture.deliver(on: "a", identifiers: [2])?.to == [1])
        #expect(fixture.deliver(on: "a", identifiers: [1])?.to == [1])
    }

    // It gets none of the client's own messages.
    @Test("A filter with No Local does not suppress copies for other filters")
    func noLocal() throws {
        var fixture = try self.subscribed(("a/#", 1, SubscriptionOptions(noLocal: true)), ("a/b", 1, plain))
        #expect(fixture.deliver(on: "a/b", identifiers: [2])?.to == [1])
        #expect(fixture.deliver(on: "a/b", identifiers: [1])?.to == [])
    }

    @Test("Of several copies, the one at the highest QoS is delivered, once such copies arrive")
    func highestQoS() throws {
        var fixture = try self.subscribed(("a/#", 1, SubscriptionOptions(qos: .atMostOnce)), ("a/b", 1, plain))
        #expect(fixture.deliver(on: "a/b", identifiers: [2])?.to == [1])
        #expect(fixture.deliver(on: "a/b", identifiers: [1])?.to == [])
    }

    @Test("Filters that differ only in the share name are different filters")
    func shareNames() throws {
        var fixture = try self.subscribed(("$share/g/a", 1, plain), ("$share/h/a", 2, plain), ("a", 3, plain))
        #expect(fixture.deliver(on: "a", identifiers: [1])?.to == [1])
        #expect(fixture.deliver(on: "a", identifiers: [2])?.to == [2])
        #expect(fixture.deliver(on: "a")?.to.sorted() == [1, 2, 3])
        fixture.unsubscribe(2)
        #expect(fixture.deliver(on: "a")?.to.sorted() == [1, 3])
    }

    @Test("Cached routes follow every change")
    func changes() throws {
        var fixture = try self.subscribed(("a", 1, plain))
        #expect(fixture.deliver(on: "a")?.to == [1])
        try fixture.subscribe("+", 2)
        #expect(fixture.deliver(on: "a")?.to.sorted() == [1, 2])
        fixture.suback(2, .notAuthorized)
        #expect(fixture.deliver(on: "a")?.to == [1])
        fixture.unsubscribe(1)
        #expect(fixture.deliver(on: "a")?.to == [])
    }

    @Test("Only a limited number of routes is cached, and none for very long topics")
    func bounds() throws {
        var fixture = try self.subscribed(("#", 1, plain))
        for number in 1...10_000 { fixture.deliver(on: TopicName(unchecked: "t/\(number)")) }
        #expect(fixture.session.subscriptions.router.cachedRoutes <= 4_096)
        let before = fixture.session.subscriptions.router.cachedRoutes
        let long = TopicName(unchecked: String(repeating: "x", count: 60_000))
        #expect(fixture.deliver(on: long)?.to == [1])
        #expect(fixture.session.subscriptions.router.cachedRoutes == before)
    }

    @Test("Thousands of filters survive a lost connection and a lost session")
    func many() throws {
        var fixture = SessionFixture.connected()
        for number in 1...5_000 as ClosedRange<UInt64> { try fixture.subscribe("f/\(number)", number % 10) }
        for packet in fixture.written().subscribes { fixture.suback(packet.packetID.rawValue) }
        #expect(fixture.completions().count == 5_000)
        fixture.reconnect()
        #expect(fixture.written().isEmpty)
        fixture.reconnect(present: false)
        #expect(fixture.written().count == 5_000)
        #expect(fixture.deliver(on: "f/4711")?.to == [1])
    }
}

@Suite("Server limits")
struct ServerLimitsTests {
    @Test("Without properties in CONNACK, the standard's defaults apply")
    func defaults() {
        let limits = ServerLimits(ConnAck(), version: .v5_0)
        #expect(limits.receiveMaximum == 65_535 && limits.maximumQoS == .exactlyOnce && limits.topicAliasMaximum == 0)
        #expect(limits.retainAvailable && limits.wildcardSubscriptionAvailable && limits.sharedSubscriptionAvailable)
        #expect(limits.subscriptionIdentifierAvailable && limits.maximumPacketSize == nil)
        #expect(limits.serverKeepAlive == nil && limits.sessionExpiryInterval == nil)
    }

    @Test("All limits in CONNACK's properties are used")
    func all() {
        let connack = ConnAck(
            properties: Properties([
                .receiveMaximum(3), .maximumQoS(.atLeastOnce), .retainAvailable(false), .maximumPacketSize(99),
                .topicAliasMaximum(4), .wildcardSubscriptionAvailable(false), .subscriptionIdentifierAvailable(false),
                .sharedSubscriptionAvailable(false), .serverKeepAlive(5), .sessionExpiryInterval(6),
                .assignedClientIdentifier("c"), .responseInformation("r"), .reasonString("ignored"),
            ]))
        let limits = ServerLimits(connack, version: .v5_0)
        #expect(limits.receiveMaximum == 3 && limits.maximumQoS == .atLeastOnce && limits.maximumPacketSize == 99)
        #expect(!limits.retainAvailable && !limits.wildcardSubscriptionAvailable)
        #expect(!limits.sharedSubscriptionAvailable && !limits.subscriptionIdentifierAvailable)
        #expect(limits.topicAliasMaximum == 4 && limits.serverKeepAlive == 5 && limits.sessionExpiryInterval == 6)
        #expect(limits.assignedClientIdentifier == "c" && limits.responseInformation == "r")
    }

    @Test(
        "Before 5.0, there are no subscription identifiers, and at most 20 messages are in flight",
        arguments: [ProtocolVersion.v3_1, .v3_1_1])
    func before5(version: ProtocolVersion) {
        let limits = ServerLimits(ConnAck(properties: Properties([.receiveMaximum(99)])), version: version)
        #expect(!limits.subscriptionIdentifierAvailable && limits.receiveMaximum == 20)
        #expect(ServerLimits(ConnAck(), version: version, assumedReceiveMaximum: 500).receiveMaximum == 500)
    }
}
