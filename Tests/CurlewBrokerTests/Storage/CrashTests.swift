import Curlew
import CurlewBroker
import CurlewTesting
import CurlewTransport
import Testing

@Suite("A broker that crashes", .timeLimit(.minutes(2)))
struct CrashTests {
    private let network = InMemoryNetwork()
    private let endpoint = Endpoint(host: "broker", port: 1883)

    private func client(_ identifier: String) throws -> MQTTClient {
        var configuration = MQTTConfiguration(server: .mqtt("broker"))
        configuration.connectorOverride = self.network
        configuration.clientIdentifier = .given(identifier)
        configuration.session.cleanStart = false
        configuration.reconnect.floor = .milliseconds(1)
        configuration.reconnect.base = .milliseconds(2)
        configuration.reconnect.cap = .milliseconds(10)
        return try MQTTClient(configuration)
    }

    private func startBroker(_ store: GatedStore) async throws -> MQTTBroker {
        var configuration = MQTTBrokerConfiguration(listeners: [.inMemory(self.network, at: self.endpoint)])
        configuration.systemTopicInterval = .zero
        configuration.store = store
        let broker = MQTTBroker(configuration)
        try await broker.start()
        return broker
    }

    @Test(
        "Exactly once stays exactly once, and at least once at least once, whenever the broker crashes",
        arguments: 1...8)
    func crashes(seed: Int) async throws {
        var store = GatedStore()
        var broker = try await self.startBroker(store)
        let (publisher, subscriber) = (try self.client("publisher"), try self.client("subscriber"))
        try await publisher.connect()
        try await subscriber.connect()
        let messages = try await subscriber.subscribe(to: "t/#")
        let receiving = Task {
            var received: [String: Int] = [:]
            for try await message in messages {
                if message.text == "end" { break }
                received[message.text, default: 0] += 1
            }
            return received
        }
        // Each of these needs two commits after another; so all crashes below come before the end.
        let publishing = Task {
            try await withThrowingTaskGroup { lanes in
                for (lane, qos) in [QoS.exactlyOnce, .exactlyOnce, .atLeastOnce].enumerated() {
                    lanes.addTask {
                        for number in 0..<80 {
                            try await publisher.publish("\(qos.rawValue):\(lane):\(number)", to: "t/\(lane)", qos: qos)
                        }
                    }
                }
                try await lanes.waitForAll()
            }
        }
        for crash in 1...6 {
            store.change { $0.commitsLeft = 1 + (seed * 7 + crash * 5) % 19 }
            try await store.wait(for: "the crash") { $0.failures > 0 }
            await broker.stop()
            store = GatedStore(store.now.kept)
            broker = try await self.startBroker(store)
        }
        try await publishing.value
        try await publisher.publish("end", to: "t/end", qos: .exactlyOnce)
        let received = try await receiving.value
        #expect(received.count == 240)
        for (text, count) in received { #expect(text.hasPrefix("2:") ? count == 1 : count >= 1, "\(text)") }
        await publisher.disconnect()
        await subscriber.disconnect()
        await broker.stop()
    }
}
