import Curlew
import CurlewCore
import CurlewTesting
import Testing

@Suite("Collecting messages", .bounded)
struct CollectWireTests {
    let server = ScriptedServer(patience: .seconds(60))

    @Test("Collecting ends with the last message wanted, and unsubscribes")
    func collect() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let collected = client.collect(2, from: "t/+", within: .seconds(5))
        #expect(try await connection.grantSubscribe() == [try TopicFilter("t/+")])
        for text in ["1", "2", "3"] { try connection.publish(text, to: "t/a") }
        #expect(try await collected.map(\.text) == ["1", "2"])
        #expect(try await connection.confirmUnsubscribe() == [try TopicFilter("t/+")])
    }

    @Test("When the time is up, collecting returns what has arrived")
    func timeIsUp() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        async let collected = client.collect(2, from: ["a", "b"], within: .seconds(5))
        try await connection.grantSubscribe()
        try await connection.grantSubscribe()
        try connection.publish("1", to: "b")
        try await connection.sync()
        try await clock.advanceToSleeper(within: .seconds(5))
        #expect(try await collected.map(\.text) == ["1"])
    }

    @Test("If all messages are wanted and the time is up, the error contains those that have arrived")
    func tooFew() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        async let error = failure { try await client.collect(exactly: 2, from: "t", within: .seconds(5)) }
        try await connection.grantSubscribe()
        try connection.publish("1", to: "t")
        try await connection.sync()
        try await clock.advanceToSleeper(within: .seconds(5))
        let thrown = try await error
        #expect(thrown.code == .timedOut)
        #expect(thrown.message == "Only 1 of 2 messages from \"t\" arrived within 5.0 seconds.")
        #expect(thrown.messages.map(\.text) == ["1"])
    }

    @Test("Retained messages count, unless they are left out", arguments: [true, false])
    func retained(isIncluded: Bool) async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let collected = client.collect(
            2, from: "t", includingRetained: isIncluded, within: .seconds(60))
        try await connection.grantSubscribe()
        try connection.publish("old", to: "t", retain: true)
        for text in ["1", "2"] { try connection.publish(text, to: "t") }
        #expect(try await collected.map(\.text) == (isIncluded ? ["old", "1"] : ["1", "2"]))
    }

    @Test("The message that satisfies the condition is the last one")
    func until() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let collected = client.collect(100, from: "t", within: .seconds(60)) { $0.text == "end" }
        try await connection.grantSubscribe()
        for text in ["1", "end", "2"] { try connection.publish(text, to: "t") }
        #expect(try await collected.map(\.text) == ["1", "end"])
    }

    @Test("The first message that satisfies a condition is returned; without one, the call times out")
    func first() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        async let wanted = client.first(from: "t", within: .seconds(5)) { $0.text == "2" }
        try await connection.grantSubscribe()
        for text in ["1", "2"] { try connection.publish(text, to: "t") }
        #expect(try await wanted.text == "2")
        try await connection.confirmUnsubscribe()
        async let error = failure { try await client.first(from: "t", within: .seconds(5)) }
        try await connection.grantSubscribe()
        try await connection.sync()
        try await clock.advanceToSleeper(within: .seconds(5))
        #expect(try await error.message == "No message from \"t\" arrived within 5.0 seconds.")
    }

    @Test("A number below 1 and a negative time are refused before anything is sent")
    func badArguments() async throws {
        let (client, connection) = try await self.server.connectedClient()
        #expect(
            try await failure { try await client.collect(0, from: "t", within: .seconds(1)) }.code == .invalidArgument)
        #expect(
            try await failure { try await client.collect(1, from: "t", within: .seconds(-1)) }.code == .invalidArgument)
        #expect(
            try await failure { try await client.collect(1, from: [], within: .seconds(1)) }.code == .invalidArgument)
        #expect(
            try await failure { try await client.collect(1, from: "a#", within: .seconds(1)) }.code == .invalidTopic)
        try await connection.sync()
    }

    @Test("If the client is disconnected meanwhile, the error contains the messages that have arrived")
    func disconnected() async throws {
        let (client, connection) = try await self.server.connectedClient()
        async let error = failure { try await client.collect(2, from: "t", within: .seconds(60)) }
        try await connection.grantSubscribe()
        try connection.publish("1", to: "t")
        try await connection.sync()
        await client.disconnect()
        let thrown = try await error
        #expect(thrown.code == .clientStopped)
        #expect(thrown.messages.map(\.text) == ["1"])
    }

    @Test("If the task is cancelled meanwhile, the error contains the messages that have arrived")
    func cancelled() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let collecting = Task { try await failure { try await client.collect(2, from: "t", within: .seconds(60)) } }
        try await connection.grantSubscribe()
        try connection.publish("1", to: "t")
        try await connection.sync()
        collecting.cancel()
        let thrown = try await collecting.value
        #expect(thrown.code == .cancelled)
        #expect(thrown.messages.map(\.text) == ["1"])
    }

    @Test("A loop with a time limit ends when the time is up, and the subscription remains")
    func timedLoop() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        let subscription = try await connection.subscribe(client, to: "t")
        let timed = subscription.within(.seconds(5))
        let reading = Task {
            var texts: [String] = []
            for try await message in timed { texts.append(message.text) }
            return texts
        }
        for text in ["1", "2"] { try connection.publish(text, to: "t") }
        try await connection.sync()
        try await clock.advanceToSleeper(within: .seconds(5))
        #expect(try await reading.value == ["1", "2"])
        try connection.publish("3", to: "t")
        #expect(try await subscription.next(within: .seconds(60))?.text == "3")
    }

    @Test("Messages that arrive faster than they are taken do not prolong the time")
    func overtime() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        let subscription = try await connection.subscribe(client, to: "t")
        for text in ["1", "2"] { try connection.publish(text, to: "t") }
        try await connection.sync()
        var timed = subscription.within(.zero).makeAsyncIterator()
        #expect(try await timed.next()?.text == "1")
        try connection.publish("3", to: "t")
        try await connection.sync()
        #expect(try await timed.next()?.text == "2")
        #expect(try await timed.next() == nil)
    }
}
