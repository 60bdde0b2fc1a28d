import Curlew
import Logging
import ServiceLifecycle
import UnixSignals

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
        services: [client, application], gracefulShutdownSignals: [.sigterm], logger: logger
    ).run()
    // README end
}
