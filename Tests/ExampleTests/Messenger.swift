import Curlew

// README: messenger-settings
/// The settings of a program: one dictionary, or a file of JSON or YAML.
struct Settings: Decodable {
    struct Topic: Decodable {
        var qos: UInt8?
        var retain: Bool?
    }

    var broker: MQTTConfiguration  // "url", "clientId", "cleanStart", "keepAlive", "caFile", "caDirectory", "ca" …
    var headers: [String: String]?
    var defaultQoS: UInt8?
    var defaultRetain: Bool?
    var topics: [String: Topic]?
    var reconnectRetries: Int?
    var reconnectMaxInterval: Int?

    var configuration: MQTTConfiguration {
        var configuration = broker
        configuration.webSocket.headers = (headers ?? [:]).map { .init(name: $0.key, value: $0.value) }
        configuration.publishing.qos = defaultQoS.flatMap(QoS.init) ?? .atMostOnce
        configuration.publishing.retain = defaultRetain ?? false
        configuration.publishing.topics = (topics ?? [:]).map { filter, topic in
            .init(filter, qos: topic.qos.flatMap(QoS.init), retain: topic.retain)
        }
        configuration.reconnect.maximumAttempts = reconnectRetries
        if let reconnectMaxInterval { configuration.reconnect.maximumDelay = .seconds(reconnectMaxInterval) }
        return configuration
    }
}
// README end

// README: messenger
/// A client with one queue of messages, from which the program takes one after the other.
struct Messenger: Sendable {
    let client: MQTTClient
    let messages: MQTTSubscription

    init(_ configuration: MQTTConfiguration, topics: [TopicSubscription]) async throws {
        client = try MQTTClient(configuration)
        try await client.connect()
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
