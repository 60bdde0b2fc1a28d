import Curlew
import Logging

// README: agent
/// The MQTT connection of a web server, which all of its threads share and which outlives their requests.
struct Agent: Sendable {
    let client: MQTTBlockingClient

    init(_ url: String, timeout: Duration = .seconds(5), logger: Logger? = nil) throws {
        var configuration = try MQTTConfiguration(url: url)
        configuration.connection.connectTimeout = timeout
        configuration.connection.acknowledgementTimeout = timeout
        client = try MQTTClient(configuration, logger: logger).blocking
    }

    func publish(_ payload: String, to topic: String, qos: QoS = .atLeastOnce, retain: Bool = false) throws {
        try client.connect()  // returns immediately if it is connected
        try client.publish(payload, to: topic, qos: qos, retain: retain)
    }

    func subscribe(
        to topics: [String], count: Int = 1, includingRetained: Bool = false, timeout: Duration = .seconds(5)
    ) throws -> [MQTTMessage] {
        try client.connect()
        return try client.collect(count, from: topics, includingRetained: includingRetained, within: timeout)
    }

    func request(
        _ payload: String, to topic: String, repliesOn topics: [String], count: Int = 1,
        timeout: Duration = .seconds(5)
    ) throws -> [MQTTMessage] {
        try client.connect()
        return try client.request(payload, to: topic, repliesOn: topics, count: count, timeout: timeout)
    }

    /// Calls a method of many devices at once, in the JSON-RPC of Mongoose OS.
    func call(
        _ method: String, _ params: JSONValue? = nil, on devices: [String], timeout: Duration = .seconds(5)
    ) throws -> [MQTTCallResult<JSONValue>] {
        try client.connect()
        return try client.devices(devices, .jsonRPC).call(method, params, within: timeout)
    }
}
// README end

// README: agent-futures
extension Agent {
    /// The messages as they come.
    func stream(_ topic: String) throws -> MQTTBlockingSubscription {
        try client.connect()
        return try client.subscribe(to: topic)
    }

    /// Futures: to wait for later, to poll, to cancel, or to await.
    func start(_ payload: String, to topic: String) throws -> PendingPublish {
        try client.connect()
        return try client.enqueue(payload, to: topic, qos: .atLeastOnce)
    }

    func startRequest(
        _ payload: String, to topic: String, timeout: Duration = .seconds(5)
    ) throws -> MQTTPending<MQTTMessage> {
        try client.connect()
        return client.startRequest(payload, to: topic, timeout: timeout)
    }
}

// README end

// README: agents
/// Agents for several brokers, by name.
struct Agents: Sendable {
    let agents: [String: Agent]

    init(_ urls: [String: String]) throws { agents = try urls.mapValues { try Agent($0) } }

    subscript(_ broker: String) -> Agent? { agents[broker] }

    /// The names of the brokers that did not get the message, and why.
    func publishToAll(_ payload: String, to topic: String) -> [String: any Error] {
        agents.compactMapValues { agent in
            do { try agent.publish(payload, to: topic) } catch { return error }
            return nil
        }
    }
}
// README end
