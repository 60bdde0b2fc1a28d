import Curlew
import CurlewBroker
import CurlewCore
import CurlewTesting
import CurlewTransport
import Foundation
import NIOCore
import Synchronization
import Testing

private struct Point: Codable, Sendable, Equatable {
    var celsius: Double
    var room: String?
}

/// Serves a device while `body` calls it.
///
/// - Parameter subscriptions: The number of topics on which requests arrive.
private func serving(
    _ device: String, _ dialect: MQTTDialect, concurrency: Int? = nil, subscriptions: Int = 1,
    @MQTTMethodBuilder _ methods: @escaping @Sendable () -> [MQTTMethod],
    call body: (MQTTDevice, MQTTClient) async throws -> Void
) async throws {
    try await withBroker { broker in
        let server = try await broker.connectedClient()
        let serving = Task { try await server.serve(device, dialect, concurrency: concurrency, methods) }
        let client = try await broker.connectedClient()
        while broker.broker.statistics.subscriptions < subscriptions { await Task.yield() }
        try await body(client.device(device, dialect), client)
        serving.cancel()
        _ = await serving.result
    }
}

private let dialects: [(String, MQTTDialect)] = [
    ("devices/7", .mqtt5), ("devices/7", .mqtt5(topic: "{device}/rpc")), ("esp_1", .jsonRPC), ("shelly-1", .shelly),
    ("me", .thingsBoard), ("Device A", .thingsBoardGateway), ("zigbee2mqtt", .zigbee2MQTTBridge),
    ("any", .azureIoTHub),
]

@Suite("Calling and serving over a broker", .bounded)
struct ServeTests {
    @Test("Parameters, results, errors, unknown methods and bad parameters", arguments: dialects)
    func everyDialect(device: String, dialect: MQTTDialect) async throws {
        try await serving(device, dialect) {
            OnCall("Warm") { (point: Point) in Point(celsius: point.celsius + 1, room: "r") }
            OnCall("Fail") { () async throws -> Int in throw MQTTDeviceError(418, "teapot") }
            OnCall("Nothing") {}
        } call: { device, _ in
            #expect(
                try await device.call("Warm", Point(celsius: 20), within: .seconds(60)) == Point(celsius: 21, room: "r")
            )
            try await device.call("Nothing", within: .seconds(60))
            let teapot = try await failure { try await device.call("Fail", within: .seconds(60)) }
            #expect(teapot.code == .requestFailed)
            #expect(teapot.deviceError?.message == "teapot")
            #expect(
                try await failure { try await device.call("Missing", within: .seconds(60)) }.deviceError?.message
                    .contains("Missing") == true)
            let bad = try await failure { try await device.call("Warm", ["celsius": "hot"], within: .seconds(60)) }
            #expect(bad.code == .requestFailed)
            #expect(bad.deviceError?.message.contains("celsius") == true)
        }
    }

    @Test("Tasmota: results are named by the command, unknown commands are errors")
    func tasmota() async throws {
        try await serving("plug", .tasmota) {
            OnCall("Power") { (state: String) in state }
            OnCall("Dimmer") { (level: Int) in level }
        } call: { plug, _ in
            let power = try await plug.call("Power", "ON", within: .seconds(60))
            #expect(power == ["Power": "ON"])
            let dimmer = try await plug.call("Dimmer", 50, within: .seconds(60))
            #expect(dimmer == ["Dimmer": 50])
            #expect(
                try await failure { try await plug.call("Nonsense", within: .seconds(60)) }.deviceError?.code
                    == "Unknown")
        }
    }

    @Test("Zigbee2MQTT: the answer is the next state")
    func zigbee() async throws {
        try await serving("kitchen/lamp", .zigbee2MQTT) {
            OnCall("set") { (params: JSONValue) in ["state": params["state"] ?? "OFF", "linkquality": 9] as JSONValue }
        } call: { lamp, _ in
            let state = try await lamp.call("set", ["state": "ON"], within: .seconds(60))
            #expect(state["state"] == "ON")
        }
    }

    @Test(
        "A server lists its methods", arguments: [("RPC.List", MQTTDialect.jsonRPC), ("Shelly.ListMethods", .shelly)])
    func listing(method: String, dialect: MQTTDialect) async throws {
        try await serving("d", dialect) {
            OnCall("B") {}
            OnCall("A") {}
        } call: { device, _ in
            let list = try await device.call(method, within: .seconds(60))
            #expect((list["methods"] ?? list) == ["A", "B"])
        }
    }

    @Test("Many devices are called at once; each has one result")
    func many() async throws {
        try await withBroker { broker in
            let servers = try await broker.connectedClient()
            let names = (0..<20).map { "d\($0)" }
            let serving = Task {
                try await withThrowingTaskGroup { group in
                    for name in names {
                        group.addTask { try await servers.serve(name, .jsonRPC) { OnCall("Name") { name } } }
                    }
                    while try await group.next() != nil {}
                }
            }
            let client = try await broker.connectedClient()
            for name in names { try await client.waitForSubscriber(of: "\(name)/rpc") }
            var answers: [String: String] = [:]
            let results = try client.devices(names + ["off"], .jsonRPC).call("Name", as: String.self, atOnce: 7)
            for await result in results { answers[result.device] = (try? result.get()) ?? "\(result.outcome)" }
            #expect(answers.count == 21)
            #expect(answers["off"] == "no responder")
            for name in names { #expect(answers[name] == name) }
            serving.cancel()
            _ = await serving.result
        }
    }

    @Test("A handler may call, publish and subscribe without a deadlock")
    func reentrant() async throws {
        try await serving("d", .jsonRPC, concurrency: 1) {
            OnCall("Echo") { (text: String) in text }
        } call: { device, client in
            let outer = Task {
                try await client.serve("outer", .jsonRPC, concurrency: 1) {
                    OnCall("Ask") { () async throws -> String in
                        let first = try await client.first(from: "retained", within: .seconds(30)).text
                        try await client.publish("x", to: "somewhere", qos: .atLeastOnce)
                        return try await device.call("Echo", "heard \(first)", within: .seconds(60))
                    }
                }
            }
            try await client.publish("r", to: "retained", qos: .atLeastOnce, retain: true)
            try await client.waitForSubscriber(of: "outer/rpc")
            #expect(try await client.device("outer", .jsonRPC).call("Ask", within: .seconds(60)) == "heard r")
            outer.cancel()
            _ = await outer.result
        }
    }

    @Test("At most so many calls of a method are handled at once; other methods go on")
    func widths() async throws {
        let running = Mutex((now: 0, most: 0))
        let gate = Gate()
        try await serving("d", .jsonRPC) {
            OnCall("Slow", atOnce: 2) { () async in
                running.withLock { running in
                    running.now += 1
                    running.most = max(running.most, running.now)
                }
                await gate.wait()
                running.withLock { $0.now -= 1 }
            }
            OnCall("Quick") { 1 }
        } call: { device, _ in
            try await withThrowingTaskGroup { group in
                for _ in 0..<5 { group.addTask { try await device.call("Slow", within: .seconds(60)) } }
                try await eventually("two slow calls") { running.withLock { $0.now } == 2 }
                #expect(try await device.call("Quick", within: .seconds(60)) == 1)
                await gate.open()
                while try await group.next() != nil {}
            }
            #expect(running.withLock { $0.most } == 2)
        }
    }

    @Test("A handler that takes too long is cancelled, and the caller learns it")
    func timeLimit() async throws {
        try await serving("d", .jsonRPC) {
            OnCall("Hang", within: .milliseconds(10)) { try await Task.sleep(for: .seconds(3600)) }
        } call: { device, _ in
            let error = try await failure { try await device.call("Hang", within: .seconds(60)) }
            #expect(error.deviceError?.code == 408)
        }
    }

    @Test("A handler that ignores its cancellation does not delay the answer; the next call waits for its end")
    func ignoresCancellation() async throws {
        let gate = Gate()
        let ended = Latch()
        try await serving("d", .jsonRPC) {
            OnCall("Hang", atOnce: 1, within: .milliseconds(10)) { () async in
                await gate.wait()
                ended.raise()
            }
        } call: { device, _ in
            let error = try await failure { try await device.call("Hang", within: .seconds(60)) }
            #expect(error.deviceError?.code == 408)
            #expect(!ended.isRaised)
            await gate.open()
            try await device.call("Hang", within: .seconds(60))
            #expect(ended.isRaised)
        }
    }

    @Test("An answer that is larger than the broker accepts becomes an error")
    func largeAnswer() async throws {
        let server = ScriptedServer(patience: .seconds(60))
        let client = try server.makeClient()
        async let connected = client.connect()
        let connection = try await server.accept()
        _ = try await connection.answerConnect(
            ConnAck(reasonCode: .success, properties: Properties([.maximumPacketSize(300)])))
        _ = try await connected
        let serving = Task {
            try await client.serve("d", .mqtt5) { OnCall("Big") { String(repeating: "x", count: 1000) } }
        }
        try await connection.grantSubscribe()
        var properties = MessageProperties()
        properties.responseTopic = "answers"
        properties.correlationData = ByteBuffer(string: "1")
        try connection.publish("", to: "d/rpc/Big", qos: .atLeastOnce, properties: properties)
        let answer = try await connection.receivePublish()
        #expect(answer.topic.string == "answers")
        #expect(answer.replyError?.contains("larger") == true)
        #expect(try await connection.receiveAcknowledgement() == .success)
        serving.cancel()
        _ = await serving.result
    }

    @Test("Answers that the broker does not take are bounded by the outbox, also for requests at QoS 0")
    func boundedAnswers() async throws {
        let handled = Mutex(0)
        let server = ScriptedServer(patience: .seconds(60))
        let client = try server.makeClient { $0.queues.outboxCount = 3 }
        async let connected = client.connect()
        let connection = try await server.accept()
        _ = try await connection.answerConnect(
            ConnAck(reasonCode: .success, properties: Properties([.receiveMaximum(1)])))
        _ = try await connected
        let serving = Task {
            try await client.serve("d", .jsonRPC) { OnCall("Count") { handled.withLock { $0 += 1 } } }
        }
        try await connection.grantSubscribe()
        try await connection.grantSubscribe()
        for id in 1...20 {
            try connection.publish(#"{"id":\#(id),"src":"me","method":"Count"}"#, to: "d/rpc")
        }
        try await eventually("all calls are handled") { handled.withLock { $0 } == 20 }
        #expect(client.statistics.queuedMessages <= 3)
        serving.cancel()
        _ = await serving.result
        await client.disconnect(drain: .zero)
    }

    @Test("The expiry of a request counts from its arrival, also while it waits for a busy method")
    func expiry() async throws {
        let clock = TestClock()
        let handled = Mutex<[String]>([])
        let gate = Gate()
        let server = ScriptedServer(patience: .seconds(60))
        let (client, connection) = try await server.connectedClient(clock: clock)
        let serving = Task {
            try await client.serve("d", .jsonRPC) {
                OnCall("Slow", atOnce: 1) { (name: String) async -> String in
                    handled.withLock { $0.append(name) }
                    await gate.wait()
                    return name
                }
            }
        }
        try await connection.grantSubscribe()
        try await connection.grantSubscribe()
        func request(_ id: Int, _ name: String, expiry: UInt32?) throws {
            var properties = MessageProperties()
            properties.messageExpiryInterval = expiry
            try connection.publish(
                #"{"id":\#(id),"src":"me","method":"Slow","params":"\#(name)"}"#, to: "d/rpc", qos: .atLeastOnce,
                properties: properties)
        }
        try request(1, "first", expiry: nil)
        try request(2, "expires", expiry: 5)
        try request(3, "waits", expiry: nil)
        try await connection.sync()
        try await eventually("the first call has begun") { handled.withLock { $0 } == ["first"] }
        clock.advance(by: .seconds(6))
        await gate.open()
        // Two answers, and the acknowledgements of three requests.
        var results: [JSONValue?] = []
        var acknowledged = 0
        while results.count < 2 || acknowledged < 3 {
            switch try await connection.receive() {
            case .publish(let publish):
                let frame = try JSONDecoder().decode(JSONValue.self, from: Data(publish.payload.readableBytesView))
                results.append(frame["result"])
                try connection.send(.puback(Acknowledgement(try #require(publish.packetID))))
            case .puback: acknowledged += 1
            case let packet: Issue.record("\(packet)")
            }
        }
        #expect(results == ["first", "waits"])
        #expect(handled.withLock { $0 } == ["first", "waits"])
        serving.cancel()
        _ = await serving.result
    }

    @Test("Calls of a method with `atOnce: 1` are handled in the order of their arrival")
    func order() async throws {
        let handled = Mutex<[Int]>([])
        let server = ScriptedServer(patience: .seconds(60))
        let (client, connection) = try await server.connectedClient()
        let serving = Task {
            try await client.serve("d", .jsonRPC) {
                OnCall("Next", atOnce: 1) { (number: Int) async in
                    await Task.yield()
                    handled.withLock { $0.append(number) }
                }
            }
        }
        try await connection.grantSubscribe()
        try await connection.grantSubscribe()
        for number in 0..<200 {
            try connection.publish(#"{"method":"Next","params":\#(number)}"#, to: "d/rpc")
        }
        try await eventually("all calls are handled") { handled.withLock { $0.count } == 200 }
        #expect(handled.withLock { $0 } == Array(0..<200))
        serving.cancel()
        _ = await serving.result
    }

    @Test("Blocking calls, of one device and of many")
    func blocking() async throws {
        try await serving("d", .jsonRPC) {
            OnCall("Double") { (number: Int) in number * 2 }
        } call: { _, client in
            let answers = try await withCheckedThrowingContinuation { continuation in
                Thread.detachNewThread {
                    continuation.resume(
                        with: Result {
                            let one: Int = try client.blocking.device("d", .jsonRPC).call("Double", 2)
                            let many = try client.blocking.devices(["d", "off"], .jsonRPC).call(
                                "Double", 4, as: Int.self)
                            return [one] + many.map { (try? $0.get()) ?? -1 }.sorted()
                        })
                }
            }
            #expect(answers == [4, -1, 8])
            #expect(throws: MQTTError.self) { try client.blocking.device("d", .jsonRPC).call("Double", 2) }
        }
    }

    @Test("A request that is delivered twice is handled once and answered twice")
    func redelivery() async throws {
        let handled = Mutex(0)
        let server = ScriptedServer(patience: .seconds(60))
        let (client, connection) = try await server.connectedClient()
        let serving = Task {
            try await client.serve("d", .jsonRPC) {
                OnCall("Count") {
                    handled.withLock { count -> Int in
                        count += 1
                        return count
                    }
                }
            }
        }
        try await connection.grantSubscribe()
        try await connection.grantSubscribe()
        for _ in 0..<2 {
            try connection.publish(
                #"{"id":9007199254740991,"src":"me","method":"Count"}"#, to: "d/rpc", qos: .atLeastOnce)
            let answer = try await connection.receivePublish()
            #expect(answer.topic.string == "me/rpc")
            #expect(try answer.decode(JSONValue.self)["result"] == 1)
            // The request is acknowledged after its answer.
            #expect(try await connection.receiveAcknowledgement() == .success)
        }
        #expect(handled.withLock { $0 } == 1)
        serving.cancel()
        _ = await serving.result
    }

    @Test("Bad arguments are refused before anything is sent")
    func badArguments() async throws {
        try await withBroker { broker in
            let client = try await broker.connectedClient()
            #expect(
                try await failure { try await client.serve("d", .jsonRPC, concurrency: 0) { OnCall("A") {} } }.code
                    == .invalidArgument)
            #expect(
                try await failure { try await client.serve("d", .jsonRPC) { OnCall("A", atOnce: 0) {} } }.code
                    == .invalidArgument)
            #expect(
                try await failure { try await client.serve("d/+", .jsonRPC) { OnCall("A") {} } }.code == .invalidTopic)
        }
    }
}

/// Lets tasks wait until it is opened.
private actor Gate {
    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func wait() async {
        guard !self.isOpen else { return }
        await withCheckedContinuation { self.waiting.append($0) }
    }

    func open() {
        self.isOpen = true
        for continuation in self.waiting { continuation.resume() }
        self.waiting = []
    }
}
