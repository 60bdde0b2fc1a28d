import CurlewCore
import CurlewTesting
import NIOCore
import Testing

@testable import Curlew

@Suite("Limits of hosted services")
struct ServiceLimitsTests {
    private let limits = MQTTConfiguration.ServiceLimits.awsIoT

    private func check(_ topic: String, size: Int = 0, _ qos: QoS = .atLeastOnce) throws(MQTTError) {
        let name: TopicName
        do { name = try TopicName(topic) } catch { throw MQTTError(.invalidArgument, "\(error)") }
        try self.limits.check(name, payload: ByteBuffer(repeating: 0x61, count: size), qos)
    }

    @Test("What AWS IoT Core accepts passes")
    func accepted() throws {
        try self.check("a/b/c/d/e/f/g/h", size: 131_072)
        try self.check(String(repeating: "x", count: 256), .atMostOnce)
        // The first three levels of Basic Ingest do not count.
        try self.check("$aws/rules/my_rule/a/b/c/d/e/f/g/h")
        try self.check("$aws/rules/my_rule/" + String(repeating: "x", count: 256))
        try self.limits.check(topicFilter("$share/group/a/+/c/d/e/f/g/#"))
    }

    @Test(
        "What AWS IoT Core does not accept is refused in one sentence that names it",
        arguments: [
            ("a", 131_073, QoS.atMostOnce, MQTTError.Code.packetTooLarge, "131072 bytes"),
            ("a", 0, .exactlyOnce, .notSupportedByServer, "above QoS 1"),
            ("a/b/c/d/e/f/g/h/i", 0, .atMostOnce, .invalidTopic, "7 slashes"),
            ("$aws/rules/my_rule/a/b/c/d/e/f/g/h/i", 0, .atMostOnce, .invalidTopic, "7 slashes"),
            (String(repeating: "x", count: 257), 0, .atMostOnce, .invalidTopic, "256 bytes"),
        ] as [(String, Int, QoS, MQTTError.Code, String)])
    func refused(topic: String, size: Int, qos: QoS, code: MQTTError.Code, words: String) {
        expectError(code, mentioning: ["AWS IoT Core", words]) { () throws(MQTTError) in
            try self.check(topic, size: size, qos)
        }
    }

    @Test("Configuration and subscriptions are checked, too")
    func others() throws {
        func configuration(_ change: (inout MQTTConfiguration) -> Void) -> MQTTConfiguration {
            var configuration = MQTTConfiguration()
            configuration.clientIdentifier = .given("c")
            configuration.serviceLimits = self.limits
            change(&configuration)
            return configuration
        }
        try configuration { $0.clientIdentifier = .given(String(repeating: "x", count: 128)) }.validate()
        let cases: [(String, (inout MQTTConfiguration) -> Void)] = [
            ("128 bytes", { $0.clientIdentifier = .given(String(repeating: "x", count: 129)) }),
            ("keep-alive", { $0.connection.keepAlive = .seconds(29) }),
            ("keep-alive", { $0.connection.keepAlive = .zero }),
            ("The will", { $0.will = .init(topic: "w", payload: ByteBuffer(string: "x"), qos: .exactlyOnce) }),
            ("publishesPerSecond", { $0.serviceLimits.publishesPerSecond = 0 }),
        ]
        for (words, change) in cases {
            expectError(.invalidConfiguration, mentioning: [words]) { () throws(MQTTError) in
                try configuration(change).validate()
            }
        }
        expectError(.invalidTopic, mentioning: ["7 slashes"]) { () throws(MQTTError) in
            try self.limits.check(topicFilter("a/b/c/d/e/f/g/h/#"))
        }
    }

    @Test("Nothing that the service refuses is sent, and the connection goes on", .bounded)
    func sent() async throws {
        let server = ScriptedServer(patience: .seconds(60))
        let (client, connection) = try await server.connectedClient { $0.serviceLimits = .awsIoT }
        for error in [
            try await failure { try await client.publish("x", to: "a", qos: .exactlyOnce) },
            try await failure { try await client.publish("x", to: "a/b/c/d/e/f/g/h/i") },
            try await failure { try await client.subscribe(to: "a/b/c/d/e/f/g/h/#") },
        ] { #expect(error.message.contains("AWS IoT Core") && error.delivery == .notSent, "\(error)") }
        async let published = client.publish("y", to: "a", qos: .atLeastOnce)
        #expect(try await connection.receivePublish().text == "y")
        _ = try await published
        async let subscription = client.subscribe(to: "a", options: .init(qos: .exactlyOnce))
        let subscribe = try await connection.receiveSubscribe()
        #expect(subscribe.subscriptions.map(\.options.qos) == [.atLeastOnce])
        try connection.send(.suback(SubAck(subscribe.packetID, [.grantedQoS1])))
        _ = try await subscription
    }

    @Test("Above the rate, publishes wait for the next second, and none is lost", .bounded)
    func paced() async throws {
        let server = ScriptedServer(patience: .seconds(60))
        let clock = TestClock()
        let (client, connection) = try await server.connectedClient(clock: clock) {
            $0.serviceLimits.publishesPerSecond = 3
            $0.connection.keepAlive = .zero
        }
        for number in 1...7 { try client.enqueue("\(number)", to: "a", qos: .atLeastOnce) }
        for number in 1...3 { #expect(try await connection.receivePublish().text == "\(number)") }
        // Nothing else has been sent by now.
        try await connection.sync()
        clock.advance(by: .milliseconds(999))
        try await connection.sync()
        clock.advance(by: .milliseconds(1))
        for number in 4...6 { #expect(try await connection.receivePublish().text == "\(number)") }
        try await connection.sync()
        clock.advance(by: .seconds(1))
        #expect(try await connection.receivePublish().text == "7")
    }
}

private func topicFilter(_ text: String) throws(MQTTError) -> TopicFilter {
    do { return try TopicFilter(text) } catch { throw MQTTError(.invalidTopic, "\(error)") }
}
