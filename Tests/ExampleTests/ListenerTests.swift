import Curlew
import Testing

@Suite("Programs that listen to sensors", .bounded)
struct ListenerTests {
    /// Runs a listener and the client of a sensor.
    private func run(
        _ broker: ExampleBroker, show: @escaping @Sendable (String) async throws -> Void = { _ in },
        _ test: (_ listener: Listener, _ sensor: MQTTClient) async throws -> Void
    ) async throws {
        try await broker.run { broker in
            let sensor = try await broker.connectedClient()
            try await test(Listener(client: broker.connectedClient(), show: show), sensor)
        }
    }

    @Test("It filters messages by topic, until its task is cancelled", arguments: ExampleBroker.available)
    func listen(_ broker: ExampleBroker) async throws {
        let shown = Record()
        try await self.run(broker, show: { shown.add($0) }) { listener, sensor in
            let listening = listener.startListening()
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
    func queues(_ broker: ExampleBroker) async throws {
        let orders = [
            (Listener.oldestFirst, ["1", "2", "3", "4"]), (Listener.newestFirst, ["4", "3", "2", "1"]),
            (Listener.humidityFirst, ["2", "4", "1", "3"]),
        ]
        try await self.run(broker) { listener, sensor in
            for (queue, expected) in orders {
                let subscription = try await listener.subscribe(queue)
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
        try await self.run(broker) { listener, sensor in
            let subscription = try await listener.subscribe(Listener.oldestFirst)
            for number in 0..<110 { try sensor.enqueue("\(number)", to: "humidity/inside", qos: .atLeastOnce) }
            try await eventually("ten dropped messages") { subscription.droppedCount == 10 }
            #expect(try await subscription.next(within: .zero)?.text == "0")
        }
    }

    @Test("Each message in its own task: the first does not delay the others", arguments: ExampleBroker.available)
    func tasks(_ broker: ExampleBroker) async throws {
        let shown = Record()
        let isSlow: @Sendable (String) async throws -> Void = { text in
            if text == "slow" { try await shown.wait(for: "quick") }
            shown.add(text)
        }
        try await self.run(broker, show: isSlow) { listener, sensor in
            let listening = Task { try await listener.concurrently() }
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
    func families(_ broker: ExampleBroker) async throws {
        let shown = Record()
        let isSlow: @Sendable (String) async throws -> Void = { text in
            if text == "humidity 1" { try await shown.wait(for: "temperature 3") }
            shown.add(text)
        }
        try await self.run(broker, show: isSlow) { listener, sensor in
            let listening = Task { try await listener.families() }
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

    @Test("It listens beside other work, and as long as it wants", arguments: ExampleBroker.available)
    func beside(_ broker: ExampleBroker) async throws {
        let shown = Record()
        try await self.run(broker, show: { shown.add($0) }) { listener, sensor in
            try await listener.listenBeside {
                try await sensor.waitForSubscriber(of: "temperature/outside", "5")
                try await shown.wait(for: "C: 5")
                await listener.client.disconnect()
            }
            try await listener.client.connect()
            let start = ContinuousClock.now
            async let listening: Void = listener.listen(for: .seconds(2))
            try await sensor.waitForSubscriber(of: "humidity/inside", "60")
            try await listening
            #expect(ContinuousClock.now - start >= .seconds(2))
            #expect(shown.all.last == "60")
        }
    }
}
