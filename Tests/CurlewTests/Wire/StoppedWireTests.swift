import Curlew
import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@Suite("Calls on a stopped client fail until it connects again", .bounded)
struct StoppedWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    /// The errors of all calls that begin something new. None of the calls may wait.
    private func failures(of client: MQTTClient) async throws -> [MQTTError] {
        [
            try await failure { try await client.publish("x", to: "t", qos: .atLeastOnce) },
            try await failure { try client.enqueue("x", to: "t", qos: .atLeastOnce) },
            try await failure { try await client.request("x", to: "t", timeout: .seconds(3600)) },
            try await failure {
                try await client.request("x", to: "t", responseTopic: "r", timeout: .seconds(3600))
            },
            try await failure { try await client.subscribe(to: "t") },
        ]
    }

    /// Connects again and publishes.
    private func expectUse(of client: MQTTClient) async throws {
        async let connected = client.connect()
        let connection = try await self.server.acceptAgain()
        _ = try await connected
        async let published = client.publish("x", to: "t", qos: .atLeastOnce)
        try await connection.receivePublish()
        #expect(try await published == .success)
    }

    @Test("Before the first connection, calls wait")
    func beforeTheFirstConnection() async throws {
        let client = try self.server.makeClient()
        async let subscription = client.subscribe(to: "t")
        async let connected = client.connect()
        let connection = try await self.server.acceptAgain()
        _ = try await connected
        try await connection.grantSubscribe()
        _ = try await subscription
    }

    @Test("After disconnecting, calls throw at once")
    func disconnected() async throws {
        let (client, _) = try await self.server.connectedClient()
        await client.disconnect()
        let errors = try await self.failures(of: client)
        #expect(errors.map(\.code) == Array(repeating: .clientStopped, count: 5))
        #expect(errors.dropLast().map(\.delivery) == Array(repeating: .notSent, count: 4))
        try await self.expectUse(of: client)
    }

    @Test("After disconnecting a client that was never connected, calls throw at once")
    func disconnectedBefore() async throws {
        let client = try self.server.makeClient()
        await client.disconnect()
        #expect(try await self.failures(of: client).map(\.code) == Array(repeating: .clientStopped, count: 5))
        try await self.expectUse(of: client)
    }

    @Test("After the client has stopped for good, calls throw its last error at once")
    func givenUp() async throws {
        let (client, connection) = try await self.server.connectedClient()
        try connection.send(.disconnect(Disconnect(reasonCode: .sessionTakenOver)))
        #expect(try await failure { try await client.waitUntilStopped() }.code == .sessionTakenOver)
        let errors = try await self.failures(of: client)
        #expect(errors.map(\.code) == Array(repeating: .sessionTakenOver, count: 5))
        #expect(errors.dropLast().map(\.delivery) == Array(repeating: .notSent, count: 4))
        try await self.expectUse(of: client)
    }

    @Test("Messages enqueued before a first connection that fails or is cancelled wait for the next attempt")
    func firstConnectionFails() async throws {
        let client = try self.server.makeClient()
        let delivery = try client.enqueue("early", to: "t", qos: .atLeastOnce)
        async let refused = failure { try await client.connect() }
        try await self.server.accept().refuseConnect(.notAuthorized)
        #expect(try await refused.code == .connectionRefused)
        let givenUp = Task { try await failure { try await client.connect() } }
        let connection = try await self.server.accept()
        _ = try await connection.receiveConnect()
        givenUp.cancel()
        #expect(try await givenUp.value.code == .cancelled)
        async let connected = client.connect()
        let last = try await self.server.acceptAgain()
        _ = try await connected
        #expect(try await last.receivePublish().text == "early")
        try await delivery.outcome()
    }

    @Test("Waiting for a delivery times out with the acknowledgement timeout")
    func deliveryTimeout() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock) {
            $0.connection.acknowledgementTimeout = .seconds(4)
        }
        let delivery = try client.enqueue("x", to: "t", qos: .atLeastOnce)
        async let error = failure { try await delivery.outcome() }
        _ = try await connection.receivePublishPacket()
        try await clock.advanceToSleeper(within: .seconds(4))
        let thrown = try await error
        #expect(thrown.code == .timedOut)
        #expect(thrown.delivery == .unknown)
    }
}
