import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@testable import Curlew

@Suite("A subscription that has the server wait", .bounded)
struct HoldingWireTests {
    @Test("Nothing more is read, pings stay unanswered and that ends nothing, and all arrives in the end")
    func holding() async throws {
        let server = ScriptedServer(patience: .seconds(60))
        let clock = TestClock()
        let (client, connection) = try await server.connectedClient(properties: [.serverKeepAlive(1)], clock: clock) {
            $0.reconnect = .disabled
        }
        connection.answersPings = false
        let subscription = try await connection.subscribe(client, to: "t")
        subscription.holdReading(above: 1)
        try connection.send(.publish(Publish("a", "t")))
        while subscription.queuedCount == 0 { await Task.yield() }
        try connection.send(.publish(Publish("b", "t")))
        // A server that answered none of so many pings would be dead.
        for _ in 0..<30 {
            try await clock.advanceToSleeper(within: .seconds(1))
            try await connection.expect(.pingreq)
        }
        #expect(client.state == .connected)
        #expect(subscription.queuedCount == 1)
        var iterator = subscription.makeAsyncIterator()
        #expect(try await iterator.next()?.text == "a")
        #expect(try await iterator.next()?.text == "b")
        await client.disconnect()
    }

    @Test("A client whose reading rests is disconnected as quickly as any")
    func disconnecting() async throws {
        let server = ScriptedServer(patience: .seconds(60))
        let (client, connection) = try await server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t")
        subscription.holdReading(above: 1)
        try connection.send(.publish(Publish("a", "t")))
        while subscription.queuedCount == 0 { await Task.yield() }
        let start = ContinuousClock.now
        await client.disconnect()
        // The time for a server that does not let go is longer.
        #expect(ContinuousClock.now - start < client.configuration.connection.disconnectTimeout)
    }

    @Test("It is full when more than its bound waits, and takes more when all of that was taken")
    func values() throws {
        let message = MQTTMessage(topic: try TopicName("t"), payload: ByteBuffer(repeating: 0, count: 1000))
        var hold = ReadingHold(limit: 3000)
        let added = [[message, message], [message], [message]].map { hold.added($0) }
        #expect(added == [false, true, false])
        #expect(hold.isFull)
        let taken = [hold.tookAll(), hold.tookAll()]
        #expect(taken == [true, false])
        let again = hold.added([message])
        #expect(!again)
    }

    @Test("Properties count with the memory that they take")
    func footprint() throws {
        var properties = Properties()
        properties.userProperties = Array(repeating: UserProperty("", ""), count: 100)
        let message = MQTTMessage(topic: try TopicName("t"), payload: ByteBuffer(), properties: properties)
        #expect(message.footprint > 100 * 40)
    }
}
