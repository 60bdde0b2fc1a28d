import Curlew
import CurlewBroker
import CurlewTesting
import Testing

// The README's examples of the broker; scripts/check-readme compares them with the README.

#if Accounts
private func embed() async throws {
    // README: broker
    var configuration = MQTTBrokerConfiguration(listeners: [.tcp(host: "*", port: 1883)])
    configuration.authenticators = [try await MQTTPasswordFile(path: "users")]
    let broker = MQTTBroker(configuration)
    try await broker.start()

    for await message in try await broker.subscribe(to: "home/#") {
        print(message.topic, message.text)
    }
    // README end
}

private func access() async throws -> MQTTBrokerConfiguration {
    // README: access
    var configuration = MQTTBrokerConfiguration()
    configuration.authenticators = [MQTTCertificateIdentity.commonName, try await MQTTPasswordFile(path: "users")]
    configuration.authorizers = [try await MQTTAccessFile(path: "access")]
    // README end
    return configuration
}
#endif

@Suite("The README's examples of the broker", .timeLimit(.minutes(1)))
struct ReadmeExamples {
    // README: test
    @Test func `a reading reaches the application`() async throws {
        try await withBroker { broker in
            let device = try await broker.connectedClient()
            let application = try await broker.connectedClient()
            let readings = try await application.subscribe(to: "home/+/temperature")
            try await device.publish("21.5", to: "home/kitchen/temperature")
            #expect(try await readings.first { _ in true }?.text == "21.5")
        }
    }
    // README end
}
