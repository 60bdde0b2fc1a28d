import Curlew
import CurlewBroker
import CurlewTesting
import Testing

@Suite(.timeLimit(.minutes(1))) struct SmokeTests {
    // Over TCP [MQTT-7.1.1-1].
    @Test(arguments: [QoS.atMostOnce, .atLeastOnce, .exactlyOnce], [ProtocolVersion.v3_1, .v3_1_1, .v5_0])
    func `a message goes from one client to another`(qos: QoS, version: ProtocolVersion) async throws {
        try await withBroker { broker in
            let subscriber = try await broker.connectedClient() { $0.connection.version = .exactly(version) }
            let publisher = try await broker.connectedClient() { $0.connection.version = .exactly(version) }
            let messages = try await subscriber.subscribe(to: "a/+", options: SubscriptionOptions(qos: qos))
            try await publisher.publish("hello", to: "a/b", qos: qos)
            var iterator = messages.makeAsyncIterator()
            let message = try await iterator.next()
            #expect(message?.text == "hello")
            #expect(message?.qos == qos)
        }
    }

    @Test func `a connection that is refused takes no place`() async throws {
        try await withBroker({ $0.limits.maximumConnections = 1 }) { broker in
            let first = try await broker.connectedClient()
            for _ in 0..<5 {
                await #expect(throws: MQTTError.self) {
                    try await broker.connectedClient { $0.reconnect.isEnabled = false }
                }
            }
            await first.disconnect()
            // Until the broker has noticed the end of the first connection.
            while (try? await broker.connectedClient { $0.reconnect.isEnabled = false }) == nil {
                try await letOthersRun()
            }
        }
    }

    @Test func `ten thousand messages arrive in order`() async throws {
        try await withBroker { broker in
            let subscriber = try await broker.connectedClient()
            let publisher = try await broker.connectedClient()
            let messages = try await subscriber.subscribe(to: "n", options: SubscriptionOptions(qos: .atLeastOnce))
            async let received = {
                var texts: [String] = []
                for try await message in messages {
                    texts.append(message.text)
                    if texts.count == 10_000 { break }
                }
                return texts
            }()
            for number in 0..<10_000 { try await publisher.publish("\(number)", to: "n", qos: .atLeastOnce) }
            #expect(try await received == (0..<10_000).map(String.init))
        }
    }
}
