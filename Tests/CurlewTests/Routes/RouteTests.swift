import Curlew
import CurlewTesting
import Logging
import Synchronization
import Testing

private struct Reading: Codable, Equatable { var celsius: Double }

private struct Broken: Error {}

/// Collects what handlers saw, and waits for it.
private final class Seen: Sendable {
    private let values = Mutex<[String]>([])

    func add(_ value: String) { self.values.withLock { $0.append(value) } }

    func wait(for count: Int) async throws -> [String] {
        try await eventually("\(count) messages") { self.values.withLock { $0.count } >= count }
        return self.values.withLock { $0 }
    }
}

extension MQTTClient {
    /// Publishes to a topic until somebody has subscribed to it.
    func waitForSubscriber(of topic: String) async throws {
        while try await self.publish("ready?", to: topic, qos: .atLeastOnce) == .noMatchingSubscribers {
            await Task.yield()
        }
    }
}

@Suite("Routes", .bounded)
struct RouteTests {
    /// Runs routes while `body` publishes. The routes have subscribed when `body` begins.
    private func with(
        _ routes: MQTTRoutes,
        onFailure: @escaping @Sendable (RouteFailure) async -> RouteFailurePolicy = { _ in .logAndContinue },
        _ body: (_ publisher: MQTTClient, _ routing: Task<Void, any Error>) async throws -> Void
    ) async throws {
        try await withBroker { broker in
            let client = try await broker.connectedClient()
            let routing = Task {
                try await client.route(onFailure: onFailure) {
                    routes
                    // Routes subscribe in their order.
                    On("ready") { _, _ in }
                }
            }
            let publisher = try await broker.connectedClient()
            try await publisher.waitForSubscriber(of: "ready")
            try await body(publisher, routing)
            routing.cancel()
            _ = await routing.result
        }
    }

    @Test("Each route gets its messages, with the captured parts of their topics")
    func captures() async throws {
        let seen = Seen()
        try await self.with(
            MQTTRoutes {
                On("home/{room}/temperature") { message, captures in
                    seen.add("\(captures["room"] ?? "?") \(message.text)")
                }
                On("garage/{rest...}") { message, captures in seen.add("garage \(captures["rest"] ?? "?")") }
            }
        ) { publisher, _ in
            try await publisher.publish("21", to: "home/kitchen/temperature", qos: .atLeastOnce)
            try await publisher.publish("x", to: "garage/door/left", qos: .atLeastOnce)
            #expect(try await Set(seen.wait(for: 2)) == ["kitchen 21", "garage door/left"])
        }
    }

    @Test("A route for what no other route handles, and options of a route")
    func otherwise() async throws {
        try await withBroker { broker in
            let seen = Seen()
            let subscribed = Mutex<[String]>([])
            let client = try await broker.connectedClient()
            let routing = Task {
                try await client.route(onSubscribed: { filters in subscribed.withLock { $0 += filters.map(\.string) } })
                {
                    On("home/{room}/temperature") { message, _ in seen.add("temperature \(message.text)") }
                    On("home/#") { message in seen.add("other \(message.topic)") }.otherwise()
                    On("own") { message in seen.add("own \(message.text)") }.options { $0.noLocal = true }
                }
            }
            try await eventually("the routes have subscribed") { subscribed.withLock { !$0.isEmpty } }
            #expect(subscribed.withLock { $0 } == ["home/+/temperature", "home/#", "own"])
            try await client.publish("mine", to: "own", qos: .atLeastOnce)
            let publisher = try await broker.connectedClient()
            try await publisher.publish("21", to: "home/kitchen/temperature", qos: .atLeastOnce)
            try await publisher.publish("x", to: "home/door", qos: .atLeastOnce)
            try await publisher.publish("theirs", to: "own", qos: .atLeastOnce)
            #expect(
                try await Set(seen.wait(for: 3)) == ["temperature 21", "other home/door", "own theirs"])
            // All messages are acknowledged, also those that a route left to others.
            try await eventually("everything is acknowledged") { client.statistics.unacknowledgedMessages == 0 }
            routing.cancel()
            _ = await routing.result
        }
    }

    @Test("If several routes match, each of them runs")
    func overlapping() async throws {
        let seen = Seen()
        try await self.with(
            MQTTRoutes {
                On("a/{x}") { _, _ in seen.add("one") }
                On("a/b") { _, _ in seen.add("two") }
            }
        ) { publisher, _ in
            try await publisher.publish("", to: "a/b", qos: .atLeastOnce)
            #expect(try await Set(seen.wait(for: 2)) == ["one", "two"])
        }
    }

    @Test("A route decodes its messages; one that does not decode is a failure, and the route continues")
    func decoding() async throws {
        let seen = Seen()
        try await self.with(
            MQTTRoutes {
                On("t/{n}", as: Reading.self) { reading, captures in
                    seen.add("\(reading.celsius) \(captures["n"] ?? "?")")
                }
            },
            onFailure: { failure in
                seen.add("failure \((failure.error as? MQTTError)?.code.rawValue ?? "?") \(failure.pattern)")
                return .logAndContinue
            }
        ) { publisher, _ in
            try await publisher.publish("nonsense", to: "t/1", qos: .atLeastOnce)
            try await publisher.publish(json: Reading(celsius: 21.5), to: "t/2", qos: .atLeastOnce)
            #expect(try await seen.wait(for: 2) == ["failure decodingFailed t/{n}", "21.5 2"])
        }
    }

    @Test("A route with typed parts gets values; a topic without them is a failure")
    func typed() async throws {
        let seen = Seen()
        let floor = MQTT.topic("house").part(String.self).level("floor").part(Int.self)
        try await self.with(
            MQTTRoutes {
                MQTTRoutes(prefix: "site") {
                    On(floor) { message, house, number in seen.add("\(house) \(number + 1)") }
                }
            },
            onFailure: { _ in
                seen.add("failure")
                return .logAndContinue
            }
        ) { publisher, _ in
            try await publisher.publish("", to: "site/\(try floor("red", 3))", qos: .atLeastOnce)
            try await publisher.publish("", to: "site/house/red/floor/top", qos: .atLeastOnce)
            #expect(try await seen.wait(for: 2) == ["red 4", "failure"])
        }
    }

    @Test("In order per topic: topics run beside each other, the messages of one topic in their order")
    func inOrderPerTopic() async throws {
        let seen = Seen()
        let (gate, opened) = AsyncStream.makeStream(of: Void.self)
        try await self.with(
            MQTTRoutes {
                On("f/{family}", .inOrder(per: .topic), atOnce: 2) { message, captures in
                    if message.text == "a1" { for await _ in gate { break } }
                    seen.add(message.text)
                }
            }
        ) { publisher, _ in
            for (topic, text) in [("f/a", "a1"), ("f/a", "a2"), ("f/b", "b1"), ("f/b", "b2")] {
                try await publisher.publish(text, to: topic, qos: .atLeastOnce)
            }
            #expect(try await seen.wait(for: 2) == ["b1", "b2"])
            opened.yield()
            #expect(try await seen.wait(for: 4) == ["b1", "b2", "a1", "a2"])
        }
    }

    @Test("Up to n messages are handled at once")
    func atOnce() async throws {
        let seen = Seen()
        let (gate, opened) = AsyncStream.makeStream(of: Void.self)
        try await self.with(
            MQTTRoutes {
                On("t", atOnce: 3) { message, _ in
                    seen.add("begin")
                    for await _ in gate { break }
                    seen.add("end")
                }
            }
        ) { publisher, _ in
            for _ in 0..<5 { try await publisher.publish("", to: "t", qos: .atLeastOnce) }
            #expect(try await seen.wait(for: 3) == ["begin", "begin", "begin"])
            opened.finish()
            let all = try await seen.wait(for: 10)
            #expect(all.filter { $0 == "end" }.count == 5)
        }
    }

    @Test("With the policy `stop`, the error ends the routes, and the message is not lost")
    func stop() async throws {
        try await self.with(
            MQTTRoutes {
                On("t") { _, _ in throw Broken() }
            }, onFailure: { _ in .stop }
        ) { publisher, routing in
            try await publisher.publish("", to: "t", qos: .atLeastOnce)
            await #expect(throws: Broken.self) { try await routing.value }
        }
    }

    @Test("Middleware runs around the handler, the outermost first")
    func middleware() async throws {
        struct Mark: MQTTRouteMiddleware {
            let seen: Seen
            let name: String

            func handle(
                _ routed: RoutedMessage, next: @Sendable (RoutedMessage) async throws -> Void
            ) async throws {
                self.seen.add("\(self.name) \(routed.pattern)")
                if routed.message.text != "skip" { try await next(routed) }
            }
        }
        let seen = Seen()
        try await self.with(
            MQTTRoutes {
                MQTTRoutes(middleware: [Mark(seen: seen, name: "outer")]) {
                    MQTTRoutes(
                        prefix: "a", middleware: [Mark(seen: seen, name: "inner"), RouteLog(Logger(label: "test"))]
                    ) {
                        On("b") { message, _ in seen.add("handler") }
                    }
                }
            }
        ) { publisher, _ in
            try await publisher.publish("skip", to: "a/b", qos: .atLeastOnce)
            try await publisher.publish("", to: "a/b", qos: .atLeastOnce)
            #expect(
                try await seen.wait(for: 4) == ["outer a/b", "outer a/b", "inner a/b", "handler"])
        }
    }

    @Test("Handlers may publish, subscribe and request")
    func reentrant() async throws {
        let seen = Seen()
        try await withBroker { broker in
            let client = try await broker.connectedClient()
            let publisher = try await broker.connectedClient()
            let answering = Task { try await publisher.respond(to: "svc") { request in "re: \(request.text)" } }
            try await client.waitForSubscriber(of: "svc")
            let routing = Task {
                try await client.route {
                    On("t") { message, _ in
                        let reply = try await client.request(message.payload, to: "svc")
                        try await client.publish(reply.payload, to: "u", qos: .atLeastOnce)
                    }
                    On("u") { message, _ in seen.add(message.text) }
                }
            }
            try await publisher.waitForSubscriber(of: "u")
            try await publisher.publish("x", to: "t", qos: .atLeastOnce)
            #expect(try await seen.wait(for: 2) == ["ready?", "re: x"])
            answering.cancel()
            routing.cancel()
            _ = await (answering.result, routing.result)
        }
    }

    @Test("Routes that cannot work are refused before anything is sent")
    func refused() async throws {
        let client = try MQTTClient("mqtt://localhost")
        #expect(try await failure { try await client.route {} }.code == .invalidArgument)
        #expect(try await failure { try await client.route { On("a{b") { _, _ in } } }.code == .invalidTopic)
        #expect(
            try await failure { try await client.route { On("a", atOnce: 0) { _, _ in } } }.code == .invalidArgument)
        #expect(
            try await failure { try await client.route { On("a", .inOrder, atOnce: 2) { _, _ in } } }.code
                == .invalidArgument)
    }
}
