#if AWS && Accounts
import CurlewTesting
import Synchronization
import Testing

@testable import Curlew

@Suite("AWS IoT Core, with its stand-in", .bounded)
struct TestAWSIoTTests {
    /// Publishes and receives one message.
    private func roundTrip(_ configuration: MQTTConfiguration) async throws {
        try await MQTTClient.withConnection(configuration) { client in
            let subscription = try await client.subscribe(to: "cameras/+/event")
            try await client.publish("motion", to: "cameras/7/event", qos: .atLeastOnce)
            var messages = subscription.makeAsyncIterator()
            #expect(try await messages.next()?.text == "motion")
        }
    }

    @Test("A device with a certificate, on both ports, and from the environment")
    func certificates() async throws {
        try await withAWSIoT { aws in
            try await self.roundTrip(aws.configuration(clientIdentifier: "camera-7"))
            try await self.roundTrip(aws.configuration(clientIdentifier: "camera-7", port: 443))
            var configuration = try MQTTConfiguration.awsIoT(
                environment: aws.environment(clientIdentifier: "camera-8"))
            aws.redirect(&configuration)
            try await self.roundTrip(configuration)
            #expect(aws.violations.isEmpty)
        }
    }

    @Test("MQTT over WebSocket with a signature, which is created for each connection")
    func signatures() async throws {
        try await withAWSIoT { aws in
            let asked = Mutex(0)
            let credentials = aws.credentials
            var configuration = try aws.configuration(
                clientIdentifier: "service",
                authentication: .signature(
                    credentials: .custom {
                        asked.withLock { $0 += 1 }
                        return credentials
                    }, region: aws.region))
            try await self.roundTrip(configuration)
            try await self.roundTrip(configuration)
            #expect(asked.withLock { $0 } == 2)
            #expect(aws.violations.isEmpty)

            var wrong = credentials
            wrong.secretAccessKey = "wrong"
            configuration = try aws.configuration(
                clientIdentifier: "service", authentication: .signature(credentials: .fixed(wrong), region: aws.region))
            let client = try MQTTClient(configuration)
            let error = try await failure { try await client.connect() }
            #expect(error.message.contains("403") && error.message.contains("AWS credentials"), "\(error)")
            #expect(aws.violations == ["The signature does not match the request."])
        }
    }

    @Test("A custom authorizer gets the user name with its parameters, and the password")
    func customAuthorizer() async throws {
        try await withAWSIoT(authorizer: { username, password in
            username == "me?x-amz-customauthorizer-name=auth" && password == "p"
        }) { aws in
            try await self.roundTrip(
                aws.configuration(
                    clientIdentifier: "c", authentication: .customAuthorizer("auth", username: "me", password: "p")))
            let client = try MQTTClient(
                aws.configuration(clientIdentifier: "c", authentication: .customAuthorizer("auth", username: "you")))
            let error = try await failure { try await client.connect() }
            #expect(error.reasonCode == .notAuthorized, "\(error)")
        }
    }

    @Test("A program without the limits of AWS IoT Core is told what it does wrong")
    func violations() async throws {
        try await withAWSIoT { aws in
            var configuration = try aws.configuration(clientIdentifier: "c")
            configuration.serviceLimits = .init()
            configuration.reconnect = .disabled
            let client = try MQTTClient(configuration)
            try await client.connect()
            let deep = try await failure { try await client.publish("x", to: "a/b/c/d/e/f/g/h/i", qos: .atLeastOnce) }
            #expect(deep.reasonCode == .notAuthorized)
            let large = String(repeating: "x", count: 131_073)
            let tooLarge = try await failure { try await client.publish(large, to: "a", qos: .atLeastOnce) }
            #expect(tooLarge.reasonCode == .quotaExceeded)
            #expect(aws.violations.count == 2, "\(aws.violations)")
            let qos = try await failure { try await client.publish("x", to: "a", qos: .exactlyOnce) }
            #expect(qos.code == .notSupportedByServer, "\(qos)")
            await client.disconnect()

            var unknown = try aws.configuration(clientIdentifier: "c", port: 443)
            unknown.tls.applicationProtocols = []
            let other = try MQTTClient(unknown)
            let error = try await failure { try await other.connect() }
            #expect(error.reasonCode == .notAuthorized, "\(error)")
            #expect(aws.violations.count == 3)
        }
    }
}
#endif
