import Curlew
import CurlewTesting
import Foundation
import Logging
import ServiceLifecycle
import Testing
import UnixSignals

// The examples of the articles in Sources/Curlew/Curlew.docc that are not in the README or in docs/;
// scripts/check-readme compares them with the articles. They only have to compile: other tests cover what they do.

private struct Reading: Codable, Sendable {
    var celsius: Double
}

private func gettingStarted() async throws {
    // README: getting-started-client
    let client = try MQTTClient("mqtt://localhost", logger: Logger(label: "app"))
    try await client.connect(retrying: true)
    // README end
}

private struct ReadingSensor: Sendable {
    var readings: AsyncStream<Reading> { AsyncStream { _ in } }
}

private enum Services {
    typealias Sensor = ReadingSensor

    // README: service-readings
    struct Readings: Service {
        let client: MQTTClient
        let sensor: Sensor

        func run() async throws {
            for await reading in self.sensor.readings.cancelOnGracefulShutdown() {
                try self.client.enqueue(json: reading, to: "home/kitchen/reading", qos: .atLeastOnce)
            }
        }
    }
    // README end

    static func run(_ sensor: Sensor, _ logger: Logger) async throws {
        // README: service-group
        let client = try MQTTClient("mqtt://localhost", logger: logger)
        try await client.connect()  // without this line, the group waits for the broker
        try await ServiceGroup(
            services: [client, Readings(client: client, sensor: sensor)], gracefulShutdownSignals: [.sigint, .sigterm],
            logger: logger
        ).run()
        // README end
    }

    static func run(_ client: MQTTClient, _ job: any Service, _ logger: Logger) async throws {
        // README: service-ends
        try await ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: client),
                    .init(
                        service: job, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup),
                ],
                gracefulShutdownSignals: [.sigint, .sigterm], logger: logger)
        ).run()
        // README end
    }

    static func drain(_ client: MQTTClient) async throws {
        // README: drain-outbox
        try client.enqueue("off", to: "home/lamp", qos: .atLeastOnce)
        let report = await client.disconnect(drain: .seconds(3))  // waits for up to 3 seconds until the outbox is sent
        if !report.isClean { print("\(report.notSent) messages were not sent.") }
        // README end
    }
}

// MARK: - Guarantees

private func publishingDefaults() throws -> MQTTConfiguration {
    // README: publishing-defaults
    var configuration = try MQTTConfiguration(url: "mqtt://localhost")
    configuration.publishing.qos = .atLeastOnce
    configuration.publishing.topics = [.init("alarms/#", qos: .exactlyOnce, retain: true)]
    // README end
    return configuration
}

private func reconnect(_ configuration: inout MQTTConfiguration) {
    // README: reconnect
    configuration.reconnect = .interactive
    configuration.reconnect.maximumAttempts = 30
    // README end
}

private func backoff(_ configuration: inout MQTTConfiguration) {
    // README: backoff
    configuration.reconnect.initialDelay = .seconds(1)
    configuration.reconnect.maximumDelay = .seconds(60)
    configuration.reconnect.jitter = 0
    configuration.reconnect.maximumAttempts = 12
    // README end
}

private func session() async throws -> MQTTSubscription {
    // README: session
    var configuration = MQTTConfiguration(server: .mqtts("broker.example.com"))
    configuration.clientIdentifier = .given("orders-1")
    configuration.session.cleanStart = false
    configuration.session.expiry = .after(.seconds(7 * 86_400))
    let client = try MQTTClient(configuration)
    let orders = try client.messages(matching: ["orders/#"])  // before connecting, so that no message arrives too early
    try await client.connect()
    // README end
    return orders
}

private func sessionStop(
    _ client: MQTTClient, _ orders: MQTTSubscription, process: (MQTTMessage) async throws -> Void
) async {
    // README: session-stop
    do {
        while let order = try await orders.next(within: .seconds(60)) { try await process(order) }
    } catch {
        print(error)
    }
    await client.disconnect()
    withExtendedLifetime(orders) {}  // keeps the subscription until here
    // README end
}

private func drain(_ client: MQTTClient) async {
    // README: drain
    let report = await client.disconnect(drain: .seconds(3))
    if !report.isClean { print("\(report.notSent) messages were not sent, \(report.unknown) may have arrived.") }
    // README end
}

private func events(_ client: MQTTClient) async {
    // README: events
    for await event in client.events {
        switch event {
        case .connected(let server, let version, _): print("connected to \(server), MQTT \(version)")
        case .disconnected(let error): print("disconnected: \(error)")
        case .reconnecting(let attempt, let delay, _): print("attempt \(attempt) in \(delay)")
        default: break
        }
    }
    // README end
}

private func errors(_ client: MQTTClient) async throws {
    // README: errors
    do {
        try await client.publish("on", to: "home/lamp", qos: .atLeastOnce, timeout: .seconds(5))
    } catch let error as MQTTError where error.code == .publishRefused {
        print("The broker refused the message: \(error)")
    } catch let error as MQTTError where error.delivery == .notSent {
        print("Safe to publish again: \(error)")
    }
    // README end
}

// MARK: - Queues

private func queue(_ client: MQTTClient) async throws -> MQTTSubscription {
    // README: queue
    let alarms = try await client.subscribe(
        to: "plant/#",
        queue: .init(order: .lowestFirst { $0.topic.matches("plant/alarm/#") ? 0 : 1 }, count: 1000))
    // README end
    return alarms
}

private func manual(_ client: MQTTClient, process: (MQTTMessage) async throws -> Void) async throws {
    // README: manual
    let orders = try await client.subscribe(to: "orders/#", acknowledgement: .manual)
    for try await order in orders {
        do {
            try await process(order)
            try orders.acknowledge(order)
        } catch {
            try orders.acknowledge(order, reasonCode: .implementationSpecificError)
        }
    }
    // README end
}

private func enqueue(_ client: MQTTClient, _ readings: [String]) async throws {
    // README: enqueue
    let publishes = try readings.map { try client.enqueue($0, to: "readings", qos: .atLeastOnce) }
    for publish in publishes { try await publish.outcome() }
    // README end
}

// MARK: - Receiving

private func unclaimed(_ configuration: inout MQTTConfiguration) {
    // README: unclaimed
    configuration.queues.unclaimed.timeLimit = .zero
    // README end
}

private func next(_ subscription: MQTTSubscription) async throws {
    // README: next
    while let message = try await subscription.next(within: .seconds(1)) {
        print(message.topic, message.text)
    }
    // README end
}

private func replies(_ client: MQTTClient) async throws {
    // README: replies
    for try await reply in try await client.replies("who is there?", to: "devices/all/rpc", timeout: .seconds(2)) {
        print(reply.text)
    }
    // README end
}

private func latest(_ client: MQTTClient, draw: (TopicName, String) async -> Void) async throws {
    // README: latest
    for try await message in try await client.subscribe(to: "plant/+/level").latest() {
        await draw(message.topic, message.text)  // skips what is out of date
    }
    // README end
}

private func batched(_ client: MQTTClient, store: ([MQTTMessage]) async throws -> Void) async throws {
    // README: batched
    let readings = try await client.subscribe(to: "plant/#")
    for try await batch in readings.batched(upTo: 500, within: .seconds(1)) {
        try await store(batch)
    }
    // README end
}

private func decode(_ client: MQTTClient) async throws {
    // README: decode
    for try await reading in try await client.subscribe(to: "home/#").decode(Reading.self) {
        print(reading.celsius)
    }
    // README end
}

private func decoded(_ client: MQTTClient) async throws {
    // README: decoded
    let readings = try await client.subscribe(to: "home/+/reading")
    for try await reading in readings.decoded(as: Reading.self, onMisfit: { message, error in .skip }) {
        print(reading.message.topic, reading.value.celsius)
    }
    // README end
}

private struct NotALine: Error {}

private enum Coders {
    // README: coder
    struct LineCoder: MQTTPayloadCoder {
        let contentType: String? = "text/plain"

        func encode(_ value: some Encodable) throws -> ByteBuffer { ByteBuffer(string: "\(value)") }

        func decode<Value: Decodable>(_ type: Value.Type, from payload: ByteBuffer) throws -> Value {
            guard let text = String(buffer: payload) as? Value else { throw NotALine() }
            return text
        }
    }
    // README end
}

// MARK: - Routes

private struct StorageError: Error {}

private func routeFailure(
    _ client: MQTTClient, store: @escaping @Sendable (Reading, String?) async throws -> Void
) async throws {
    // README: route-failure
    try await client.route { failure in
        failure.error is StorageError ? .stop : .logAndContinue
    } _: {
        On("home/{room}/reading", as: Reading.self) { reading, captures in
            try await store(reading, captures["room"])
        }
    }
    // README end
}

private func routeOtherwise(_ client: MQTTClient) async throws {
    // README: route-otherwise
    try await client.route {
        On("home/{room}/temperature") { message, captures in print(captures["room"] ?? "", message.text) }
        On("home/#") { message in print("unexpected:", message.topic) }.otherwise()
    }
    // README end
}

private func routeOptions(_ client: MQTTClient) async throws {
    // README: route-options
    try await client.route(onSubscribed: { filters in print("ready:", filters) }) {
        On("home/{room}/set") { message, captures in
            try await client.publish(message.payload, to: "home/\(captures["room"] ?? "")/state")
        }
        On("home/#") { message in print(message.topic) }.options { options in
            options.noLocal = true  // not what this client publishes
            options.retainHandling = .doNotSend  // no retained messages
        }
    }
    // README end
}

private func routeTask(_ client: MQTTClient) {
    // README: route-task
    let watching = Task {
        try await client.route { On("home/door") { message in print(message.text) } }
    }
    // …
    watching.cancel()
    // README end
}

private enum Middleware {
    // README: middleware
    struct OnlyFresh: MQTTRouteMiddleware {
        func handle(_ routed: RoutedMessage, next: @Sendable (RoutedMessage) async throws -> Void) async throws {
            if !routed.message.isRetained { try await next(routed) }
        }
    }
    // README end
}

// MARK: - Calls

private struct SwitchStatus: Decodable, Sendable {
    var output: Bool
}

private struct SetPoint: Decodable, Sendable {
    var celsius: Double
}

private struct Sensor: Sendable {
    func read() async throws -> Double { 21.5 }
}

private struct Heater: Sendable {
    func set(_ celsius: Double) async throws {}
}

private func call(_ client: MQTTClient) async throws -> SwitchStatus {
    // README: call
    let plug = client.device("plug", .tasmota)
    try await plug.call("Power", "ON")

    let status: SwitchStatus = try await client.device("shellyplus1-a8", .shelly).call("Switch.GetStatus", ["id": 0])
    // README end
    return status
}

private func dialect(_ client: MQTTClient) async throws -> Double {
    // README: dialect
    let plant = try MQTTDialect(
        "plant",
        request: .init("plant/{device}/command/{method}", id: "token", params: "arguments"),
        answer: .init("plant/{device}/done", id: "token", result: "value", errorMessage: "reason"))
    let level: Double = try await client.device("pump-3", plant).call("Level.Get")
    // README end
    return level
}

private func fleet(_ client: MQTTClient, _ ids: [String]) async throws {
    // README: fleet
    let plugs = client.devices(ids, .shelly)
    for await result in try plugs.call("Switch.Set", ["id": 0, "on": true], atOnce: 100, within: .seconds(10)) {
        print(result.device, result.outcome)
    }
    // README end
}

private func serve(_ client: MQTTClient, _ sensor: Sensor, _ heater: Heater) async throws {
    // README: serve
    try await client.serve("thermostat-7", .jsonRPC) {
        OnCall("Temperature.Get") { try await sensor.read() }
        OnCall("Temperature.Set", within: .seconds(2)) { (point: SetPoint) in
            guard point.celsius < 30 else { throw MQTTDeviceError(400, "That is too hot.") }
            try await heater.set(point.celsius)
        }
    }
    // README end
}

// MARK: - Blocking, several brokers

private func blockingNext(_ client: MQTTBlockingClient) throws {
    // README: blocking-next
    let messages = try client.subscribe(to: "home/#")
    while let message = try messages.next(within: .seconds(10)) {
        print(message.topic, message.text)
    }
    // README end
}

private func blockingEnqueue(_ client: MQTTBlockingClient) throws {
    // README: blocking-enqueue
    let publish = try client.enqueue("on", to: "home/lamp", qos: .atLeastOnce)
    // …
    try publish.wait(timeout: .seconds(5))
    // README end
}

private func blockingStart(_ client: MQTTBlockingClient) throws {
    // README: blocking-start
    let status = client.start { try await $0.device("plug", .tasmota).call("Status") }
    try client.publish("on", to: "home/lamp", qos: .atLeastOnce)
    print(try status.wait())
    // README end
}

private func blockingRun(_ client: MQTTBlockingClient) throws -> DrainReport {
    // README: blocking-run
    let report = try client.run { client in
        await client.disconnect(drain: .seconds(3), sessionExpiry: .never)
    }
    // README end
    return report
}

private func blockingCall(_ client: MQTTBlockingClient, _ ids: [String]) throws {
    // README: blocking-call
    try client.device("plug", .tasmota).call("Power", "ON")
    for result in try client.devices(ids, .shelly).call("Switch.GetStatus", ["id": 0]) {
        print(result.device, result.outcome)
    }
    // README end
}

private func publishToAll(_ clients: MQTTClients) async {
    // README: publish-to-all
    for (name, result) in await clients.publishToAll("on", to: "line/1", qos: .atLeastOnce, timeout: .seconds(5)) {
        if case .failure(let error) = result { print("\(name): \(error)") }
    }
    // README end
}

private func severalCollect(_ clients: MQTTClients) async throws {
    // README: several-collect
    for (source, message) in try await clients.collect(10, from: ["alarms/#"], within: .seconds(5)) {
        print(source, message.topic)
    }
    // README end
}

private func severalRetry(_ clients: MQTTClients) async -> Task<Void, any Error> {
    // README: several-retry
    await clients.connectAll()
    let joining = Task { try await clients.connect(retrying: true) }  // cancel it to stop trying
    // README end
    return joining
}

private func severalHealth(_ clients: MQTTClients) {
    // README: several-health
    for (name, error) in clients.connectionErrors { print("\(name): \(error)") }
    // README end
}

private func servers() throws -> MQTTClient {
    // README: servers
    let configuration = MQTTConfiguration(servers: [.mqtts("a.example.com"), .mqtts("b.example.com")])
    let client = try MQTTClient(configuration)
    // README end
    return client
}

// MARK: - Configuration

private func configuration() throws -> MQTTClient {
    // README: configuration
    var configuration = MQTTConfiguration(server: .mqtts("broker.example.com"))
    configuration.clientIdentifier = .given("kitchen-7")
    configuration.credentials = .password(username: "kitchen", password: "…")
    configuration.connection.keepAlive = .seconds(30)
    configuration.will = .init(topic: "devices/kitchen-7/status", text: "offline", qos: .atLeastOnce, retain: true)
    let client = try MQTTClient(configuration)
    // README end
    return client
}

private func will(_ configuration: inout MQTTConfiguration) async throws {
    // README: will
    let status = "devices/kitchen-7/status"
    configuration.will = .init(topic: status, text: "offline", qos: .atLeastOnce, retain: true)
    let client = try MQTTClient(configuration)
    let events = client.events  // before connecting, so that the first connection is among them
    let presence = Task {
        for await event in events {
            guard case .connected = event else { continue }
            try client.enqueue("online", to: status, qos: .atLeastOnce, retain: true)
        }
    }
    try await client.connect()
    // …
    presence.cancel()
    try await client.publish("offline", to: status, qos: .atLeastOnce, retain: true, timeout: .seconds(5))
    await client.disconnect()
    // README end
}

private func environment() throws -> MQTTConfiguration {
    // README: environment
    let configuration = try MQTTConfiguration(environment: MQTTConfiguration.processEnvironment)
    // README end
    return configuration
}

private func settings() throws -> MQTTConfiguration {
    // README: settings
    let configuration = try MQTTConfiguration(settings: [
        "url": "mqtts://broker.example.com", "client-id": "kitchen", "keep-alive": "90s", "ca-file": "/etc/ca.pem",
    ])
    // README end
    return configuration
}

private enum ConfigurationFiles {
    // README: decodable
    struct Settings: Decodable {
        var mqtt: MQTTConfiguration  // {"mqtt": {"url": "mqtts://broker.example.com", "keepAlive": 90}}
        var interval: Int
    }
    // README end
}

private func jsonFile() throws -> Int {
    typealias Settings = ConfigurationFiles.Settings
    // README: json-file
    let settings = try JSONDecoder().decode(Settings.self, from: Data(contentsOf: URL(filePath: "app.json")))
    // README end
    return settings.interval
}

// MARK: - Security and clouds

private func tls() -> MQTTConfiguration {
    // README: tls
    var configuration = MQTTConfiguration(server: .mqtts("broker.example.com"))
    configuration.tls.trustRoots = .file("ca.pem")
    configuration.tls.minimumVersion = .tls13
    // README end
    return configuration
}

private func credentials(
    _ configuration: inout MQTTConfiguration, _ secret: String,
    _ fetchToken: @escaping @Sendable () async throws -> String
) {
    // README: credentials
    configuration.credentials = .password(username: "kitchen", password: MQTTPassword(secret))
    configuration.credentials = .provider { .init(username: "kitchen", password: MQTTPassword(try await fetchToken())) }
    // README end
}

private func awsRate(_ configuration: inout MQTTConfiguration) {
    // README: aws-rate
    configuration.serviceLimits.publishesPerSecond = 100
    // README end
}

// MARK: - Testing

private func message() throws -> Reading {
    // README: message-test
    let message = MQTTMessage(
        topic: try TopicName("home/kitchen/reading"), payload: ByteBuffer(string: #"{"celsius": 21.5}"#))
    let reading = try message.decode(Reading.self)
    // README end
    return reading
}
