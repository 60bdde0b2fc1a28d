import Curlew
import Foundation

// README: messenger-settings
/// The settings of a program, from a file of JSON or YAML.
struct Settings: Decodable {
    struct Topic: Decodable {
        var filter: String
        var qos: QoS?
        var retain: Bool?
    }

    struct Will: Decodable {
        var topic: String
        var message: String
        var qos: QoS?
        var retain: Bool?
    }

    var broker: MQTTConfiguration
    var headers: [String: String]?
    var topics: [Topic]?  // an array: the first filter that matches counts
    var will: Will?

    var configuration: MQTTConfiguration {
        var configuration = broker
        configuration.webSocket.headers = (headers ?? [:]).map { .init(name: $0.key, value: $0.value) }
        configuration.publishing.topics = (topics ?? []).map { .init($0.filter, qos: $0.qos, retain: $0.retain) }
        configuration.will = will.map {
            .init(topic: $0.topic, text: $0.message, qos: $0.qos ?? .atMostOnce, retain: $0.retain ?? false)
        }
        return configuration
    }
}
// README end

func makeConfiguration() throws -> MQTTConfiguration {
    // README: messenger-file
    let settings = try JSONDecoder().decode(Settings.self, from: Data(contentsOf: URL(filePath: "client.json")))
    // README end
    return settings.configuration
}

// README: messenger
/// A client with one queue of messages, from which the program takes one after the other.
struct Messenger: Sendable {
    let client: MQTTClient
    let messages: MQTTSubscription

    /// - Throws: `MQTTError` after the last of `reconnect.maximumAttempts`.
    init(_ configuration: MQTTConfiguration, topics: [TopicSubscription]) async throws {
        client = try MQTTClient(configuration)
        try await client.connect(retrying: configuration.reconnect.isEnabled)
        messages = try await client.subscribe(to: topics)
    }

    /// - Throws: `MQTTError` with the code `timedOut` if the broker does not acknowledge the message in time.
    func publish(_ payload: String, to topic: String, qos: QoS? = nil, timeout: Duration? = nil) async throws {
        try await client.publish(payload, to: topic, qos: qos, timeout: timeout)
    }

    /// The next message; `nil` if none arrives in time.
    func deliverMessage(timeout: Duration) async throws -> MQTTMessage? {
        try await messages.next(within: timeout)
    }

    func disconnect() async throws {
        try await messages.unsubscribe()
        await client.disconnect()
    }
}

extension Messenger {
    /// Where to connect, and whom to trust.
    static func configuration(
        _ url: String, caFile: String? = nil, caDirectory: String? = nil, caData: String? = nil,
        headers: [String: String] = [:]
    ) throws -> MQTTConfiguration {
        var configuration = try MQTTConfiguration(url: url)
        if let caFile { configuration.tls.trustRoots = .file(caFile) }
        if let caDirectory { configuration.tls.trustRoots = .directory(caDirectory) }
        if let caData { configuration.tls.trustRoots = .certificates(.pem(caData)) }
        configuration.webSocket.headers = headers.map { .init(name: $0.key, value: $0.value) }
        return configuration
    }
}
// README end
