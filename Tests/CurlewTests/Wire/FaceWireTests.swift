import Curlew
import CurlewCore
import CurlewTesting
import CurlewTransport
import Testing

/// The client's interface apart from loops over messages.
@Suite("Single messages, blocks and outcomes", .bounded)
struct FaceWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    // MARK: next(within:)

    @Test("next(within:) returns one message at a time, acknowledges the previous one, and keeps the subscription")
    func next() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t")
        try connection.send(.publish(Publish("a", "t", id: 1)), .publish(Publish("b", "t", id: 2)))
        #expect(try await subscription.next(within: .seconds(60))?.text == "a")
        #expect(try await subscription.next(within: .seconds(60))?.text == "b")
        try await connection.expect(.puback(Acknowledgement(1)))
        async let third = subscription.next(within: .seconds(60))
        try await connection.expect(.puback(Acknowledgement(2)))
        try connection.send(.publish(Publish("c", "t", id: 3)))
        #expect(try await third?.text == "c")
    }

    @Test("The last message from next(within:) is acknowledged when the subscription ends")
    func last() async throws {
        let (client, connection) = try await self.server.connectedClient()
        try await self.takeOne(client, connection)
        try await connection.expect(.puback(Acknowledgement(1)))
        try await connection.confirmUnsubscribe()
        #expect(client.statistics.unacknowledgedMessages == 0)
    }

    @Test("A loop that begins acknowledges the last message of next(within:)")
    func nextThenLoop() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t")
        try connection.send(.publish(Publish("a", "t", id: 1)), .publish(Publish("b", "t", id: 2)))
        #expect(try await subscription.next(within: .seconds(60))?.text == "a")
        var iterator = subscription.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "b")
        try await connection.expect(.puback(Acknowledgement(1)))
        async let third = iterator.next()
        try await connection.expect(.puback(Acknowledgement(2)))
        try connection.send(.publish(Publish("c", "t", id: 3)))
        #expect(try await third?.text == "c")
    }

    @Test("unsubscribe() acknowledges the last message of next(within:)")
    func nextThenUnsubscribe() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t")
        try connection.send(.publish(Publish("a", "t", id: 1)))
        #expect(try await subscription.next(within: .seconds(60))?.text == "a")
        async let unsubscribed: Void = subscription.unsubscribe()
        try await connection.expect(.puback(Acknowledgement(1)))
        try await connection.confirmUnsubscribe()
        try await unsubscribed
    }

    private func takeOne(_ client: MQTTClient, _ connection: ScriptedConnection) async throws {
        let subscription = try await connection.subscribe(client, to: "t")
        try connection.send(.publish(Publish("a", "t", id: 1)))
        #expect(try await subscription.next(within: .seconds(60))?.text == "a")
    }

    @Test("next(within:) returns nil when its time is up, and can be called again")
    func nothingInTime() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock) {
            $0.connection.keepAlive = .zero
        }
        let subscription = try await connection.subscribe(client, to: "t")
        let isOver = Latch()
        let none = Task {
            defer { isOver.raise() }
            return try await subscription.next(within: .seconds(5))
        }
        while !isOver.isRaised {
            clock.advance(by: .seconds(1))
            await Task.yield()
        }
        #expect(try await none.value == nil)
        #expect(try await subscription.next(within: .zero) == nil)
        try connection.send(.publish(Publish("a", "t")))
        #expect(try await subscription.next(within: .seconds(5))?.text == "a")
    }

    @Test("next(within:) throws in a cancelled task, and returns nil after the end of the subscription")
    func cancelledOrEnded() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t")
        let waiting = Task { try await failure { try await subscription.next(within: .seconds(3600)) } }
        waiting.cancel()
        #expect(try await waiting.value.code == .cancelled)
        async let done: Void = subscription.unsubscribe()
        try await connection.confirmUnsubscribe()
        try await done
        #expect(try await subscription.next(within: .seconds(3600)) == nil)
    }

    // MARK: Manual acknowledgement

    @Test("acknowledge() needs manual acknowledgement, and an unacknowledged message of its subscription")
    func foreign() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let byHand = try await connection.subscribe(client, to: "a", acknowledgement: .manual)
        let usual = try await connection.subscribe(client, to: "b")
        try connection.send(.publish(Publish("x", "a", id: 1)), .publish(Publish("y", "b", id: 2)))
        let mine = try #require(try await byHand.next(within: .seconds(60)))
        let other = try #require(try await usual.next(within: .seconds(60)))
        #expect(try await failure { try byHand.acknowledge(other) }.code == .invalidArgument)
        #expect(try await failure { try usual.acknowledge(other) }.message.contains(".manual"))
        try byHand.acknowledge(mine)
        #expect(try await failure { try byHand.acknowledge(mine) }.message.contains("already"))
        try await connection.expect(.puback(Acknowledgement(1)))
    }

    // MARK: Scoped calls

    @Test("withSubscription unsubscribes at the end, also if the body throws", arguments: [false, true])
    func withSubscription(throwing: Bool) async throws {
        struct Unwilling: Error {}
        let (client, connection) = try await self.server.connectedClient()
        let work = Task {
            try await client.withSubscription(to: "t") { messages in
                if throwing { throw Unwilling() }
                return try await messages.next(within: .seconds(60))?.text
            }
        }
        try await connection.grantSubscribe()
        if !throwing { try connection.send(.publish(Publish("a", "t"))) }
        try await connection.confirmUnsubscribe()
        switch await work.result {
        case .success(let text): #expect(text == "a" && !throwing)
        case .failure(let error): #expect(error is Unwilling && throwing)
        }
    }

    @Test("withConnection disconnects at the end, also if the body throws", arguments: [false, true])
    func withConnection(throwing: Bool) async throws {
        struct Unwilling: Error {}
        var configuration = MQTTConfiguration()
        self.server.connect(&configuration)
        let work = Task { [configuration] in
            try await MQTTClient.withConnection(configuration) { client in
                try await client.publish("x", to: "t")
                if throwing { throw Unwilling() }
                return client
            }
        }
        let connection = try await self.server.accept()
        try await connection.acceptConnect()
        try await connection.expect(.publish(Publish("x", "t")))
        guard case .disconnect = try await connection.receive() else {
            Issue.record("There was no DISCONNECT.")
            return
        }
        switch await work.result {
        case .success(let client): #expect(client.state == .disconnected && !throwing)
        case .failure(let error): #expect(error is Unwilling && throwing)
        }
    }

    @Test("connect() returns whether the session was resumed", arguments: [false, true])
    func resumed(isResumed: Bool) async throws {
        let client = try self.server.makeClient {
            $0.session.cleanStart = false
            $0.clientIdentifier = .given("kept")
        }
        async let connected = client.connect()
        try await self.server.acceptAgain(sessionPresent: isResumed)
        #expect(try await connected == isResumed)
    }

    @Test("A subscription has the QoS that was granted for each filter")
    func grantedQoS() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let pending = client.subscribe(to: ["a", "b"])
        for code in [ReasonCode.grantedQoS1, .success] {
            let packet = try await connection.receiveSubscribe()
            try connection.send(.suback(SubAck(packet.packetID, [code])))
        }
        #expect(try await pending.grantedQoS == [.atLeastOnce, .atMostOnce])
    }

    // MARK: Outcomes

    private func receiveID(_ connection: ScriptedConnection) async throws -> PacketID {
        let packet = try await connection.receive()
        guard case .publish(let publish) = packet else { throw CancellationError() }
        return try #require(publish.packetID)
    }

    @Test("Several callers can wait for the outcome of a publish, also later")
    func outcomes() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let publish = try client.enqueue("x", to: "t", qos: .atLeastOnce)
        async let first = publish.outcome()
        async let second = publish.outcome()
        let id = try await self.receiveID(connection)
        try connection.send(.puback(Acknowledgement(id, reasonCode: .noMatchingSubscribers)))
        #expect(try await first == .noMatchingSubscribers)
        #expect(try await second == .noMatchingSubscribers)
        #expect(try await publish.outcome(timeout: .zero) == .noMatchingSubscribers)
    }

    @Test("After a timeout, the outcome of a publish can still be awaited")
    func askedAgain() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let publish = try client.enqueue("x", to: "t", qos: .atLeastOnce)
        let id = try await self.receiveID(connection)
        let error = try await failure { try await publish.outcome(timeout: .zero) }
        #expect(error.code == .timedOut && error.delivery == .unknown)
        try connection.send(.puback(Acknowledgement(id)))
        #expect(try await publish.outcome() == .success)
    }

    @Test("An unsent message leaves the outbox when the only wait for it times out")
    func withdrawn() async throws {
        let client = try self.server.makeClient()
        let publish = try client.enqueue("x", to: "t", qos: .atLeastOnce)
        let error = try await failure { try await publish.outcome(timeout: .zero) }
        #expect(error.code == .timedOut && error.delivery == .notSent)
        #expect(client.statistics.queuedMessages == 0)
        #expect(try await failure { try await publish.outcome() }.delivery == .notSent)
    }

    @Test("An unsent message leaves the outbox when the last of several waits for it is cancelled")
    func withdrawnByLast() async throws {
        let client = try self.server.makeClient { $0.connection.connectTimeout = .seconds(3600) }
        let publish = try client.enqueue("x", to: "t", qos: .atLeastOnce)
        let waits = (0..<3).map { _ in Task { try await failure { try await publish.outcome() } } }
        for wait in waits { wait.cancel() }
        for wait in waits { #expect(try await wait.value.code == .cancelled) }
        #expect(client.statistics.queuedMessages == 0)
    }
}
