import Curlew
import CurlewTesting
import Logging
import ServiceLifecycle
import Testing
import UnixSignals

#if Configuration
import Configuration
#endif

// The README's examples; scripts/check-readme compares them with the README. They only have to compile: other tests
// cover what they do.

private struct Reading: Codable, Sendable {
    var celsius: Double
}

private func publish() async throws {
    // README: publish
    let client = try MQTTClient("mqtt://localhost")
    try await client.connect()  // and stays connected from here on
    try await client.publish("21.5", to: "home/kitchen/temperature", qos: .atLeastOnce, retain: true)

    for try await message in try await client.subscribe(to: "home/+/temperature") {
        print(message.topic, message.text)  // home/kitchen/temperature 21.5
    }
    // README end
}

private func webSocket(
    _ configuration: inout MQTTConfiguration, _ token: String,
    _ makeToken: @escaping @Sendable () async throws -> String
) {
    // README: websocket
    configuration.webSocket.headers = [.init(name: "Cookie", value: "session=1")]
    configuration.webSocket.prepareRequest = { request in  // before each attempt: signatures and tokens expire
        request.headers.append(.bearerAuthorization(try await makeToken()))
    }
    // README end
}

private func aws() throws -> MQTTClient {
    // README: aws
    let configuration = try MQTTConfiguration.awsIoT(
        endpoint: "abc123-ats.iot.eu-central-1.amazonaws.com", clientIdentifier: "camera-7",
        authentication: .certificate(.init(chain: .file("device.pem.crt"), key: .file("private.pem.key"))))
    let client = try MQTTClient(configuration)
    // README end
    return client
}

#if AWS && Accounts
@Suite("The examples of the documentation", .bounded)
struct DocumentedExamples {
    // README: aws-test
    @Test func `the camera reports motion`() async throws {
        try await withAWSIoT { aws in
            let camera = try MQTTClient(aws.configuration(clientIdentifier: "camera-7"))
            try await camera.connect()
            try await camera.publish("motion", to: "cameras/7/event", qos: .atLeastOnce)
            await camera.disconnect()
            #expect(aws.violations.isEmpty)  // no rule of AWS IoT Core was broken
        }
    }
    // README end
}
#endif

private func clouds(_ identity: TLSSettings.Identity) -> [MQTTConfiguration] {
    // README: clouds
    let azure = MQTTConfiguration.azureEventGrid(
        host: "example.westeurope-1.ts.eventgrid.azure.net", clientIdentifier: "kitchen-7", certificate: identity)
    let hive = MQTTConfiguration.hiveMQCloud(host: "0123abcd.s1.eu.hivemq.cloud", username: "kitchen", password: "…")
    let emqx = MQTTConfiguration.emqxCloud(host: "abc.ala.eu-central-1.emqxsl.com", username: "kitchen", password: "…")
    let thingsBoard = MQTTConfiguration.thingsBoard(accessToken: "…")
    // README end
    return [azure, hive, emqx, thingsBoard]
}

#if Configuration
private func config() throws -> MQTTConfiguration {
    // README: config
    let config = ConfigReader(providers: [
        EnvironmentVariablesProvider(),  // MQTT_URL, MQTT_KEEP_ALIVE, …
        InMemoryProvider(values: ["mqtt.url": "mqtts://broker.example.com", "mqtt.keepAlive": 90]),
    ])
    let configuration = try MQTTConfiguration(config: config.scoped(to: "mqtt"))
    // README end
    return configuration
}
#endif

private func respond(_ device: MQTTClient) async throws {
    // README: respond
    try await device.respond(to: "devices/7/rpc") { request in "pong" }  // until its task is cancelled
    // README end
}

private func request(_ client: MQTTClient) async throws -> [MQTTMessage] {
    // README: request
    let pong = try await client.request("ping", to: "devices/7/rpc", timeout: .seconds(5))
    let everybody = try await client.request("who is there?", to: "devices/all/rpc", count: 100, timeout: .seconds(2))
    // README end
    return [pong] + everybody
}

private struct SwitchState: Codable { var output: Bool? }
private struct SetPoint: Codable { var celsius: Double }

private actor Heater { func set(_ celsius: Double) throws {} }

private func call(_ client: MQTTClient, _ ids: [String]) async throws -> SwitchState {
    // README: call-plug
    let plug = client.device("shellyplus1-a8", .shelly)
    let state: SwitchState = try await plug.call("Switch.Set", ["id": 0, "on": true])

    for await result in try client.devices(ids, .shelly).call("Switch.GetStatus", ["id": 0], within: .seconds(10)) {
        print(result.device, result.outcome)  // answered, device error, no responder, timed out …
    }
    // README end
    return state
}

private func serve(_ device: MQTTClient, _ heater: Heater) async throws {
    // README: serve-thermostat
    try await device.serve("thermostat-7", .jsonRPC) {
        OnCall("Temperature.Set") { (point: SetPoint) in try await heater.set(point.celsius) }
    }
    // README end
}

private func codable(_ client: MQTTClient) async throws {
    // README: codable
    try await client.publish(json: Reading(celsius: 21.5), to: "home/kitchen", qos: .atLeastOnce)

    for try await reading in try await client.subscribe(to: "home/#").decode(Reading.self) {
        print(reading.celsius)
    }
    // README end
}

private func device() throws -> MQTTClient {
    // README: device
    var configuration = MQTTConfiguration(server: .mqtts("broker.example.com"))
    configuration.clientIdentifier = .given("kitchen-7")
    configuration.tls.clientCertificate = .init(chain: .file("device.pem"), key: .file("device.key"))
    configuration.session.cleanStart = false
    configuration.session.expiry = .after(.seconds(86_400))
    let device = try MQTTClient(configuration)
    // README end
    return device
}

private func service(_ client: MQTTClient, _ application: any Service, _ logger: Logger) async throws {
    // README: service
    try await ServiceGroup(
        services: [client, application], gracefulShutdownSignals: [.sigint, .sigterm], logger: logger
    ).run()
    // README end
}

private func collect(_ client: MQTTClient) async throws {
    // README: collect
    let readings = try await client.collect(5, from: "home/+/temperature", within: .seconds(10))
    let all = try await client.collect(exactly: 3, from: ["a/ready", "b/ready", "c/ready"], within: .seconds(30))
    let latest = try await client.first(from: "home/kitchen/temperature", within: .seconds(5)).text
    // README end
    print(readings, all, latest)
}

private func within(_ client: MQTTClient) async throws {
    // README: within
    let subscription = try await client.subscribe(to: "home/#")
    for try await message in subscription.within(.seconds(5)) {
        print(message.topic, message.text)
    }
    // README end
}

private func oneLiners() async throws {
    // README: one-liners
    try await MQTT.publish("on", to: "home/lamp", at: "mqtt://localhost")
    try await MQTT.publish([("home/lamp", "on"), ("home/fan", "off")], at: "mqtt://localhost")
    let messages = try await MQTT.collect(3, from: "home/#", at: "mqtt://localhost", within: .seconds(10))
    let reply = try await MQTT.request("status", to: "devices/7/rpc", at: "mqtt://localhost")
    // README end
    print(messages, reply)
}

private func route(_ client: MQTTClient) async throws {
    // README: route
    let temperature = MQTT.topic("home").part(String.self).level("temperature")

    try await client.route {
        On("raspberrypi/{camera}/event") { message, captures in
            print(captures["camera"] ?? "", message.text)
        }
        On("home/{room}/reading", as: Reading.self, .inOrder(per: .topic), atOnce: 8) { reading, captures in
            print(captures["room"] ?? "", reading.celsius)
        }
        On(temperature) { message, room in  // room is a String, checked by the compiler
            print(room, message.text)
        }
    }
    // README end
}

private func routeGroup(_ client: MQTTClient, _ logger: Logger) async throws {
    // README: route-group
    let home = MQTTRoutes(prefix: "home", middleware: [RouteLog(logger), RouteMetrics()]) {
        On("door") { message, _ in print(message.text) }
    }
    try await client.route(onFailure: { _ in .stop }) { home }
    // README end
}

private func blocking() throws {
    // README: blocking
    let client = try MQTTClient("mqtt://localhost").blocking
    try client.connect()
    try client.publish("on", to: "home/lamp", qos: .atLeastOnce)
    let replies = try client.request("status", to: "fleet/all/rpc", count: 100, timeout: .seconds(5))
    for message in try client.subscribe(to: "home/#") {
        print(message.topic, message.text)
    }
    // README end
    print(replies)
}

private func futures(_ client: MQTTClient) async throws {
    // README: futures
    let publish = try client.enqueue("on", to: "home/lamp", qos: .atLeastOnce)
    let request = client.startRequest("ping", to: "devices/7/rpc")
    try await publish.outcome()  // or: publish.wait(), publish.poll(), publish.cancel()
    print(try await request.value().text)  // or: request.wait(), request.poll(), request.cancel()
    // README end
}

private func several() async throws {
    // README: several
    let clients = try MQTTClients(["plant": "mqtt://10.0.0.2", "cloud": "mqtts://broker.example.com"])
    try await clients.connect()
    try await clients["plant"]?.publish("on", to: "line/1")
    for try await (source, message) in try await clients.subscribe(to: "alarms/#") {
        print(source, message.topic)
    }
    // README end
}
