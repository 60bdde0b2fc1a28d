import Curlew
import CurlewTesting
import Foundation
import NIOCore
import Testing

@Suite("Work that was started and is awaited later", .bounded)
struct PendingTests {
    let server = ScriptedServer(patience: .seconds(60))

    @Test("It is polled, awaited with a time limit, waited for by a thread, and given up")
    func pending() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let messages = try await connection.subscribe(client, to: "t")
        let first = client.start { _ in try await messages.next() }
        #expect(try first.poll() == nil)
        #expect(try await failure { try await first.value(within: .milliseconds(1)) }.code == .timedOut)
        try connection.publish("1", to: "t")
        #expect(try await first.value()?.text == "1")
        #expect(try first.poll()??.text == "1")
        let second = client.start { _ in try await messages.next() }
        let text = try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        do { _ = try second.wait(within: .milliseconds(1)) } catch let error as MQTTError {
                            guard error.code == .timedOut else { throw error }
                        }
                        try connection.publish("2", to: "t")
                        return try second.wait()?.text
                    })
            }
        }
        #expect(text == "2")
        let third = client.start { _ in try await messages.next() }
        third.cancel()
        #expect(try await failure { try await third.value() }.code == .cancelled)
    }

    @Test("connect() with a time limit stops trying at its end")
    func connectTimeout() async throws {
        let clock = TestClock()
        let client = try self.server.makeClient(clock: clock)
        async let error = failure { try await client.connect(retrying: true, timeout: .seconds(3)) }
        let silent = try await self.server.accept()
        _ = try await silent.receiveConnect()
        try await clock.advanceToSleeper(within: .seconds(3))
        #expect(try await error.code == .timedOut)
        #expect(try await error.message.contains("3"))
        #expect(client.state == .disconnected)
        try await silent.expectClosed()
        async let connected = client.connect(timeout: .seconds(60))
        _ = try await self.server.acceptAgain()
        _ = try await connected
        #expect(client.connectionError == nil)
    }

    @Test("The end of a subscription differs from a time limit")
    func hasEnded() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let messages = try await connection.subscribe(client, to: "t")
        #expect(try await messages.next(within: .milliseconds(1)) == nil)
        #expect(!messages.hasEnded)
        try connection.publish("1", to: "t")
        try await connection.sync()
        await client.disconnect()
        #expect(!messages.hasEnded)
        #expect(try await messages.next()?.text == "1")
        #expect(try await messages.next() == nil)
        #expect(messages.hasEnded)
    }

    @Test("Values: JSON prints as JSON, QoS is a number, data is a payload, a password may be missing")
    func values() throws {
        #expect("\(["b": [1, 2.5, .null], "a": "x"] as JSONValue)" == #"{"a":"x","b":[1,2.5,null]}"#)
        #expect("\("x" as JSONValue)" == #""x""#)
        #expect(try JSONDecoder().decode([QoS].self, from: Data("[0,1,2]".utf8)) == QoS.allCases)
        #expect(throws: (any Error).self) { try JSONDecoder().decode([QoS].self, from: Data("[3]".utf8)) }
        #expect(Data([1, 2]).mqttPayload == ByteBuffer(bytes: [1, 2]))
        #expect(MQTTPassword(String?.none) == nil)
        #expect(MQTTPassword(String?.some("x")) == "x")
    }

    @Test("A value is put in the outbox as JSON")
    func enqueue() async throws {
        let (client, connection) = try await self.server.connectedClient()
        let pending = try client.enqueue(json: ["a": 1], to: "t", qos: .atLeastOnce)
        let message = try await connection.receivePublish()
        #expect(message.text == #"{"a":1}"#)
        #expect(message.properties.contentType == "application/json")
        try await pending.outcome()
    }
}
