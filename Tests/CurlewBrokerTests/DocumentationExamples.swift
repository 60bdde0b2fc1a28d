import Curlew
import CurlewBroker
import CurlewTesting
import Logging
import ServiceLifecycle
import Testing
import UnixSignals

// The examples of the articles in Sources/CurlewBroker/CurlewBroker.docc and Sources/CurlewTesting/CurlewTesting.docc that
// are not in the README or in docs/; scripts/check-readme compares them with the articles. Those of the broker only have
// to compile: other tests cover what they do.

// MARK: - Embedding a broker

private func start() async throws {
    // README: broker-start
    let broker = MQTTBroker()
    try await broker.start()

    for await message in try await broker.subscribe(to: "home/#") {
        print(message.topic, message.text)
    }
    // README end
}

private func listeners() async throws -> MQTTBroker {
    // README: broker-listeners
    var tls = MQTTBrokerConfiguration.TLS(certificate: .init(chain: .file("cert.pem"), key: .file("key.pem")))
    tls.minimumVersion = .tls13
    let configuration = MQTTBrokerConfiguration(listeners: [
        .tcp(),  // 127.0.0.1, port 1883
        .tcp(host: "*", tls: tls),  // all addresses of the machine, port 8883
        .webSocket(port: 8083, settings: .init(paths: ["/mqtt"])),
        .unix(path: "/run/app.sock", permissions: 0o660),
    ])
    let broker = MQTTBroker(configuration, logger: Logger(label: "broker"))
    try await broker.start()
    // README end
    return broker
}

private func service(_ broker: MQTTBroker, _ application: any Service, _ logger: Logger) async throws {
    // README: broker-service
    try await ServiceGroup(
        services: [broker, application], gracefulShutdownSignals: [.sigterm], logger: logger
    ).run()
    // README end
}

private func messages(_ broker: MQTTBroker) async throws {
    // README: broker-messages
    let receivers = try await broker.publish("on", to: "home/lamp", qos: .atLeastOnce, retain: true)
    print("\(receivers) receivers")

    let readings = try await broker.subscribe(to: "home/+/temperature", capacity: 1000)
    for await message in readings {
        print(message.topic, message.text)
    }
    // README end
}

private func inspect(_ broker: MQTTBroker) {
    // README: broker-inspect
    for session in broker.sessions where session.isConnected {
        print(session.client.identifier, session.client.username ?? "anonymous", session.queuedMessages)
    }
    broker.disconnect("kitchen-7")
    // README end
}

// MARK: - Access and limits

private func certificates() -> MQTTBrokerConfiguration {
    // README: broker-certificates
    var tls = MQTTBrokerConfiguration.TLS(certificate: .init(chain: .file("cert.pem"), key: .file("key.pem")))
    tls.clientTrustRoots = .file("clients-ca.pem")
    tls.requiresClientCertificate = true
    let configuration = MQTTBrokerConfiguration(listeners: [.tcp(host: "*", tls: tls)])
    // README end
    return configuration
}

private enum Hooks {
    // README: authenticator
    struct TokenAuthenticator: MQTTBrokerAuthenticator {
        let verify: @Sendable (MQTTPassword) async throws -> String?

        func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision {
            guard let token = attempt.password else { return .abstain }
            guard let user = try await self.verify(token) else { return .deny(.badUserNameOrPassword) }
            return .allowAs(username: user)
        }
    }
    // README end

    // README: authorizer
    struct OwnTopics: MQTTBrokerAuthorizer {
        func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision {
            switch action {
            case .publish(let topic): topic.string.hasPrefix("devices/\(client.identifier)/") ? .allow : .deny
            default: .abstain
            }
        }
    }
    // README end

    // README: filter
    struct JSONOnly: MQTTBrokerPublishFilter {
        func willPublish(_ message: MQTTBrokerMessage, from client: MQTTBrokerClient?) -> MQTTPublishDecision {
            guard message.topic.matches("readings/#") else { return .allow }
            return message.text.hasPrefix("{") ? .allow : .deny(.payloadFormatInvalid)
        }
    }
    // README end

    // README: observer
    struct Presence: MQTTBrokerObserver {
        let interests: MQTTBrokerEvents = [.connections]
        let changes: AsyncStream<String>.Continuation

        func observe(_ event: MQTTBrokerEvent) {
            switch event {
            case .connected(let client, _): self.changes.yield("\(client.identifier) is online")
            case .disconnected(let client, let reason): self.changes.yield("\(client.identifier) is offline: \(reason)")
            default: break
            }
        }
    }
    // README end
}

private func limits() -> MQTTBrokerConfiguration {
    // README: broker-limits
    var configuration = MQTTBrokerConfiguration(listeners: [.tcp(host: "*")])
    configuration.limits.maximumConnections = 10_000
    configuration.limits.connectionsPerSecond = 200
    configuration.limits.messageRate = .init(perSecond: 100, burst: 500)
    configuration.limits.maximumSessionExpiry = .seconds(86_400)
    configuration.limits.maximumMemory = 1 << 30
    // README end
    return configuration
}

// MARK: - Testing

@Suite("The examples of the articles about tests", .timeLimit(.minutes(2)))
struct DocumentedTests {
    @Test("A store keeps retained messages for the next broker")
    func store() async throws {
        // README: store
        let store = MQTTMemoryStore()
        var configuration = MQTTBrokerConfiguration(listeners: [.tcp(port: 0)])
        configuration.store = store

        let first = MQTTBroker(configuration)
        try await first.start()
        try await first.publish("21.5", to: "home/kitchen/temperature", retain: true)
        await first.stop()

        let second = MQTTBroker(configuration)
        try await second.start()
        print(try second.retained(matching: "home/#").map(\.text))  // ["21.5"]
        // README end
        #expect(try second.retained(matching: "home/#").map(\.text) == ["21.5"])
        await second.stop()
    }

    @Test("A test configures its clients")
    func client() async throws {
        try await withBroker { broker in
            // README: test-client
            let device = try await broker.connectedClient { configuration in
                configuration.clientIdentifier = .given("kitchen-7")
                configuration.will = .init(topic: "devices/kitchen-7/status", text: "offline")
            }
            // README end
            #expect(device.clientIdentifier == "kitchen-7")
            // README: test-server
            let configuration = MQTTConfiguration(server: await broker.server)
            // README end
            try await MQTTClient.withConnection(configuration) { #expect($0.state == .connected) }
        }
    }

    @Test("A test configures its broker")
    func broker() async throws {
        // README: test-broker
        try await withBroker { configuration in
            configuration.limits.maximumPacketSize = 1024
        } _: { broker in
            let client = try await broker.connectedClient()
            await #expect(throws: MQTTError.self) {
                try await client.publish(String(repeating: "x", count: 2000), to: "home/note")
            }
        }
        // README end
    }

    @Test("A scripted server refuses a message")
    func scripted() async throws {
        // README: scripted
        let server = ScriptedServer()
        let (client, connection) = try await server.connectedClient()

        let publish = Task { try await client.publish("on", to: "home/lamp", qos: .atLeastOnce) }
        let message = try await connection.receivePublish(.notAuthorized)  // refuses it
        #expect(message.text == "on")
        await #expect(throws: MQTTError.self) { try await publish.value }
        // README end
    }

    @Test("A scripted server loses a connection")
    func scriptedLoss() async throws {
        // README: scripted-loss
        let server = ScriptedServer()
        let (client, connection) = try await server.connectedClient { $0.reconnect = .interactive }

        let publish = Task { try await client.publish("on", to: "home/lamp", qos: .atLeastOnce) }
        connection.close()
        let next = try await server.accept()
        try await next.acceptConnect(sessionPresent: true)
        #expect(try await next.receivePublish().text == "on")
        #expect(try await publish.value == .success)  // once, for both connections
        // README end
    }

    @Test("A scripted server refuses a client")
    func scriptedRefusal() async throws {
        // README: scripted-refusal
        let server = ScriptedServer()
        let client = try server.makeClient()

        let connect = Task { try await client.connect() }
        try await server.accept().refuseConnect(.badUserNameOrPassword)
        await #expect(throws: MQTTError.self) { try await connect.value }
        // README end
    }

    @Test("A request times out by the clock of the test")
    func clock() async throws {
        // README: clock
        let clock = TestClock()
        let (client, connection) = try await ScriptedServer().connectedClient(clock: clock)

        let request = Task { try await client.request("ping", to: "devices/7/rpc", timeout: .seconds(5)) }
        try await connection.grantSubscribe()
        try await connection.receivePublish()  // the request, which nobody answers
        clock.advance(by: .seconds(5))
        await #expect(throws: MQTTError.self) { try await request.value }
        // README end
    }

    @Test("A client reconnects by the clock of the test")
    func sleeper() async throws {
        let clock = TestClock()
        let server = ScriptedServer()
        let (client, connection) = try await server.connectedClient(clock: clock)
        // README: clock-sleeper
        connection.close()
        try await clock.advanceToSleeper(within: .seconds(2))  // the delay before the client reconnects
        try await server.accept().acceptConnect(sessionPresent: true)
        // README end
        await client.disconnect(drain: .zero)
    }
}
