import Curlew
import CurlewCore
import CurlewTesting
import CurlewTransport
import NIOCore
import Synchronization
import Testing

@Suite("Requests and replies", .bounded)
struct RequestWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    /// Receives a request and replies to it.
    private func answer(_ connection: ScriptedConnection, _ texts: String..., error: String? = nil) async throws {
        let request = try await connection.receivePublish()
        let topic = try #require(request.properties.responseTopic)
        var properties = Properties()
        properties.correlationData = request.properties.correlationData
        properties[MQTTMessage.replyErrorProperty] = error
        for text in texts { try connection.publish(text, to: topic, properties: properties) }
    }

    @Test(
        "A request has a response topic and correlation data; all requests share one subscription for replies"
    )
    func request() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let first = client.request("ping", to: "svc")
        try await connection.grantSubscribe()
        try await self.answer(connection, "pong")
        #expect(try await first.text == "pong")
        async let second = client.request("ping", to: "svc")
        try await self.answer(connection, "pong 2")
        #expect(try await second.text == "pong 2")
    }

    @Test("Replies are matched by correlation data; duplicate and unknown ones are counted")
    func correlation() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let first = client.request("1", to: "svc")
        try await connection.grantSubscribe()
        let firstRequest = try await connection.receivePublish()
        async let second = client.request("2", to: "svc")
        let secondRequest = try await connection.receivePublish()
        for (text, request) in [("two", secondRequest), ("one", firstRequest), ("one again", firstRequest)] {
            var properties = Properties()
            properties.correlationData = request.properties.correlationData
            try connection.publish(text, to: try #require(request.properties.responseTopic), properties: properties)
        }
        try connection.publish("foreign", to: try #require(firstRequest.properties.responseTopic))
        #expect(try await first.text == "one")
        #expect(try await second.text == "two")
        try await connection.sync()
        #expect(client.statistics.unexpectedReplies == 2)
    }

    @Test("A request without a responder fails at once")
    func nobodyListens() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let error = failure { try await client.request("ping", to: "svc") }
        try await connection.grantSubscribe()
        try await connection.receivePublish(.noMatchingSubscribers)
        #expect(try await error.code == .noMatchingSubscribers)
    }

    @Test("A request without a reply times out")
    func timeout() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        async let error = failure { try await client.request("ping", to: "svc", timeout: .seconds(5)) }
        try await connection.grantSubscribe()
        try await connection.receivePublish()
        try await connection.sync()
        try await clock.advanceToSleeper(within: .seconds(5))
        #expect(try await error.code == .timedOut)
    }

    @Test("A request that times out before it could be sent is never sent")
    func timeoutInOutbox() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(
            properties: [.receiveMaximum(1)], clock: clock)
        async let first = client.request("ping", to: "svc")
        try await connection.grantSubscribe()
        try await self.answer(connection, "pong")
        _ = try await first
        try client.enqueue("x", to: "t", qos: .atLeastOnce)
        let publish = try await connection.receivePublishPacket()
        async let error = failure { try await client.request("open", to: "door", timeout: .seconds(5)) }
        try await client.waitUntilQueued()
        try await clock.advanceToSleeper(within: .seconds(5))
        let thrown = try await error
        #expect(thrown.code == .timedOut)
        #expect(thrown.delivery == .notSent)
        #expect(client.statistics.queuedMessages == 0)
        try connection.send(.puback(Acknowledgement(try #require(publish.packetID))))
        try await connection.sync()
    }

    @Test("An error reply throws; a request for several replies returns it as one of them")
    func errorReply() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let error = failure { try await client.request("ping", to: "svc") }
        try await connection.grantSubscribe()
        try await self.answer(connection, "", error: "out of paper")
        let thrown = try await error
        #expect(thrown.code == .requestFailed)
        #expect(thrown.message.contains("out of paper"))
        async let replies = client.request("ping", to: "svc", count: 1)
        try await self.answer(connection, "", error: "out of paper")
        #expect(try await replies.map(\.replyError) == ["out of paper"])
    }

    @Test("A request for several replies returns them all, or those that arrive in time")
    func severalReplies() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        async let three = client.request("who", to: "svc", count: 3)
        try await connection.grantSubscribe()
        try await self.answer(connection, "a", "b", "c")
        #expect(try await three.map(\.text) == ["a", "b", "c"])
        async let some = client.request("who", to: "svc", count: 3, timeout: .seconds(2))
        try await self.answer(connection, "a", "b")
        try await connection.sync()
        try await clock.advanceToSleeper(within: .seconds(5))
        #expect(try await some.map(\.text) == ["a", "b"])
    }

    @Test("A stream of replies ends when its time is up")
    func replyStream() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        async let pending = client.replies("who", to: "svc", timeout: .seconds(5))
        try await connection.grantSubscribe()
        try await self.answer(connection, "a", "b")
        var iterator = try await pending.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "a")
        #expect(try await iterator.next()?.text == "b")
        try await clock.advanceToSleeper(within: .seconds(5))
        #expect(try await iterator.next() == nil)
    }

    @Test("Before 5.0, the caller names the response topic")
    func responseTopic() async throws {
        let (client, connection) = try await self.server.connectedClient {
            $0.connection.version = .exactly(.v3_1_1)
        }
        #expect(
            try await failure { try await client.request("ping", to: "svc") }.code == .notSupportedByProtocolVersion)
        async let reply = client.request("ping", to: "svc", responseTopic: "svc/reply")
        #expect(try await connection.grantSubscribe() == [try TopicFilter("svc/reply")])
        #expect(try await connection.receivePublish().topic == (try TopicName("svc")))
        try connection.publish("old", to: "svc/reply", retain: true)
        try connection.publish("pong", to: "svc/reply")
        #expect(try await reply.text == "pong")
    }

    @Test("Before 5.0, a request without a response topic throws at once, even without a connection")
    func notConnected() async throws {
        let client = try self.server.makeClient { $0.connection.version = .exactly(.v3_1_1) }
        let error = try await failure { try await client.request("ping", to: "svc", timeout: .seconds(3600)) }
        #expect(error.code == .notSupportedByProtocolVersion)
        #expect(error.delivery == .notSent)
    }

    @Test("A request that waited for the first connection throws if its version is below 5.0")
    func turnsOutOlder() async throws {
        let client = try self.server.makeClient()
        async let error = failure { try await client.request("ping", to: "svc", timeout: .seconds(3600)) }
        async let connected = client.connect()
        try await self.server.accept().refuseConnect(.unsupportedProtocolVersion)
        let connection = try await self.server.acceptAgain()
        _ = try await connected
        let filters = try await connection.grantSubscribe()
        #expect(try await error.code == .notSupportedByProtocolVersion)
        #expect(try await connection.confirmUnsubscribe() == filters)
    }

    @Test("On a named response topic, a reply with another request's correlation data is not accepted")
    func correlationOnResponseTopic() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let reply = client.request("ping", to: "svc", responseTopic: "svc/reply")
        try await connection.grantSubscribe()
        let request = try await connection.receivePublish()
        #expect(request.properties.responseTopic == "svc/reply")
        var properties = Properties()
        properties.correlationData = ByteBuffer(string: "of another")
        try connection.publish("not yours", to: "svc/reply", properties: properties)
        #expect(request.properties.correlationData != nil)
        properties.correlationData = request.properties.correlationData
        try connection.publish("pong", to: "svc/reply", properties: properties)
        #expect(try await reply.text == "pong")
        #expect(client.statistics.unexpectedReplies == 1)
    }

    @Test("The caller's own correlation data is sent unchanged, and a reply without correlation data is accepted")
    func ownCorrelationData() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let properties = Properties([.correlationData(ByteBuffer(string: "7"))])
        async let replies = client.request(
            "ping", to: "svc", count: 2, properties: properties, responseTopic: "svc/reply")
        try await connection.grantSubscribe()
        #expect(try await connection.receivePublish().properties.correlationData == ByteBuffer(string: "7"))
        try connection.publish("plain", to: "svc/reply")
        try connection.publish("copied", to: "svc/reply", properties: properties)
        #expect(try await replies.map(\.text) == ["plain", "copied"])
    }

    @Test(
        "The response topic property may differ from the subscribed topic, which has the request's QoS")
    func ownResponseTopic() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let properties = Properties([.responseTopic("far/svc/reply")])
        async let reply = client.request(
            "ping", to: "svc", qos: .exactlyOnce, properties: properties, responseTopic: "svc/reply")
        let subscribe = try await connection.receiveSubscribe()
        #expect(subscribe.subscriptions.map(\.options.qos) == [.exactlyOnce])
        try connection.send(.suback(SubAck(subscribe.packetID, [.grantedQoS2])))
        #expect(try await connection.receivePublish().properties.responseTopic == "far/svc/reply")
        try connection.publish("pong", to: "svc/reply")
        #expect(try await reply.text == "pong")
    }

    @Test("A request to a named response topic ends when the client is disconnected")
    func disconnectedMeanwhile() async throws {
        let clock = TestClock()  // never advanced: the request must not end by its timeout
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        async let error = failure { try await client.request("ping", to: "svc", responseTopic: "svc/reply") }
        try await connection.grantSubscribe()
        try await connection.receivePublish()
        await client.disconnect()
        #expect(try await error.code == .clientStopped)
    }

    @Test("After disconnecting and connecting again, a request subscribes again")
    func afterReconnect() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let first = client.request("ping", to: "svc")
        try await connection.grantSubscribe()
        try await self.answer(connection, "pong")
        _ = try await first
        await client.disconnect()
        async let connected = client.connect()
        let second = try await self.server.acceptAgain()
        _ = try await connected
        async let reply = client.request("ping", to: "svc")
        try await second.grantSubscribe()
        try await self.answer(second, "pong 2")
        #expect(try await reply.text == "pong 2")
    }

    @Test(
        "If the reply subscription is refused after a lost session, the request fails and the next one subscribes again"
    )
    func inboxRefused() async throws {
        let (client, connection) = try await self.server.connectedClient { $0.reconnectAtOnce() }
        let events = client.events
        async let error = failure { try await client.request("ping", to: "svc", timeout: .seconds(3600)) }
        let filters = try await connection.grantSubscribe()
        try await connection.receivePublish()
        connection.close()
        let second = try await self.server.acceptAgain()
        #expect(try await second.refuseSubscribe(.quotaExceeded) == filters)
        let thrown = try await error
        #expect(thrown.code == .subscriptionRefused)
        #expect(thrown.reasonCode == .quotaExceeded)
        let lost = try await first(of: events) { event in
            if case .subscriptionLost(let filters, _) = event { filters } else { nil }
        }
        #expect(lost == filters)
        async let reply = client.request("ping", to: "svc")
        try await second.grantSubscribe()
        try await self.answer(second, "pong")
        #expect(try await reply.text == "pong")
    }

    @Test("A request's timeout applies while it waits for a subscription that another request has begun")
    func timeoutOfTheSecond() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock) {
            $0.connection.version = .exactly(.v5_0)
        }
        async let first = client.request("ping", to: "svc", timeout: .seconds(50))
        let subscribe = try await connection.receiveSubscribe()
        async let second = failure { try await client.request("ping", to: "svc", timeout: .seconds(5)) }
        try await clock.advanceToSleeper(within: .seconds(5))
        #expect(try await second.code == .timedOut)
        try connection.send(.suback(SubAck(subscribe.packetID, [.grantedQoS1])))
        try await self.answer(connection, "pong")
        #expect(try await first.text == "pong")
    }

    @Test("The server's response information is the prefix of the response topic")
    func responseInformation() async throws {
        let (client, connection) = try await self.server.connectedClient(
            properties: [.responseInformation("replies/me")]
        ) { $0.session.requestResponseInformation = true }
        async let reply = client.request("ping", to: "svc")
        let filters = try await connection.grantSubscribe()
        #expect(filters[0].string.hasPrefix("replies/me/"))
        try await self.answer(connection, "pong")
        _ = try await reply
    }

    @Test("A responder replies to the response topic with the correlation data, then acknowledges the request")
    func respond() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let responding = Task {
            try await client.respond(to: "svc") { request in
                if request.text == "bad" { throw ScriptedFailure() }
                return "pong to \(request.text)"
            }
        }
        try await connection.grantSubscribe()
        var properties = Properties()
        properties.responseTopic = "reply"
        properties.correlationData = ByteBuffer(string: "7")
        try connection.publish("ping", to: "svc", qos: .atLeastOnce, properties: properties)
        let reply = try await connection.receivePublish()
        #expect(reply.topic == (try TopicName("reply")))
        #expect(String(buffer: reply.payload) == "pong to ping")
        #expect(reply.properties.correlationData == ByteBuffer(string: "7"))
        #expect(try await connection.receiveAcknowledgement() == .success)
        try connection.publish("bad", to: "svc", qos: .atLeastOnce, properties: properties)
        #expect(try await connection.receivePublish().replyError == "ScriptedFailure()")
        try await connection.receiveAcknowledgement()
        responding.cancel()
        try await connection.confirmUnsubscribe()
        _ = await responding.result
    }

    @Test("A request that a cancelled responder has not finished is not acknowledged, and goes to the next responder")
    func cancelledResponder() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let begun = OneShot<Void>()
        let responding = Task {
            try await client.respond(to: "svc") { _ -> String in
                begun.set(())
                _ = await OneShot<Void>().wait()
                throw CancellationError()
            }
        }
        try await connection.grantSubscribe()
        var properties = Properties()
        properties.responseTopic = "reply"
        try connection.publish("work", to: "svc", qos: .atLeastOnce, properties: properties)
        _ = await begun.wait()
        responding.cancel()
        try await connection.confirmUnsubscribe()
        _ = await responding.result
        // Neither a reply nor an acknowledgement was sent.
        try await connection.sync()
        #expect(client.statistics.unclaimedMessages == 1)

        let next = Task { try await client.respond(to: "svc") { request in "did \(request.text)" } }
        try await connection.grantSubscribe()
        #expect(try await connection.receivePublish().text == "did work")
        try await connection.receiveAcknowledgement()
        next.cancel()
        try await connection.confirmUnsubscribe()
        _ = await next.result
    }

    @Test("A responder handles no more requests at once than its concurrency allows")
    func concurrency() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let running = Mutex(0)
        let most = Mutex(0)
        let begun = AsyncStream.makeStream(of: Void.self)
        let gate = AsyncStream.makeStream(of: Void.self)
        let responding = Task {
            try await client.respond(to: "svc", concurrency: 2) { _ in
                let count = running.withLock { running in
                    running += 1
                    return running
                }
                most.withLock { $0 = max($0, count) }
                begun.continuation.yield()
                for await _ in gate.stream { break }
                running.withLock { $0 -= 1 }
                return "done"
            }
        }
        try await connection.grantSubscribe()
        var properties = Properties()
        properties.responseTopic = "reply"
        for _ in 0..<6 { try connection.publish("work", to: "svc", properties: properties) }
        for await _ in begun.stream.prefix(2) {}
        gate.continuation.finish()
        for _ in 0..<6 { try await connection.receivePublish() }
        #expect(most.withLock { $0 } == 2)
        responding.cancel()
        _ = await responding.result
    }
}

private struct ScriptedFailure: Error {}
