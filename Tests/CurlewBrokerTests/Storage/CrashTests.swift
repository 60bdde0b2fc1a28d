import Curlew
import CurlewBroker
import CurlewTesting
import CurlewTransport
import Testing

@Suite("Broker crashes", .timeLimit(.minutes(2)))
struct CrashTests {
    private let network = InMemoryNetwork()
    /// Each host has a listener on its own event loop.
    private let hosts = ["a", "b", "c"]

    private func client(_ identifier: String, at host: String) throws -> MQTTClient {
        var configuration = MQTTConfiguration(server: .mqtt(host))
        configuration.connectorOverride = self.network
        configuration.clientIdentifier = .given(identifier)
        configuration.session.cleanStart = false
        configuration.reconnect.minimumDelay = .milliseconds(1)
        configuration.reconnect.initialDelay = .milliseconds(2)
        configuration.reconnect.maximumDelay = .milliseconds(10)
        return try MQTTClient(configuration)
    }

    private func startBroker(_ store: GatedStore) async throws -> MQTTBroker {
        var configuration = MQTTBrokerConfiguration(
            listeners: self.hosts.map { .inMemory(self.network, at: Endpoint(host: $0, port: 1883)) })
        configuration.systemTopicInterval = .zero
        configuration.store = store
        let broker = MQTTBroker(configuration)
        try await broker.start()
        return broker
    }

    @Test(
        "QoS 2 messages arrive exactly once, and QoS 1 messages at least once, whenever the broker crashes",
        arguments: 1...8)
    func crashes(seed: Int) async throws {
        var store = GatedStore()
        var broker = try await self.startBroker(store)
        let subscriber = try self.client("subscriber", at: "c")
        try await subscriber.connect()
        var publishers: [MQTTClient] = []
        for host in ["a", "b", "b"] {
            let publisher = try self.client("publisher-\(publishers.count)", at: host)
            try await publisher.connect()
            publishers.append(publisher)
        }
        let messages = try await subscriber.subscribe(to: "t/#")
        let receiving = Task {
            var received: [String: Int] = [:]
            for try await message in messages {
                if message.text == "end" { break }
                received[message.text, default: 0] += 1
            }
            return received
        }
        // Each message needs two commits in sequence, so all the crashes below happen before the last message.
        let publishing = Task { [publishers] in
            try await withThrowingTaskGroup { lanes in
                for (lane, qos) in [QoS.exactlyOnce, .exactlyOnce, .atLeastOnce].enumerated() {
                    lanes.addTask {
                        for number in 0..<80 {
                            try await publishers[lane].publish(
                                "\(qos.rawValue):\(lane):\(number)", to: "t/\(lane)", qos: qos)
                        }
                    }
                }
                try await lanes.waitForAll()
            }
        }
        for crash in 1...6 {
            store.change {
                $0.commitsLeft = 1 + (seed * 7 + crash * 5) % 19
                $0.keepsFirstFailure = crash % 2 == 0
            }
            try await store.wait(for: "the crash") { $0.failures > 0 }
            await broker.stop()
            store = GatedStore(store.now.kept)
            broker = try await self.startBroker(store)
        }
        try await publishing.value
        try await publishers[0].publish("end", to: "t/end", qos: .exactlyOnce)
        let received = try await receiving.value
        #expect(received.count == 240)
        for (text, count) in received { #expect(text.hasPrefix("2:") ? count == 1 : count >= 1, "\(text)") }
        for publisher in publishers { await publisher.disconnect() }
        await subscriber.disconnect()
        await broker.stop()
    }
}
