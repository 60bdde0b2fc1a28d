import Curlew
import CurlewCore
import CurlewTesting
import Testing

@Suite("Calls on a client that was never connected", .bounded)
struct NotConnectedWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    @Test("A publish without connect() fails after the connect timeout", arguments: QoS.allCases)
    func publish(qos: QoS) async throws {
        let clock = TestClock()
        let client = try self.server.makeClient(clock: clock)
        async let error = failure { try await client.publish("x", to: "t", qos: qos) }
        #expect(try await clock.advanceToSleeper(within: .seconds(10)) == .seconds(10))
        let thrown = try await error
        #expect(thrown.code == .notConnected && thrown.delivery == .notSent)
        #expect(thrown.message.contains("connect()"))
        #expect(client.statistics.queuedMessages == 0)
    }

    @Test("A subscribe without connect() fails and leaves nothing behind")
    func subscribe() async throws {
        let clock = TestClock()
        let client = try self.server.makeClient(clock: clock)
        async let error = failure { try await client.subscribe(to: "t") }
        try await clock.advanceToSleeper(within: .seconds(10))
        #expect(try await error.code == .notConnected)
        async let connected = client.connect()
        let connection = try await self.server.acceptAgain()
        _ = try await connected
        try await client.publish("next", to: "t")
        #expect(try await connection.receivePublish().text == "next")
    }

    @Test("A request's error says that connect() is missing, and does not mention the subscription for replies")
    func request() async throws {
        let clock = TestClock()
        let client = try self.server.makeClient(clock: clock)
        async let error = failure { try await client.request("x", to: "t", timeout: .seconds(5)) }
        try await clock.advanceToSleeper(within: .seconds(5))
        let thrown = try await error
        #expect(thrown.code == .timedOut)
        #expect(thrown.message.contains("connect()") && !thrown.message.contains("replies"))
    }

    @Test("A publish followed by connect() is sent, and no longer subject to the connect timeout")
    func connectFollows() async throws {
        let clock = TestClock()
        let client = try self.server.makeClient(clock: clock) { $0.connection.keepAlive = .zero }
        async let published = client.publish("x", to: "t", qos: .atLeastOnce)
        try await client.waitUntilQueued()
        async let connected = client.connect()
        let connection = try await self.server.acceptAgain()
        _ = try await connected
        _ = try await connection.receivePublishPacket()
        clock.advance(by: .seconds(60))
        try connection.send(.puback(Acknowledgement(1)))
        _ = try await published
    }

    @Test("While reconnecting, a publish with timeout zero fails at once, even at QoS 0")
    func failAtOnce() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        try await client.publish("sent", to: "t", timeout: .zero)
        #expect(try await connection.receivePublish().text == "sent")
        connection.close()
        try await client.wait(for: .reconnecting)
        let error = try await failure { try await client.publish("x", to: "t", timeout: .zero) }
        #expect(error.code == .timedOut && error.delivery == .notSent)
        #expect(error.message.contains("no connection"))
    }
}
