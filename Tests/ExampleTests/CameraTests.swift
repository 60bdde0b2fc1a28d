import Curlew
import CurlewTesting
import Foundation
import MosquittoFixture
import ServiceLifecycle
import Testing
import UnixSignals

/// One after the other: a signal reaches all cameras of the process.
@Suite("A camera and a web service on AWS IoT Core", .bounded, .serialized)
struct CameraTests {
    /// Runs a camera until `signal`, and a client that watches it.
    private func run(_ configuration: MQTTConfiguration, watchedBy client: MQTTClient, until signal: UnixSignal)
        async throws
    {
        // Without a handler, a signal would end the tests.
        let handler = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let (motions, detector) = AsyncStream<String>.makeStream()
        let (commands, log) = (Record(), Record())
        let events = try await client.subscribe(to: "cameras/+/event")
        let camera = Task {
            try await runCamera(configuration, topic: "cameras/7", motions: motions, logger: log.logger) {
                commands.add($0)
            }
        }
        detector.yield("cat")
        #expect(try await events.next(within: .seconds(60))?.text == "cat")
        try await client.waitForSubscriber(of: "cameras/7/command", "zoom")
        try await commands.wait(for: "zoom")
        try await log.wait(for: "info reported motion=cat")
        kill(getpid(), signal.rawValue)
        try await camera.value
        #expect(try await client.publish("zoom", to: "cameras/7/command", qos: .atLeastOnce) == .noMatchingSubscribers)
        #expect(!log.all.contains { $0.hasPrefix("warning") || $0.hasPrefix("error") })
        withExtendedLifetime(handler) {}
    }

    #if AWS && Accounts
    @Test(
        "On AWS IoT Core, with the certificate from the environment", arguments: [UnixSignal.sigint, .sigterm])
    func aws(_ signal: UnixSignal) async throws {
        try await withAWSIoT { aws in
            var configuration = try MQTTConfiguration.awsIoT(environment: aws.environment(clientIdentifier: "camera-7"))
            aws.redirect(&configuration)
            let service = try MQTTClient(aws.configuration(clientIdentifier: "service"))
            try await service.connect()
            try await self.run(configuration, watchedBy: service, until: signal)
            await service.disconnect()
            #expect(aws.violations.isEmpty)
        }
    }
    #endif

    @Test(
        "On another broker with client certificates, from the files that the environment names",
        arguments: ExampleBroker.available)
    func files(_ broker: ExampleBroker) async throws {
        try await broker.run(.mutualTLS) { broker in
            var configuration = try MQTTConfiguration.awsIoT(environment: [
                "AWS_IOT_CORE_ENDPOINT": "127.0.0.1", "AWS_IOT_CLIENT_ID": "camera-7",
                "AWS_IOT_PATH_TO_CERT": Certificates.certificate("client"),
                "AWS_IOT_PATH_TO_KEY": Certificates.key("client"),
                "AWS_IOT_PATH_TO_ROOT_CERT": Certificates.authority,
            ])
            configuration.servers[0].port = broker.port
            try await self.run(configuration, watchedBy: broker.connectedClient(), until: .sigterm)
        }
    }

    @Test("A motion that cannot be published is logged, and the camera goes on", arguments: ExampleBroker.available)
    func tooLarge(_ broker: ExampleBroker) async throws {
        try await broker.run { broker in
            let client = try await broker.connectedClient { $0.serviceLimits = .awsIoT }
            let (motions, detector) = AsyncStream<String>.makeStream()
            let log = Record()
            detector.yield(String(repeating: "x", count: 200 << 10))  // too large for AWS IoT Core
            detector.yield("cat")
            detector.finish()
            try await Camera(client: client, topic: "cameras/7", motions: motions, logger: log.logger) { _ in }.run()
            #expect(log.all.last == "info reported motion=cat")
            #expect(log.all.first?.hasPrefix("warning not reported") == true)
        }
    }

    @Test("When the motions end, so does the program", arguments: ExampleBroker.available)
    func end(_ broker: ExampleBroker) async throws {
        try await broker.run { broker in
            let client = try await broker.connectedClient()
            let events = try await client.subscribe(to: "cameras/+/event")
            let (motions, detector) = AsyncStream<String>.makeStream()
            detector.yield("cat")
            detector.finish()
            try await runCamera(
                MQTTConfiguration(url: broker.url), topic: "cameras/7", motions: motions, logger: Record().logger
            ) { _ in }
            #expect(try await events.next(within: .seconds(60))?.text == "cat")
        }
    }

    @Test("The web service hands messages to the handlers of their topics", arguments: ExampleBroker.available)
    func handlers(_ broker: ExampleBroker) async throws {
        try await broker.run { broker in
            let camera = try await broker.connectedClient()
            let client = try MQTTClient(broker.url)
            let (events, errors) = (Record(), Record())
            let handlers = MessageHandlers(
                client: client,
                handlers: [
                    "cameras/+/event": { events.add("\($0.topic) \($0.text)") },
                    "cameras/+/error": { errors.add($0.text) },
                ])
            let group = ServiceGroup(services: [client, handlers], logger: Record().logger)
            let running = Task { try await group.run() }
            try await camera.waitForSubscriber(of: "cameras/7/error", "dark")
            try await camera.waitForSubscriber(of: "cameras/7/event", "cat")
            try await errors.wait(for: "dark")
            try await events.wait(for: "cameras/7/event cat")
            await group.triggerGracefulShutdown()
            try await running.value
            #expect(client.state == .disconnected)
        }
    }

    @Test("The web service can be stopped before it has a connection")
    func stopped() async throws {
        let client = try MQTTClient("mqtt://127.0.0.1:1")
        let handlers = MessageHandlers(client: client, handlers: ["cameras/+/event": { _ in }])
        let group = ServiceGroup(services: [client, handlers], logger: Record().logger)
        let running = Task { try await group.run() }
        try await eventually("an attempt to connect") { client.state == .connecting }
        await group.triggerGracefulShutdown()
        try await running.value
    }
}
