import Curlew
import CurlewTesting
import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Testing

@Suite("Calls that block", .bounded)
struct BlockingTests {
    /// Runs `body` on a thread of its own.
    private func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
        }
    }

    @Test("Connect, publish, subscribe, collect, request and disconnect from a thread")
    func everything() async throws {
        try await withBroker { broker in
            let server = await broker.server
            let responder = try await broker.connectedClient()
            let answering = Task { try await responder.respond(to: "svc") { request in "re: \(request.text)" } }
            try await responder.waitForSubscriber(of: "svc")
            let client = try MQTTClient(MQTTConfiguration(server: server)).blocking
            try await self.onThread {
                try client.connect()
                #expect(try client.publish("old", to: "t/a", qos: .atLeastOnce, retain: true) == .noMatchingSubscribers)
                #expect(try client.collect(1, from: "t/+", within: .seconds(60)).map(\.text) == ["old"])
                let subscription = try client.subscribe(to: "u")
                let pending = try client.enqueue("1", to: "u", qos: .atLeastOnce)
                #expect(try pending.wait() == .success)
                #expect(try pending.poll() == .success)
                try client.publish("2", to: "u")
                #expect(try subscription.next()?.text == "1")
                #expect(try subscription.next(within: .seconds(60))?.text == "2")
                #expect(try subscription.next(within: .zero) == nil)
                try subscription.unsubscribe()
                #expect(try subscription.next() == nil)
                #expect(try client.request("x", to: "svc").text == "re: x")
                #expect(try client.request("x", to: "svc", count: 1).map(\.text) == ["re: x"])
                let started = client.client.startRequest("y", to: "svc")
                #expect(try started.wait().text == "re: y")
                #expect(try started.poll()?.text == "re: y")
                #expect(try client.disconnect().isClean)
            }
            answering.cancel()
            _ = await answering.result
        }
    }

    @Test("A loop over a subscription ends when the client is disconnected")
    func sequence() async throws {
        try await withBroker { broker in
            let client = try await broker.connectedClient()
            async let texts = self.onThread {
                let subscription = try client.blocking.subscribe(to: "t")
                try client.blocking.publish("1", to: "t", qos: .atLeastOnce)
                try client.blocking.publish("2", to: "t", qos: .atLeastOnce)
                var texts: [String] = []
                for message in subscription {
                    texts.append(message.text)
                    if texts.count == 2 { Task { await client.disconnect() } }
                }
                #expect(subscription.error == nil)
                return texts
            }
            #expect(try await texts == ["1", "2"])
        }
    }

    @Test("Hundreds of threads share one connection")
    func threads() async throws {
        try await withBroker { broker in
            let client = try await broker.connectedClient()
            let responder = try await broker.connectedClient()
            let answering = Task {
                try await responder.respond(to: "svc", concurrency: 16) { request in request.payload }
            }
            try await responder.waitForSubscriber(of: "svc")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<500 {
                    group.addTask {
                        try await self.onThread {
                            try client.blocking.publish("\(number)", to: "t", qos: .atLeastOnce)
                            let reply = try client.blocking.request("\(number)", to: "svc", timeout: .seconds(100))
                            #expect(reply.text == "\(number)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            answering.cancel()
            _ = await answering.result
        }
    }

    @Test("A call from a task or an event loop is refused")
    func refused() async throws {
        let client = try MQTTClient("mqtt://localhost").blocking
        func code(_ body: () throws -> Void) -> MQTTError.Code? {
            do {
                try body()
                return nil
            } catch { return (error as? MQTTError)?.code }
        }
        #expect(code { try client.publish("", to: "t") } == .mustNotBlock)
        #expect(code { _ = try client.collect(1, from: "t", within: .zero) } == .mustNotBlock)
        let onLoop = try await MultiThreadedEventLoopGroup.singleton.next().submit {
            do throws(MQTTError) {
                try client.publish("", to: "t")
                return ""
            } catch { return error.message }
        }.get()
        #expect(onLoop.contains("an event loop"))
    }

    @Test("A publish that is not acknowledged in time throws, and one that waits can be cancelled")
    func timeout() async throws {
        let server = ScriptedServer(patience: .seconds(60))
        let clock = TestClock()
        let (client, connection) = try await server.connectedClient(clock: clock)
        async let code = self.onThread { () -> MQTTError.Code? in
            do throws(MQTTError) {
                try client.blocking.publish("", to: "t", qos: .atLeastOnce, timeout: .seconds(5))
                return nil
            } catch { return error.code }
        }
        _ = try await connection.receivePublishPacket()
        try await clock.advanceToSleeper(within: .seconds(5))
        #expect(try await code == .timedOut)
        connection.close()
        try await client.wait(for: .reconnecting)
        let pending = try client.enqueue("", to: "t", qos: .atLeastOnce)
        #expect(pending.cancel())
        #expect(try await failure { try await pending.outcome() }.code == .cancelled)
        #expect(!pending.cancel())
    }
}
