import Curlew
import Testing

@Suite("A web server's shared agent", .bounded)
struct AgentTests {
    @Test("It connects when it is first used, from hundreds of threads at once", arguments: ExampleBroker.available)
    func threads(_ broker: ExampleBroker) async throws {
        try await broker.run { broker in
            let device = try await broker.connectedClient()
            let readings = try await device.subscribe(to: "readings")
            let agent = try Agent(broker.url, timeout: .seconds(60))
            try await withThrowingTaskGroup { group in
                for number in 0..<200 {
                    group.addTask { try await onThread { try agent.publish("\(number)", to: "readings") } }
                }
                try await group.waitForAll()
            }
            var numbers: Set<String> = []
            while numbers.count < 200 {
                numbers.insert(try #require(try await readings.next(within: .seconds(60))).text)
            }
            #expect(agent.client.client.statistics.reconnections == 0)
            await agent.client.client.disconnect()
        }
    }

    @Test("A broker that cannot be reached is an error within the time limit")
    func unreachable() async throws {
        let agent = try Agent("mqtt://127.0.0.1:1")
        let error = try await failure { try await onThread { try agent.publish("on", to: "lamp") } }
        #expect(error.code == .connectionFailed)
    }

    @Test("Callers of one filter share a subscription, and the last one ends it", arguments: ExampleBroker.available)
    func sharing(_ broker: ExampleBroker) async throws {
        try await broker.run { broker in
            let device = try await broker.connectedClient()
            try await device.publish("old", to: "door/1", qos: .atLeastOnce, retain: true)
            let agent = try Agent(broker.url)
            let ended = Record()
            @Sendable func collect(_ count: Int, retained: Bool = false) async throws -> [MQTTMessage] {
                defer { ended.add("\(count)") }
                return try await onThread {
                    try agent.subscribe(
                        to: ["door/+", "window/+"], count: count, includingRetained: retained, timeout: .seconds(60))
                }
            }
            #expect(try await collect(1, retained: true).map(\.text) == ["old"])
            async let first = collect(1)
            async let second = collect(3)
            while ended.all.count < 3 {
                try await device.publish("open", to: "door/2", qos: .atLeastOnce)
                try await device.publish("open", to: "window/2", qos: .atLeastOnce)
            }
            #expect(try await first.map(\.text) == ["open"])
            #expect(try await second.map(\.text) == ["open", "open", "open"])
            while try await device.publish("open", to: "door/2", qos: .atLeastOnce) != .noMatchingSubscribers {}
            await agent.client.client.disconnect()
        }
    }

    @Test(
        "A request gets the replies on several topics, and those of an earlier one do not count",
        arguments: ExampleBroker.available)
    func request(_ broker: ExampleBroker) async throws {
        try await broker.run { broker in
            let agent = try Agent(broker.url)
            let device = try await broker.connectedClient()
            let answered = Record()
            let requests = try await device.subscribe(to: "fleet/who")
            let answering = Task {
                for try await request in requests {
                    for name in ["a", "b"] {
                        try await device.publish("\(name) \(request.text)", to: "fleet/\(name)/here", qos: .atLeastOnce)
                    }
                    answered.add(request.text)
                }
            }
            let one = try await onThread {
                try agent.request("1", to: "fleet/who", repliesOn: ["fleet/+/here"], timeout: .seconds(60))
            }
            #expect(one.map(\.text) == ["a 1"])
            try await answered.wait(for: "1")
            try await onThread { try agent.publish("", to: "sync") }  // the other reply has arrived before
            let both = try await onThread {
                try agent.request(
                    "2", to: "fleet/who", repliesOn: ["fleet/a/here", "fleet/b/here"], count: 2, timeout: .seconds(60))
            }
            #expect(Set(both.map(\.text)) == ["a 2", "b 2"])
            let nobody = try await failure {
                try await onThread {
                    try agent.request("3", to: "nobody", repliesOn: ["fleet/+/here"], timeout: .seconds(60))
                }
            }
            #expect(nobody.code == .noMatchingSubscribers)
            answering.cancel()
            _ = await answering.result
            await agent.client.client.disconnect()
        }
    }

    @Test("RPC.Ping to a hundred devices at once", arguments: ExampleBroker.available)
    func ping(_ broker: ExampleBroker) async throws {
        try await broker.run { broker in
            let devices = try await broker.connectedClient()
            let names = (0..<100).map { "esp_\($0)" }
            let serving = Task {
                try await withThrowingTaskGroup { group in
                    for name in names {
                        group.addTask { try await devices.serve(name, .jsonRPC) { OnCall("RPC.Ping") { name } } }
                    }
                    while try await group.next() != nil {}
                }
            }
            let watcher = try await broker.connectedClient()
            for name in names { try await watcher.waitForSubscriber(of: "\(name)/rpc") }
            let agent = try Agent(broker.url)
            let results = try await onThread { try agent.call("RPC.Ping", on: names, timeout: .seconds(60)) }
            #expect(results.count == 100)
            for result in results { #expect(try result.get() == .string(result.device)) }
            let off = try await onThread { try agent.call("RPC.Ping", on: ["off"]) }
            #expect(off.map { "\($0.outcome)" } == ["no responder"])
            serving.cancel()
            _ = await serving.result
            await agent.client.client.disconnect()
        }
    }

    @Test("A stream, and futures", arguments: ExampleBroker.available)
    func futures(_ broker: ExampleBroker) async throws {
        try await broker.run { broker in
            let agent = try Agent(broker.url)
            let device = try await broker.connectedClient()
            let questions = try await device.subscribe(to: "svc")
            let answering = Task {
                for try await question in questions {
                    try await device.publish("re: \(question.text)", to: "svc/\(question.text)", qos: .atLeastOnce)
                }
            }
            let serving = Task { try await device.serve("esp_1", .jsonRPC) { OnCall("RPC.Ping") { "pong" } } }
            try await device.waitForSubscriber(of: "esp_1/rpc")
            try await onThread {
                let stream = try agent.stream("log/#")
                let publishes = try (1...3).map { try agent.startPublish("\($0)", to: "log/\($0)") }
                for publish in publishes { #expect(try publish.wait() == .success) }
                #expect(stream.prefix(3).map(\.text) == ["1", "2", "3"])
                let requests = try (1...3).map {
                    try agent.startRequest("\($0)", to: "svc", repliesOn: ["svc/\($0)"], timeout: .seconds(60))
                }
                #expect(try requests.map { try $0.wait().map(\.text) } == [["re: 1"], ["re: 2"], ["re: 3"]])
                #expect(try agent.startCall("RPC.Ping", on: "esp_1").wait() == "pong")
            }
            answering.cancel()
            serving.cancel()
            _ = await (answering.result, serving.result)
            await agent.client.client.disconnect()
        }
    }

    @Test("Several brokers, of which one is down", arguments: ExampleBroker.available)
    func several(_ broker: ExampleBroker) async throws {
        try await broker.run { broker in
            let device = try await broker.connectedClient()
            let messages = try await device.subscribe(to: "all")
            let agents = try Agents(["plant": broker.url, "cloud": "mqtt://127.0.0.1:1"])
            let news = Record()
            let listening = Task {
                try await onThread { try agents.subscribe(to: "news") { news.add("\($0): \($1.text)") } }
            }
            let failures = try await onThread { try agents.publishToAll("on", to: "all") }
            #expect(failures.map(\.key) == ["cloud"])
            #expect(try await messages.next(within: .seconds(60))?.text == "on")
            try await device.waitForSubscriber(of: "news")
            try await news.wait(for: "plant: ready?")
            #expect(agents.health["plant"]?.state == .connected)
            #expect(agents.health["cloud"]?.error?.code == .connectionFailed)
            await agents.brokers.clients.disconnect(drain: .zero)
            _ = await listening.result
        }
    }
}
