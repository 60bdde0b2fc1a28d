import Testing

@testable import CurlewCore

@Suite("Who gets a message")
struct SubscriptionRoutingTests {
    /// Connected, with these filters granted.
    private func subscribed(_ wanted: (String, UInt64, SubscriptionOptions)...) throws -> SessionFixture {
        var fixture = SessionFixture.connected()
        for (filter, subscriber, options) in wanted {
            try fixture.subscribe(filter, subscriber, options)
            for packet in fixture.written().subscribes { fixture.suback(packet.packetID.rawValue) }
        }
        return fixture
    }

    private let plain = SubscriptionOptions()

    @Test("Without identifiers, each subscriber with a filter that matches, once")
    func noIdentifiers() throws {
        var fixture = try self.subscribed(("a/#", 1, plain), ("a/b", 1, plain), ("a/b", 2, plain), ("c", 3, plain))
        for _ in 1...2 { #expect(fixture.deliver(on: "a/b")?.to.sorted() == [1, 2]) }
        #expect(fixture.deliver(on: "a/c")?.to == [1])
        #expect(fixture.deliver(on: "d")?.to == [])
    }

    @Test("One copy with the identifiers of all filters goes to each subscriber once [MQTT-3.3.4-4]")
    func oneCopy() throws {
        var fixture = try self.subscribed(("a/#", 1, plain), ("a/b", 1, plain), ("a/+", 2, plain), ("#", 3, plain))
        #expect(fixture.deliver(on: "a/b", identifiers: [1, 2, 3])?.to == [1, 2])
    }

    @Test("Of a copy for each filter, each subscriber gets one [MQTT-3.3.4-5]")
    func copies() throws {
        var fixture = try self.subscribed(("a/#", 1, plain), ("a/b", 1, plain), ("a/b", 2, plain), ("#", 2, plain))
        let copies = [1, 3, 4].map { fixture.deliver(on: "a/b", identifiers: [$0])?.to }
        #expect(copies == [[1], [2], []])
    }

    @Test("A retained message goes to all of the filter that it was sent for")
    func retained() throws {
        var fixture = try self.subscribed(("a/#", 1, plain), ("a/b", 1, plain))
        #expect(fixture.deliver(on: "a/b", retain: true, identifiers: [2])?.to == [1])
    }

    @Test("The retained messages of a repeated SUBSCRIBE go to those for whom it was, live ones to all")
    func retainedOfRepetition() throws {
        var fixture = SessionFixture.connected()
        var identifiers: [UInt32] = []
        for subscriber in 1...3 as ClosedRange<UInt64> {
            try fixture.subscribe("dev/#", subscriber)
            let packet = try #require(fixture.written().subscribes.first)
            identifiers += packet.properties.subscriptionIdentifiers
            fixture.suback(packet.packetID.rawValue)
        }
        // In any order, and after later SUBSCRIBEs: what waits at the server for an earlier one still finds its way.
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

    @Test("With Retain As Published a retained message may be a live one, and goes to all")
    func retainAsPublished() throws {
        let options = SubscriptionOptions(retainAsPublished: true)
        var fixture = try self.subscribed(("a", 1, options), ("a", 2, options))
        for identifier in [1, 2] as [UInt32] {
            #expect(fixture.deliver(on: "a", retain: true, identifiers: [identifier])?.to == [1, 2])
        }
    }

    @Test("However often a filter is asked for, few SUBSCRIBEs are remembered, and what comes for others goes to all")
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

    @Test("Identifiers that stand for nothing, or for a filter that does not match, tell nothing")
    func unknownIdentifiers() throws {
        var fixture = try self.subscribed(("a", 1, plain), ("b", 2, plain))
        for identifiers in [[2], [99], [2, 99], [268_435_455]] as [[UInt32]] {
            #expect(fixture.deliver(on: "a", identifiers: identifiers)?.to == [1])
        }
    }

    @Test("A filter that the server does not know yet keeps no message from its subscriber")
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

    @Test("A message that the server had in hand when it granted a better filter is not lost")
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

    @Test("A shared filter keeps no message from its subscriber: its copy goes to any member of the group")
    func sharedFilter() throws {
        var fixture = try self.subscribed(("$share/g/a", 1, plain), ("a", 1, plain))
        #expect(fixture.deliver(on: "a", identifiers: [2])?.to == [1])
        #expect(fixture.deliver(on: "a", identifiers: [1])?.to == [1])
    }

    @Test("A filter with No Local keeps no message from its subscriber: it may have no copy of our own")
    func noLocal() throws {
        var fixture = try self.subscribed(("a/#", 1, SubscriptionOptions(noLocal: true)), ("a/b", 1, plain))
        #expect(fixture.deliver(on: "a/b", identifiers: [2])?.to == [1])
        #expect(fixture.deliver(on: "a/b", identifiers: [1])?.to == [])
    }

    @Test("Of several copies the one at the highest QoS counts, once such copies come")
    func highestQoS() throws {
        var fixture = try self.subscribed(("a/#", 1, SubscriptionOptions(qos: .atMostOnce)), ("a/b", 1, plain))
        #expect(fixture.deliver(on: "a/b", identifiers: [2])?.to == [1])
        #expect(fixture.deliver(on: "a/b", identifiers: [1])?.to == [])
    }

    @Test("Filters that differ in the share name alone are two")
    func shareNames() throws {
        var fixture = try self.subscribed(("$share/g/a", 1, plain), ("$share/h/a", 2, plain), ("a", 3, plain))
        #expect(fixture.deliver(on: "a", identifiers: [1])?.to == [1])
        #expect(fixture.deliver(on: "a", identifiers: [2])?.to == [2])
        #expect(fixture.deliver(on: "a")?.to.sorted() == [1, 2, 3])
        fixture.unsubscribe(2)
        #expect(fixture.deliver(on: "a")?.to.sorted() == [1, 3])
    }

    @Test("What is remembered of routes follows every change")
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

    @Test("However many topics a server makes up, few routes are remembered, and none of long topics")
    func bounds() throws {
        var fixture = try self.subscribed(("#", 1, plain))
        for number in 1...10_000 { fixture.deliver(on: TopicName(unchecked: "t/\(number)")) }
        #expect(fixture.session.subscriptions.router.cachedRoutes <= 4_096)
        let before = fixture.session.subscriptions.router.cachedRoutes
        let long = TopicName(unchecked: String(repeating: "x", count: 60_000))
        #expect(fixture.deliver(on: long)?.to == [1])
        #expect(fixture.session.subscriptions.router.cachedRoutes == before)
    }

    @Test("Thousands of filters survive the loss of the connection, and of the session")
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

@Suite("What the server can and will do")
struct ServerLimitsTests {
    @Test("A CONNACK without properties leaves the standard's defaults")
    func defaults() {
        let limits = ServerLimits(ConnAck(), version: .v5_0)
        #expect(limits.receiveMaximum == 65_535 && limits.maximumQoS == .exactlyOnce && limits.topicAliasMaximum == 0)
        #expect(limits.retainAvailable && limits.wildcardSubscriptionAvailable && limits.sharedSubscriptionAvailable)
        #expect(limits.subscriptionIdentifierAvailable && limits.maximumPacketSize == nil)
        #expect(limits.serverKeepAlive == nil && limits.sessionExpiryInterval == nil)
    }

    @Test("Every property of CONNACK that limits something is taken")
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
        "Before 5.0 there are no subscription identifiers, and 20 messages at once, which servers bear",
        arguments: [ProtocolVersion.v3_1, .v3_1_1])
    func before5(version: ProtocolVersion) {
        let limits = ServerLimits(ConnAck(properties: Properties([.receiveMaximum(99)])), version: version)
        #expect(!limits.subscriptionIdentifierAvailable && limits.receiveMaximum == 20)
    }
}
