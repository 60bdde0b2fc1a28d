import Curlew
import CurlewBroker
import Dispatch
import Foundation
import MallocCount
import NIOCore

/// What the layer for people costs, beside the bare calls below it: over TCP on loopback, with Curlew's broker in this
/// process. Each line is followed by its ratio to the bare one and the bar that it has to meet.
enum Humans {
    static func run() async throws {
        var configuration = MQTTBrokerConfiguration(listeners: [.tcp(port: 0)])
        configuration.systemTopicInterval = .zero
        let broker = MQTTBroker(configuration)
        try await broker.start()
        let port = await broker.listeners.first?.port ?? 0
        let connect: @Sendable () async throws -> MQTTClient = {
            var configuration = MQTTConfiguration(server: .mqtt("127.0.0.1", port: port))
            configuration.queues.subscription = .init(count: 1_000_000, bytes: 1 << 30)
            let client = try MQTTClient(configuration)
            try await client.connect()
            return client
        }
        try await self.calls(connect)
        try await self.many(connect)
        try await self.routes(connect)
        try await self.blocking(connect)
        await broker.stop()
    }

    // MARK: Calls

    private static func calls(_ connect: @Sendable () async throws -> MQTTClient) async throws {
        let (caller, device) = (try await connect(), try await connect())
        let requests = try await device.subscribe(to: "bare/request")
        let answering = Task {
            for try await request in requests {
                try await device.publish(request.payload, to: "bare/answer", qos: .atLeastOnce)
            }
        }
        let serving = Task {
            await withThrowingTaskGroup { group in
                for (name, dialect) in [("five", MQTTDialect.mqtt5), ("rpc", .jsonRPC)] {
                    group.addTask {
                        try await device.serve(name, dialect, concurrency: 20_000) {
                            OnCall("Echo") { (text: String) in text }
                        }
                    }
                }
            }
        }
        let text = String(repeating: "x", count: 62)
        for (name, dialect) in [("five", MQTTDialect.mqtt5), ("rpc", .jsonRPC)] {
            while (try? await caller.device(name, dialect).call("Echo", text, as: String.self)) == nil {}
        }
        // In turn, because the machine is not equally fast all the time. The first round is a warm-up.
        var (bare, five, rpc) = (Latencies(), Latencies(), Latencies())
        for round in 0...5 {
            if round == 1 { (bare, five, rpc) = (Latencies(), Latencies(), Latencies()) }
            try await self.bareReplies(to: text, caller, &bare)
            let (fiveDevice, rpcDevice) = (caller.device("five", .mqtt5), caller.device("rpc", .jsonRPC))
            try await five.measure { _ = try await fiveDevice.call("Echo", text, as: String.self) }
            try await rpc.measure { _ = try await rpcDevice.call("Echo", text, as: String.self) }
        }
        let median = bare.report("publish and reply by hand, one at a time, median")
        compare(five.report("call, MQTT 5.0, one at a time, median"), with: median, bar: "≤ 1.3")
        compare(rpc.report("call, JSON-RPC, one at a time, median"), with: median, bar: "≤ 1.3")
        let target = caller.device("rpc", .jsonRPC)
        var few: Duration?
        for width in [10, 10_000] {
            let time = try await measure("call, JSON-RPC, \(width) in flight", count: 20_000) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<width {
                        group.addTask {
                            for _ in 0..<(20_000 / width) {
                                _ = try await target.call("Echo", text, as: String.self, within: .seconds(60))
                            }
                        }
                    }
                    while try await group.next() != nil {}
                }
            }
            if let few { compare(time, with: few, bar: "≤ 1") } else { few = time }
        }
        answering.cancel()
        serving.cancel()
        await caller.disconnect()
        await device.disconnect()
    }

    /// In a function of its own, whose end acknowledges the last message: acknowledgements keep the order of arrival, so
    /// a message that nobody finishes delays those of the calls.
    private static func bareReplies(
        to text: String, _ caller: MQTTClient, _ latencies: inout Latencies
    ) async throws {
        let answers = try await caller.subscribe(to: "bare/answer")
        try await latencies.measure {
            try await caller.publish(text, to: "bare/request", qos: .atLeastOnce)
            _ = try await answers.next()
        }
    }

    /// How long single operations took.
    private struct Latencies {
        private var times: [Duration] = []
        private var allocations: UInt64 = 0

        mutating func measure(_ operation: () async throws -> Void) async throws {
            let mallocs = curlew_malloc_count()
            for _ in 0..<1_000 {
                let start = ContinuousClock.now
                try await operation()
                self.times.append(ContinuousClock.now - start)
            }
            self.allocations += curlew_malloc_count() - mallocs
        }

        /// Prints and returns the median.
        func report(_ name: String) -> Duration {
            let median = self.times.sorted()[self.times.count / 2]
            let mallocs = Double(self.allocations) / Double(self.times.count)
            print(
                "\(pad(name, 58)) \(right(number(median / .nanoseconds(1), 1), 10)) ns "
                    + "\(right(number(mallocs, 3), 9)) mallocs"
            )
            return median
        }
    }

    private static func many(_ connect: @Sendable () async throws -> MQTTClient) async throws {
        let (caller, fleet) = (try await connect(), try await connect())
        let names = (0..<1_000).map { "fleet-\($0)" }
        let serving = Task {
            await withThrowingTaskGroup { group in
                for name in names {
                    group.addTask { try await fleet.serve(name, .jsonRPC) { OnCall("Ping") { "pong" } } }
                }
            }
        }
        for name in names { while (try? await caller.device(name, .jsonRPC).call("Ping")) == nil {} }
        let time = try await measure("call 1,000 devices at once, all together", count: 1) {
            var answered = 0
            for await result in try caller.devices(names, .jsonRPC).call("Ping", atOnce: 1_000) {
                if case .answered = result.outcome { answered += 1 }
            }
            guard answered == 1_000 else { fatalError("only \(answered) devices answered") }
        }
        if let time { print("    \(number(time / .milliseconds(1), 1)) ms, bar ≤ 250 ms") }
        serving.cancel()
        await caller.disconnect()
        await fleet.disconnect()
    }

    // MARK: Routes

    private static func routes(_ connect: @Sendable () async throws -> MQTTClient) async throws {
        let count = 50_000
        let publisher = try await connect()
        let bareClient = try await connect()
        let subscription = try await bareClient.subscribe(to: "routes/+/value")
        var iterator = subscription.makeAsyncIterator()
        let send: @Sendable () async throws -> Void = {
            for index in 0..<count {
                try await publisher.publish(Micro.payload, to: "routes/\(index % 100)/value", qos: .atLeastOnce)
            }
        }
        let bare = try await measure("receive QoS 1, one subscription", count: count) {
            async let sending: Void = send()
            for _ in 0..<count { _ = try await iterator.next() }
            try await sending
        }
        await bareClient.disconnect()
        let routed = try await connect()
        let (handled, handle) = AsyncStream<Void>.makeStream()
        let routing = Task {
            try await routed.route {
                for index in 0..<100 { On("routes/\(index)/value") { message in handle.yield() } }
            }
        }
        while try await publisher.publish("", to: "routes/99/value", qos: .atLeastOnce) == .noMatchingSubscribers {}
        var events = handled.makeAsyncIterator()
        _ = await events.next()
        let time = try await measure("receive QoS 1, 100 routes", count: count) {
            async let sending: Void = send()
            for _ in 0..<count { _ = await events.next() }
            try await sending
        }
        compare(time, with: bare, bar: "≤ 1.5")
        routing.cancel()
        await routed.disconnect()
        await publisher.disconnect()
    }

    // MARK: Blocking

    private static func blocking(_ connect: @Sendable () async throws -> MQTTClient) async throws {
        let client = try await connect()
        let (count, width) = (32_000, 16)
        let awaited = try await measure("publish QoS 1, awaited by 16 tasks", count: count) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<width {
                    group.addTask {
                        for _ in 0..<(count / width) {
                            try await client.publish(Micro.payload, to: "blocking", qos: .atLeastOnce)
                        }
                    }
                }
                while try await group.next() != nil {}
            }
        }
        let time = try await measure("publish QoS 1, blocking 16 threads", count: count) {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let group = DispatchGroup()
                for _ in 0..<width {
                    group.enter()
                    Thread.detachNewThread {
                        for _ in 0..<(count / width) {
                            do {
                                try client.blocking.publish(Micro.payload, to: "blocking", qos: .atLeastOnce)
                            } catch {
                                fatalError("\(error)")
                            }
                        }
                        group.leave()
                    }
                }
                group.notify(queue: .global()) { continuation.resume() }
            }
        }
        compare(awaited, with: time, bar: "≥ 0.5 (rate)")
        await client.disconnect()
    }

    /// Prints how many times as long as the other one took.
    private static func compare(_ time: Duration?, with other: Duration?, bar: String) {
        guard let time, let other else { return }
        print("    ratio \(number(time / other, 2)), bar \(bar)")
    }
}
