import Curlew
import Testing

@Suite("Programs that listen to sensors", .bounded)
struct ListenerTests {
    /// Runs the client of a listener and that of a sensor.
    private func run(
        _ broker: ExampleBroker, _ test: (_ client: MQTTClient, _ sensor: MQTTClient) async throws -> Void
    ) async throws {
        try await broker.run { broker in
            let sensor = try await broker.connectedClient()
            try await test(broker.connectedClient(), sensor)
        }
    }

    @Test("It filters messages by topic, until its task is cancelled", arguments: ExampleBroker.available)
    func topics(_ broker: ExampleBroker) async throws {
        let shown = Record()
        try await self.run(broker) { client, sensor in
            let listening = startListening(client) { shown.add($0) }
            try await sensor.waitForSubscriber(of: "temperature/ready")
            try await sensor.publish("60", to: "humidity/inside", qos: .atLeastOnce)
            try await sensor.publish("70", to: "humidity/outside", qos: .atLeastOnce)
            try await sensor.publish("5", to: "temperature/outside", qos: .atLeastOnce)
            try await shown.wait(for: "C: 5")
            #expect(shown.all.filter { $0 != "C: ready?" } == ["A: 60", "B: 70", "B: 5", "C: 5"])
            listening.cancel()
            try await listening.value
            while try await sensor.publish("5", to: "temperature/a", qos: .atLeastOnce) != .noMatchingSubscribers {}
        }
    }

    @Test("Queues: the oldest first, the newest first, or by priority", arguments: ExampleBroker.available)
    func order(_ broker: ExampleBroker) async throws {
        let orders = [
            (oldestFirst, ["1", "2", "3", "4"]), (newestFirst, ["4", "3", "2", "1"]),
            (humidityFirst, ["2", "4", "1", "3"]),
        ]
        try await self.run(broker) { client, sensor in
            for (queue, expected) in orders {
                let subscription = try await subscribe(client, queue)
                for (number, kind) in zip(1..., ["temperature", "humidity", "temperature", "humidity"]) {
                    try await sensor.publish("\(number)", to: "\(kind)/inside", qos: .atLeastOnce)
                }
                try await eventually("four messages") { subscription.queuedCount == 4 }
                var texts: [String] = []
                while let message = try await subscription.next(within: .zero) { texts.append(message.text) }
                #expect(texts == expected)
                try await subscription.unsubscribe()
            }
        }
    }

    @Test("A full queue drops what does not fit", arguments: ExampleBroker.available)
    func bound(_ broker: ExampleBroker) async throws {
        try await self.run(broker) { client, sensor in
            for (queue, first) in [(oldestFirst, "0"), (newestFirst, "99"), (humidityFirst, "0")] {
                let subscription = try await subscribe(client, queue)
                for number in 0..<110 { try sensor.enqueue("\(number)", to: "humidity/inside", qos: .atLeastOnce) }
                try await eventually("ten dropped messages") { subscription.droppedCount == 10 }
                #expect(try await subscription.next(within: .zero)?.text == first)
                while try await subscription.next(within: .zero) != nil {}  // none is left for the next subscription
                try await subscription.unsubscribe()
            }
        }
    }

    @Test("Each message in its own task: the first does not delay the others", arguments: ExampleBroker.available)
    func tasks(_ broker: ExampleBroker) async throws {
        let shown = Record()
        let isSlow: @Sendable (String) async throws -> Void = { text in
            if text == "slow" { try await shown.wait(for: "quick") }
            shown.add(text)
        }
        try await self.run(broker) { client, sensor in
            let listening = Task { try await concurrently(client, show: isSlow) }
            try await sensor.waitForSubscriber(of: "temperature/a")
            try await sensor.publish("slow", to: "temperature/a", qos: .atLeastOnce)
            try await sensor.publish("quick", to: "temperature/b", qos: .atLeastOnce)
            try await shown.wait(for: "slow")
            #expect(shown.all.suffix(2) == ["quick", "slow"])
            listening.cancel()
            try await listening.value
        }
    }

    @Test("Families of topics at the same time, and each in order", arguments: ExampleBroker.available)
    func workers(_ broker: ExampleBroker) async throws {
        let shown = Record()
        let isSlow: @Sendable (String) async throws -> Void = { text in
            if text == "humidity 1" { try await shown.wait(for: "temperature 3") }
            shown.add(text)
        }
        try await self.run(broker) { client, sensor in
            let listening = Task { try await families(client, show: isSlow) }
            try await sensor.waitForSubscriber(of: "temperature/a")
            try await sensor.waitForSubscriber(of: "humidity/a")
            for family in ["humidity", "temperature"] {
                for number in 1...3 { try await sensor.publish("\(number)", to: "\(family)/a", qos: .atLeastOnce) }
            }
            try await shown.wait(for: "humidity 3")
            let expected = ["temperature", "humidity"].flatMap { family in (1...3).map { "\(family) \($0)" } }
            #expect(shown.all.filter { !$0.hasSuffix("ready?") } == expected)
            listening.cancel()
            try await listening.value
        }
    }

    @Test("It listens next to other work, and for some time", arguments: ExampleBroker.available)
    func time(_ broker: ExampleBroker) async throws {
        let shown = Record()
        try await self.run(broker) { client, sensor in
            try await listen(client) {
                try await sensor.waitForSubscriber(of: "temperature/outside", "5")
                try await shown.wait(for: "C: 5")
                await client.disconnect()
            } show: {
                shown.add($0)
            }
            try await client.connect()
            let start = ContinuousClock.now
            async let listening: Void = listen(client, for: .seconds(2)) { shown.add($0) }
            try await sensor.waitForSubscriber(of: "humidity/inside", "60")
            try await listening
            #expect(ContinuousClock.now - start >= .seconds(2))
            #expect(shown.all.last == "60")
        }
    }

    @Test("Several tasks publish over one connection", arguments: ExampleBroker.available)
    func lamps(_ broker: ExampleBroker) async throws {
        try await self.run(broker) { client, watcher in
            let states = try await watcher.subscribe(to: "lamps/+")
            try await switchOn(["hall", "kitchen", "garage"], client)
            var lamps: Set<String> = []
            while lamps.count < 3 {
                let message = try #require(try await states.next(within: .seconds(60)))
                lamps.insert("\(message.topic) \(message.text)")
            }
            #expect(lamps == ["lamps/hall on", "lamps/kitchen on", "lamps/garage on"])
        }
    }

    @Test("A second run gets what arrived after the first one", arguments: ExampleBroker.available)
    func orders(_ broker: ExampleBroker) async throws {
        try await broker.run { broker in
            let shop = try await broker.connectedClient()
            let handled = Record()
            let first = try makeOrderClient(broker.url)
            let handling = Task { try await handleOrders(first) { handled.add($0) } }
            try await shop.waitForSubscriber(of: "orders/1", "apples")
            try await handled.wait(for: "apples")
            await first.disconnect()
            try await handling.value
            #expect(try await shop.publish("pears", to: "orders/2", qos: .atLeastOnce) == .success)
            let second = try makeOrderClient(broker.url)
            let handlingAgain = Task { try await handleOrders(second) { handled.add($0) } }
            try await handled.wait(for: "pears")
            await second.disconnect(sessionExpiry: .withConnection)
            try await handlingAgain.value
            #expect(handled.all.last == "pears")
        }
    }
}
