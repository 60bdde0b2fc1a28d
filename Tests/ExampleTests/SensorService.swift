import Curlew
import Logging

// README: sensor-service
/// A service that publishes what its sensors measure, on a connection in the background.
struct SensorService: Sendable {
    let client: MQTTClient
    let logger: Logger

    /// - Parameters:
    ///   - authority: The file of the authority that issued the broker's certificate, for `mqtts://`.
    ///   - certificate: The file of the service's own certificate and key, for brokers that ask for one.
    static func configuration(
        _ url: String, authority: String? = nil, certificate: (chain: String, key: String)? = nil
    ) throws -> MQTTConfiguration {
        var configuration = try MQTTConfiguration(url: url)
        if let authority { configuration.tls.trustRoots = .file(authority) }
        if let (chain, key) = certificate {
            configuration.tls.clientCertificate = .init(chain: .file(chain), key: .file(key))
        }
        configuration.reconnect.initialDelay = .seconds(1)  // then 2, 4, 8 …
        configuration.reconnect.maximumDelay = .seconds(60)
        configuration.reconnect.maximumAttempts = 12
        configuration.reconnect.jitter = 0
        return configuration
    }

    /// - Parameter logger: The client itself logs when it is connected, disconnected, and connecting again, and
    ///   when it gives up.
    init(_ configuration: MQTTConfiguration, logger: Logger) throws {
        self.client = try MQTTClient(configuration, logger: logger)
        self.logger = logger
    }

    /// Publishes some measurements, while commands arrive. Then stops, and logs how many the broker did not acknowledge.
    func run(measurements: some AsyncSequence<Double, Never> & Sendable) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { try await client.run() }  // connects in the background, and stays connected
            group.addTask {
                try await client.route {
                    On("sensors/+/command") { message in logger.info("command \(message.text)") }
                    On("sensors/+/alarm", qos: .atLeastOnce) { message in logger.warning("alarm \(message.text)") }
                }
            }
            group.addTask {
                var published: [PendingPublish] = []
                for await celsius in measurements {
                    published.append(try client.enqueue("\(celsius)", to: "sensors/1/temperature", qos: .atLeastOnce))
                }
                await client.disconnect(drain: .seconds(30))  // ends the other tasks; then all outcomes are known
                let lost = published.count { (try? $0.poll()) == nil }
                if lost > 0 { logger.error("lost: \(lost)") }
            }
        }
    }
}
// README end

/// What scripts do with one line.
func oneLiners(_ url: String) async throws -> [String] {
    // README: one-line
    try await MQTT.publish("on", to: "home/lamp", at: url, retain: true)
    try await MQTT.publish(
        [
            MQTTPublication("off", to: "home/fan", retain: true),
            MQTTPublication("on", to: "home/heater", qos: .exactlyOnce, retain: true),
        ], at: url)
    let messages = try await MQTT.collect(3, from: "home/#", at: url, within: .seconds(10))
    // README end
    return messages.map { "\($0.topic) \($0.text)" }
}
