import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@testable import Curlew

@Suite("Subscriptions that pause reading", .bounded)
struct HoldingWireTests {
    @Test("While reading is paused, unanswered pings do not end the connection, and everything arrives in the end")
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
        // A server that answered none of these pings would count as dead.
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

    @Test("A client whose reading is paused disconnects without waiting for the timeout")
    func disconnecting() async throws {
        let server = ScriptedServer(patience: .seconds(60))
        // A clock that stands still: a wait for the timeout would never end.
        let (client, connection) = try await server.connectedClient(clock: TestClock())
        let subscription = try await connection.subscribe(client, to: "t")
        subscription.holdReading(above: 1)
        try connection.send(.publish(Publish("a", "t")))
        while subscription.queuedCount == 0 { await Task.yield() }
        await client.disconnect()
        #expect(client.state == .disconnected)
    }

    @Test("The hold is full above its limit, and empty again only when everything was taken")
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

    @Test("A message's footprint includes the memory of its properties")
    func footprint() throws {
        var properties = Properties()
        properties.userProperties = Array(repeating: UserProperty("", ""), count: 100)
        let message = MQTTMessage(topic: try TopicName("t"), payload: ByteBuffer(), properties: properties)
        #expect(message.footprint > 100 * 40)
    }
}
