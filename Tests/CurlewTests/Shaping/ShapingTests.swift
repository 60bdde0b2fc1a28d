import Curlew
import CurlewTesting
import Testing

@Suite("Shaping the messages of a subscription", .bounded)
struct ShapingTests {
    let server = ScriptedServer(patience: .seconds(60))

    private struct Reading: Codable, Sendable { var celsius: Double }

    @Test("The latest message of each topic; replaced ones are acknowledged")
    func latest() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t/+")
        for (text, topic) in [("1", "t/a"), ("2", "t/b"), ("3", "t/a")] {
            try connection.publish(text, to: topic, qos: .atLeastOnce)
        }
        try await connection.sync()
        let seen = Task {
            var texts: [String] = []
            for try await message in subscription.latest() {
                texts.append(message.text)
                if texts.count == 3 { break }
            }
            return texts
        }
        // "1", which "3" replaces, then "2" and "3", in the order of arrival.
        for _ in 0..<3 { #expect(try await connection.receiveAcknowledgement() == .success) }
        try connection.publish("4", to: "t/a")
        #expect(try await seen.value == ["3", "2", "4"])
    }

    @Test("Debounced messages come when their topic is quiet")
    func debounced() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        let subscription = try await connection.subscribe(client, to: "t")
        try connection.publish("1", to: "t")
        try connection.publish("2", to: "t")
        try await connection.sync()
        let seen = Task {
            for try await message in subscription.debounced(for: .seconds(3)) { return message.text }
            return ""
        }
        try await clock.advanceToSleeper(within: .seconds(3))
        #expect(try await seen.value == "2")
    }

    @Test("Batches end with enough messages or when the time is up, and are acknowledged as a whole")
    func batches() async throws {
        let clock = TestClock()
        let (client, connection) = try await self.server.connectedClient(clock: clock)
        let subscription = try await connection.subscribe(client, to: "t")
        for text in ["1", "2", "3"] { try connection.publish(text, to: "t", qos: .atLeastOnce) }
        try await connection.sync()
        let seen = Task {
            var batches: [[String]] = []
            for try await batch in subscription.batched(upTo: 2, within: .seconds(3)) {
                batches.append(batch.map(\.text))
                if batches.count == 2 { break }
            }
            return batches
        }
        #expect(try await connection.receiveAcknowledgement() == .success)
        #expect(try await connection.receiveAcknowledgement() == .success)
        // The third message waits for others.
        try await clock.advanceToSleeper(within: .seconds(3))
        #expect(try await seen.value == [["1", "2"], ["3"]])
    }

    @Test("Messages that do not decode are skipped or end the loop, as the policy decides")
    func decoded() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let subscription = try await connection.subscribe(client, to: "t")
        try connection.publish("x", to: "t")
        try connection.publish(#"{"celsius":21.5}"#, to: "t")
        try connection.publish("y", to: "t")
        let readings = subscription.decoded(as: Reading.self) { message, error in
            #expect(error.code == .decodingFailed)
            return message.text == "x" ? .skip : .fail
        }
        var seen: [Double] = []
        let error = try await failure { for try await reading in readings { seen.append(reading.value.celsius) } }
        #expect(seen == [21.5])
        #expect(error.code == .decodingFailed)
    }
}
