import Testing

@testable import CurlewCore

@Suite("Subscribing in a session")
struct SessionSubscribingTests {
    // MARK: One filter

    @Test("SUBSCRIBE has a packet and a subscription identifier, and SUBACK completes it [MQTT-2.2.1-6]")
    func granted() throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.subscribe("a/+")
        let packet = try #require(fixture.written().subscribes.first)
        #expect(packet.packetID == id(1) && packet.properties.subscriptionIdentifiers == [1])
        fixture.suback(1, .grantedQoS1)
        #expect(fixture.completions() == [.subscribed(request, .grantedQoS1)])
        #expect(fixture.session.isDrained)
    }

    @Test(
        "A refusal is the outcome, and no messages are delivered",
        arguments: [ReasonCode.unspecifiedError, .notAuthorized])
    func refused(code: ReasonCode) throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.subscribe("a")
        fixture.suback(1, code)
        #expect(fixture.completions() == [.subscribed(request, code)])
        #expect(fixture.session.takeLostSubscribers().isEmpty)
        #expect(fixture.deliver(on: "a")?.to == [] && fixture.session.subscriptions.count == 0)
    }

    @Test(
        "A refusal does not affect subscribers that only listen or have resumed the filter", arguments: [true, false])
    func refusedBesideLocal(isResumed: Bool) throws {
        var fixture = SessionFixture()
        fixture.connect(present: isResumed)
        if isResumed { fixture.resume("a", 1) } else { fixture.listen("a", 1) }
        let request = try fixture.subscribe("a", 2)
        #expect(try fixture.delivered(on: "a").to == [1, 2])
        fixture.suback(1, .quotaExceeded)
        #expect(fixture.completions() == [.subscribed(request, .quotaExceeded)])
        #expect(fixture.session.takeLostSubscribers().isEmpty)
        #expect(try fixture.delivered(on: "a").to == [1])
        #expect(fixture.written().subscribes.count == 1)
        // If the session is lost, only the resumed filter is subscribed to again.
        fixture.reconnect(present: false)
        #expect(fixture.written().subscribes.count == (isResumed ? 1 : 0))
    }

    @Test(
        "A resumed filter is subscribed to if the server has no session, even if another subscriber only listens to it")
    func resumedBesideListener() throws {
        var fixture = SessionFixture()
        fixture.listen("a", 1)
        fixture.resume("a", 2)
        fixture.connect(present: false)
        #expect(fixture.written().subscribes.count == 1)
        fixture.suback(1)
        #expect(try fixture.delivered(on: "a").to == [1, 2])
    }

    @Test(
        "A SUBACK with the wrong number of reason codes violates the protocol [MQTT-3.9.3-1]",
        arguments: [[], [ReasonCode.success, .success]])
    func wrongCount(codes: [ReasonCode]) throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a")
        #expect(fixture.receive(.suback(SubAck(id(1), codes))).violation == .protocolError)
        #expect(fixture.completions().isEmpty)
    }

    @Test("An UNSUBACK with the wrong number of reason codes, or any before 5.0, violates the protocol [MQTT-3.11.3-1]")
    func wrongUnsubackCount() throws {
        for (version, codes) in [(.v5_0, []), (.v5_0, [.success, .success]), (.v3_1_1, [.success])]
            as [(ProtocolVersion, [ReasonCode])]
        {
            var fixture = SessionFixture.connected(version: version)
            try fixture.subscribe("a")
            fixture.suback(1)
            fixture.unsubscribe()
            #expect(fixture.receive(.unsuback(UnsubAck(id(2), codes))).violation == .protocolError)
        }
    }

    @Test("UNSUBSCRIBE has an unused identifier, and UNSUBACK completes it [MQTT-2.2.1-3] [MQTT-2.2.1-6]")
    func unsubscribed() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a")
        try fixture.publish("x")
        fixture.suback(1)
        _ = fixture.written()
        _ = fixture.completions()
        let request = fixture.unsubscribe()
        #expect(fixture.written().summaries == ["UNSUBSCRIBE 3 a"])
        fixture.unsuback(3, .noSubscriptionExisted)
        #expect(fixture.completions() == [.unsubscribed(request, .noSubscriptionExisted)])
        #expect(fixture.session.subscriptions.count == 0)
    }

    @Test("Unsubscribing without a subscription completes at once")
    func nothingToUnsubscribe() {
        var fixture = SessionFixture.connected()
        let request = fixture.unsubscribe(9)
        #expect(fixture.completions() == [.unsubscribed(request)] && fixture.unsent == 0)
    }

    @Test("Unknown SUBACKs and UNSUBACKs are ignored")
    func unknownAnswers() {
        var fixture = SessionFixture.connected()
        #expect(fixture.suback(9) == .nothing && fixture.unsuback(9) == .nothing)
    }

    // MARK: The server's limits

    @Test("Unsupported wildcards and shared subscriptions, and too large a SUBSCRIBE, are refused [MQTT-3.2.2-15]")
    func limits() throws {
        var fixture = SessionFixture.connected(
            .wildcardSubscriptionAvailable(false), .sharedSubscriptionAvailable(false), .maximumPacketSize(30))
        #expect(throws: Rejection.wildcardsNotAvailable) { try fixture.subscribe("a/#") }
        #expect(throws: Rejection.sharedSubscriptionsNotAvailable) { try fixture.subscribe("$share/g/a") }
        let request = try fixture.subscribe(String(repeating: "a", count: 40))
        #expect(fixture.completions() == [.rejected(request, .packetTooLarge(size: 50, maximum: 30))])
        #expect(fixture.unsent == 0 && fixture.session.inFlightCount == 0 && fixture.session.subscriptions.count == 0)
    }

    @Test("Subscriptions made without a connection are checked against the next connection's limits")
    func limitsLater() throws {
        var fixture = SessionFixture()
        let wildcard = try fixture.subscribe("a/#", 1)
        let shared = try fixture.subscribe("$share/g/a", 2)
        try fixture.subscribe("a", 3)
        fixture.connect([.wildcardSubscriptionAvailable(false), .sharedSubscriptionAvailable(false)])
        #expect(
            fixture.completions() == [
                .rejected(wildcard, .wildcardsNotAvailable), .rejected(shared, .sharedSubscriptionsNotAvailable),
            ])
        #expect(fixture.written().summaries == ["SUBSCRIBE 1 a"])
    }

    @Test(
        "No subscription identifier is sent if the server does not support them, nor before 5.0",
        arguments: ProtocolVersion.allCases)
    func noIdentifiers(version: ProtocolVersion) throws {
        var fixture = SessionFixture()
        fixture.connect([.subscriptionIdentifierAvailable(false)], version: version)
        try fixture.subscribe("a")
        #expect(fixture.written().subscribes.first?.properties.isEmpty == true)
    }

    @Test("Options that the version does not support are refused")
    func optionsBefore5() throws {
        var fixture = SessionFixture.connected(version: .v3_1_1)
        let request = try fixture.subscribe("a", 1, SubscriptionOptions(noLocal: true))
        let rejection = Rejection.encoding(.notSupported("the option noLocal of a subscription", .v3_1_1))
        #expect(fixture.completions() == [.rejected(request, rejection)])
        #expect(fixture.session.inFlightCount == 0)
    }

    @Test("An UNSUBSCRIBE that is now too large for the server is not sent, and completes [MQTT-3.2.2-15]")
    func unsubscribeTooLarge() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe(String(repeating: "a", count: 40))
        fixture.suback(1)
        fixture.reconnect(present: true, .maximumPacketSize(30))
        _ = fixture.written()
        _ = fixture.completions()
        let request = fixture.unsubscribe()
        #expect(fixture.completions() == [.unsubscribed(request, .packetTooLarge)])
        #expect(fixture.unsent == 0 && fixture.session.inFlightCount == 0)
    }

    // MARK: Sharing a filter

    @Test("A second subscriber sends SUBSCRIBE for the retained messages; the last one to end sends UNSUBSCRIBE")
    func shared() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a", 1, SubscriptionOptions(qos: .atMostOnce))
        try fixture.subscribe("a", 2, SubscriptionOptions(qos: .atLeastOnce))
        #expect(fixture.written().summaries == ["SUBSCRIBE 1 a"])
        fixture.suback(1)
        let second = try #require(fixture.written().subscribes.first)
        #expect(second.subscriptions[0].options.qos == .atLeastOnce)
        fixture.suback(2)
        let first = fixture.unsubscribe(1)
        #expect(fixture.completions().last == .unsubscribed(first))
        #expect(fixture.written().isEmpty && fixture.deliver(on: "a")?.to == [2])
        fixture.unsubscribe(2)
        #expect(fixture.written().summaries == ["UNSUBSCRIBE 3 a"])
    }

    @Test("A second subscriber's options must be the same, except for the QoS")
    func conflict() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a", 1)
        #expect(throws: Rejection.conflictingOptions) {
            try fixture.subscribe("a", 2, SubscriptionOptions(noLocal: true))
        }
        #expect(fixture.deliver(on: "a")?.to == [1])
        try fixture.subscribe("a", 1, SubscriptionOptions(qos: .atMostOnce, noLocal: true))
        fixture.suback(1)
        #expect(fixture.written().subscribes.last?.subscriptions[0].options.noLocal == true)
    }

    @Test("A refusal of a second subscriber does not affect the first")
    func refusedNewcomer() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a", 1)
        fixture.suback(1)
        try fixture.subscribe("a", 2)
        fixture.suback(2, .quotaExceeded)
        #expect(fixture.session.takeLostSubscribers().isEmpty)
        #expect(fixture.deliver(on: "a")?.to == [1])
    }

    @Test("A QoS that a later subscriber was refused is not requested again when the session is lost")
    func refusedQoS() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a", 1, SubscriptionOptions(qos: .atMostOnce))
        fixture.suback(1)
        try fixture.subscribe("a", 2, SubscriptionOptions(qos: .exactlyOnce))
        try fixture.subscribe("a", 3, SubscriptionOptions(qos: .atLeastOnce))
        _ = fixture.written()
        var answered = try #require(fixture.session.outgoing.identifiers(in: .unanswered).first)
        fixture.suback(answered.rawValue, .notAuthorized)
        let third = try #require(fixture.written().subscribes.first)
        #expect(third.subscriptions[0].options.qos == .atLeastOnce)
        answered = try #require(fixture.session.outgoing.identifiers(in: .unanswered).first)
        fixture.suback(answered.rawValue, .notAuthorized)
        fixture.reconnect(present: false)
        #expect(fixture.written().subscribes.map(\.subscriptions[0].options.qos) == [.atMostOnce])
    }

    @Test("If the last other subscriber leaves while a newcomer is refused, UNSUBSCRIBE is sent")
    func refusedLast() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a", 1)
        fixture.suback(1)
        try fixture.subscribe("a", 2)
        fixture.unsubscribe(1)
        _ = fixture.written()
        fixture.suback(2, .quotaExceeded)
        #expect(fixture.written().summaries == ["UNSUBSCRIBE 3 a"])
        fixture.unsuback(3)
        #expect(fixture.session.subscriptions.count == 0)
    }

    // MARK: One exchange at a time

    @Test("Unsubscribing during SUBSCRIBE waits for SUBACK, then sends UNSUBSCRIBE")
    func unsubscribeWhileSubscribing() throws {
        var fixture = SessionFixture.connected()
        let subscribing = try fixture.subscribe("a")
        let unsubscribing = fixture.unsubscribe()
        #expect(fixture.written().summaries == ["SUBSCRIBE 1 a"])
        #expect(fixture.completions() == [.unsubscribed(subscribing)])
        fixture.suback(1)
        #expect(fixture.written().summaries == ["UNSUBSCRIBE 2 a"])
        fixture.unsuback(2)
        #expect(fixture.completions() == [.unsubscribed(unsubscribing)])
    }

    @Test("Unsubscribing during a SUBSCRIBE that is refused completes with the refusal")
    func unsubscribeWhileRefused() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a")
        let unsubscribing = fixture.unsubscribe()
        _ = fixture.completions()
        fixture.suback(1, .notAuthorized)
        #expect(fixture.completions() == [.unsubscribed(unsubscribing)])
        #expect(fixture.session.subscriptions.count == 0)
    }

    @Test("Subscribing during UNSUBSCRIBE waits for UNSUBACK, then sends SUBSCRIBE with its own options")
    func subscribeWhileUnsubscribing() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a", 1)
        fixture.suback(1)
        let unsubscribing = fixture.unsubscribe(1)
        let again = try fixture.subscribe("a", 2, SubscriptionOptions(qos: .atMostOnce, noLocal: true))
        #expect(fixture.written().summaries == ["SUBSCRIBE 1 a", "UNSUBSCRIBE 2 a"])
        _ = fixture.completions()
        fixture.unsuback(2)
        #expect(fixture.completions() == [.unsubscribed(unsubscribing)])
        let packet = try #require(fixture.written().subscribes.first)
        #expect(packet.subscriptions[0].options == SubscriptionOptions(qos: .atMostOnce, noLocal: true))
        fixture.suback(3)
        #expect(fixture.completions() == [.subscribed(again)])
    }

    @Test("Subscribing and unsubscribing again during UNSUBSCRIBE completes everything")
    func unsubscribeTwice() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a", 1)
        fixture.suback(1)
        _ = fixture.completions()
        let requests = [fixture.unsubscribe(1), try fixture.subscribe("a", 2), fixture.unsubscribe(2)]
        fixture.unsuback(2)
        #expect(Set(fixture.completions().map(\.request)) == Set(requests))
        #expect(fixture.session.isDrained && fixture.session.subscriptions.count == 0)
    }

    @Test("Subscribing again before UNSUBSCRIBE could be sent completes the unsubscribe")
    func wantedAgain() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a", 1)
        fixture.suback(1)
        fixture.lose()
        _ = fixture.completions()
        let leaving = fixture.unsubscribe(1)
        #expect(fixture.completions().isEmpty)
        try fixture.subscribe("a", 2)
        #expect(fixture.completions() == [.unsubscribed(leaving)])
        fixture.connect(present: true)
        #expect(fixture.written().summaries == ["SUBSCRIBE 2 a"])
    }

    // MARK: The connection is lost

    @Test("A SUBSCRIBE interrupted by a lost connection is sent again, and completes once", arguments: [false, true])
    func lostWhileSubscribing(present: Bool) throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.subscribe("a")
        fixture.reconnect(present: present)
        #expect(fixture.written().summaries == ["SUBSCRIBE 2 a"])
        fixture.suback(2)
        #expect(fixture.completions() == [.subscribed(request)])
    }

    @Test(
        "An UNSUBSCRIBE interrupted by a lost connection is sent again, unless the session is lost",
        arguments: [false, true])
    func lostWhileUnsubscribing(present: Bool) throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a")
        fixture.suback(1)
        _ = fixture.completions()
        let request = fixture.unsubscribe()
        fixture.reconnect(present: present)
        #expect(fixture.written().summaries == (present ? ["UNSUBSCRIBE 3 a"] : []))
        fixture.unsuback(3)
        #expect(fixture.completions() == [.unsubscribed(request)])
        #expect(fixture.session.subscriptions.count == 0)
    }

    // The server may know the filter: the SUBSCRIBE may have arrived.
    @Test("Unsubscribing during SUBSCRIBE, then a lost connection: UNSUBSCRIBE is sent")
    func lostWhileChangingMind() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a")
        let request = fixture.unsubscribe()
        _ = fixture.completions()
        fixture.reconnect()
        #expect(fixture.written().summaries == ["UNSUBSCRIBE 2 a"])
        fixture.unsuback(2)
        #expect(fixture.completions() == [.unsubscribed(request)])
    }

    @Test(
        "Subscribing during UNSUBSCRIBE, then a lost connection: SUBSCRIBE is sent, and all calls complete",
        arguments: [false, true])
    func lostWhileResubscribing(present: Bool) throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a", 1)
        fixture.suback(1)
        _ = fixture.completions()
        let requests = [fixture.unsubscribe(1), try fixture.subscribe("a", 2)]
        fixture.reconnect(present: present)
        #expect(fixture.written().summaries == ["SUBSCRIBE 3 a"])
        fixture.suback(3)
        #expect(Set(fixture.completions().map(\.request)) == Set(requests))
        #expect(fixture.deliver(on: "a")?.to == [2])
    }

    @Test(
        "A refusal after a lost connection is followed by UNSUBSCRIBE, since the first SUBSCRIBE may have been granted"
    )
    func refusedAfterLoss() throws {
        var fixture = SessionFixture.connected()
        let request = try fixture.subscribe("a")
        fixture.reconnect()
        _ = fixture.written()
        fixture.suback(2, .quotaExceeded)
        #expect(fixture.completions() == [.subscribed(request, .quotaExceeded)])
        #expect(fixture.written().summaries == ["UNSUBSCRIBE 3 a"])
        fixture.unsuback(3, .noSubscriptionExisted)
        #expect(fixture.session.subscriptions.count == 0)
    }

    @Test("In a resumed session, no filter is subscribed to again")
    func resumed() throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a")
        fixture.suback(1)
        fixture.reconnect()
        #expect(fixture.written().isEmpty && fixture.deliver(on: "a")?.to == [1])
    }

    @Test("In a new session, all filters are subscribed to again, in their original order [MQTT-3.2.2-5]")
    func subscribedAgain() throws {
        var fixture = SessionFixture.connected()
        for (number, filter) in ["c", "a", "b"].enumerated() {
            try fixture.subscribe(filter, UInt64(number))
            fixture.suback(UInt16(number) + 1)
        }
        _ = fixture.completions()
        fixture.reconnect(present: false)
        #expect(fixture.written().summaries == ["SUBSCRIBE 4 c", "SUBSCRIBE 5 a", "SUBSCRIBE 6 b"])
        fixture.suback(5)
        #expect(fixture.completions().isEmpty)
    }

    @Test("A filter that is refused after a lost session is lost for its subscribers", arguments: [0, 1])
    func lostSubscription(lossesWhileAsking: Int) throws {
        var fixture = SessionFixture.connected()
        try fixture.subscribe("a", 1)
        fixture.suback(1)
        _ = fixture.completions()
        fixture.reconnect(present: false)
        for _ in 0..<lossesWhileAsking { fixture.reconnect(present: true) }
        let newcomer = try fixture.subscribe("b", 1)
        fixture.suback(UInt16(2 + lossesWhileAsking), .notAuthorized)
        let outcome = Completion.Outcome.subscribed(.notAuthorized, reason: nil)
        let lost = LostSubscription(subscribers: [SubscriberID(1)], outcome: outcome)
        #expect(fixture.session.takeLostSubscribers() == [lost])
        fixture.suback(UInt16(3 + lossesWhileAsking))
        #expect(fixture.completions() == [.subscribed(newcomer)])
    }

    @Test("Filters that are subscribed to and given up without a connection leave nothing behind")
    func churnOffline() throws {
        var fixture = SessionFixture()
        for number in 1...10_000 as ClosedRange<UInt64> {
            try fixture.subscribe("a/\(number)", number)
            fixture.unsubscribe(number)
        }
        #expect(fixture.completions().count == 20_000)
        #expect(fixture.session.subscriptions.count == 0 && fixture.session.subscriptions.queuedUpdates <= 66)
        fixture.connect()
        #expect(fixture.unsent == 0)
    }

    // MARK: Listening

    @Test("Listening to a filter of an earlier run sends nothing")
    func listening() throws {
        var fixture = SessionFixture()
        fixture.session.listen(to: topicFilter("a/+"), subscriber: SubscriberID(1))
        fixture.connect(present: true)
        #expect(fixture.written().isEmpty)
        #expect(fixture.deliver(on: "a/b", identifiers: [77])?.to == [1])
        fixture.reconnect(present: false)
        #expect(fixture.written().isEmpty)
        let request = fixture.unsubscribe(1)
        #expect(fixture.completions() == [.unsubscribed(request)] && fixture.unsent == 0)
    }

    @Test("A stale subscription identifier does not keep a message from a listener")
    func staleIdentifier() throws {
        var fixture = SessionFixture()
        fixture.session.listen(to: topicFilter("a/+"), subscriber: SubscriberID(1))
        fixture.connect(present: true)
        try fixture.subscribe("#", 2)
        #expect(fixture.deliver(on: "a/b", identifiers: [2])?.to.sorted() == [1, 2])
    }

    @Test("Subscribing to a filter that is only listened to uses the requested options")
    func listenedThenSubscribed() throws {
        var fixture = SessionFixture.connected()
        fixture.session.listen(to: topicFilter("a"), subscriber: SubscriberID(1))
        try fixture.subscribe("a", 2, SubscriptionOptions(qos: .atMostOnce))
        #expect(fixture.written().subscribes.first?.subscriptions[0].options.qos == .atMostOnce)
        fixture.suback(1)
        #expect(fixture.deliver(on: "a")?.to == [1, 2])
    }

    // MARK: Filters of an earlier run

    @Test(
        "A resumed filter is subscribed to only if the server has no session",
        arguments: [false, true])
    func resume(isPresent: Bool) throws {
        var fixture = SessionFixture()
        fixture.resume("a")
        fixture.connect(present: isPresent)
        #expect(fixture.written().summaries == (isPresent ? [] : ["SUBSCRIBE 1 a"]))
        #expect(fixture.deliver(on: "a")?.to == [1])
        fixture.unsubscribe()
        if !isPresent { fixture.suback(1) }
        #expect(fixture.written().summaries == ["UNSUBSCRIBE \(isPresent ? 1 : 2) a"])
        fixture.unsuback(isPresent ? 1 : 2)
        #expect(fixture.session.subscriptions.count == 0)
    }

    @Test(
        "A resumed filter is subscribed to if the session is lost later, or is on another server",
        arguments: ["one", "two"])
    func resumedAndLost(server: String) throws {
        var fixture = SessionFixture()
        fixture.resume("a")
        fixture.connect(present: true)
        fixture.lose()
        fixture.connect(present: server == "two", server: server)
        #expect(fixture.written().summaries == ["SUBSCRIBE 1 a"])
    }

    @Test("After this run has begun the session, a resumed filter is always subscribed to, on later connections too")
    func resumeInOwnSession() throws {
        var fixture = SessionFixture.connected()
        fixture.resume("a")
        #expect(fixture.written().summaries == ["SUBSCRIBE 1 a"])
        fixture.suback(1)
        fixture.reconnect()
        fixture.resume("b", 2)
        #expect(fixture.written().summaries == ["SUBSCRIBE 2 b"])
    }

    @Test("A filter that is being unsubscribed is subscribed to again, even if the server has kept the session")
    func resumeWhileLeaving() throws {
        var fixture = SessionFixture()
        fixture.resume("a")
        fixture.connect(present: true)
        fixture.unsubscribe()
        fixture.resume("a", 2)
        fixture.unsuback(1)
        #expect(fixture.written().summaries == ["UNSUBSCRIBE 1 a", "SUBSCRIBE 2 a"])
    }

    @Test("If the server refuses a resumed filter, its subscriber loses it")
    func resumeRefused() throws {
        var fixture = SessionFixture()
        fixture.resume("a")
        fixture.connect()
        fixture.suback(1, .notAuthorized)
        #expect(fixture.session.takeLostSubscribers().map(\.subscribers) == [[SubscriberID(1)]])
        #expect(fixture.session.subscriptions.count == 0)
    }

    @Test("Subscribing to a resumed filter sends SUBSCRIBE")
    func subscribeWhileResumed() throws {
        var fixture = SessionFixture()
        fixture.resume("a")
        fixture.connect(present: true)
        try fixture.subscribe("a", 2)
        #expect(fixture.written().summaries == ["SUBSCRIBE 1 a"])
    }

    @Test("Giving up a filter of an earlier run sends UNSUBSCRIBE, unless it has a subscriber")
    func giveUp() throws {
        var fixture = SessionFixture()
        fixture.connect(present: true)
        try fixture.subscribe("b")
        let requests = [fixture.giveUp("a"), fixture.giveUp("b")]
        #expect(fixture.written().summaries == ["SUBSCRIBE 1 b", "UNSUBSCRIBE 2 a"])
        #expect(fixture.completions() == [.unsubscribed(requests[1])])
        fixture.unsuback(2)
        #expect(fixture.completions() == [.unsubscribed(requests[0])])
        #expect(fixture.session.subscriptions.count == 1)
    }
}
