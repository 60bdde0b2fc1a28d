import Curlew
import Logging

// README: agent
/// The MQTT connection of a web server, which all of its threads share and which outlives their requests.
struct Agent: Sendable {
    let client: MQTTBlockingClient
    let timeout: Duration

    init(_ url: String, timeout: Duration = .seconds(5), logger: Logger? = nil) throws {
        var configuration = try MQTTConfiguration(url: url)
        configuration.connection.acknowledgementTimeout = timeout
        configuration.queues.unclaimed.timeLimit = .zero  // callers get only what arrives while they wait
        client = try MQTTClient(configuration, logger: logger).blocking
        self.timeout = timeout
    }

    /// The client, which connects at its first use.
    private var connected: MQTTBlockingClient {
        get throws {
            try client.connect(timeout: timeout)  // returns immediately if it is connected
            return client
        }
    }

    func publish(_ payload: String, to topic: String, qos: QoS = .atLeastOnce, retain: Bool = false) throws {
        try connected.publish(payload, to: topic, qos: qos, retain: retain)
    }

    func subscribe(
        to topics: [String], count: Int = 1, includingRetained: Bool = false, timeout: Duration = .seconds(5)
    ) throws -> [MQTTMessage] {
        try connected.collect(count, from: topics, includingRetained: includingRetained, within: timeout)
    }

    func request(
        _ payload: String, to topic: String, repliesOn topics: [String], count: Int = 1,
        timeout: Duration = .seconds(5)
    ) throws -> [MQTTMessage] {
        try connected.request(payload, to: topic, repliesOn: topics, count: count, timeout: timeout)
    }

    /// Calls a method of many devices at once, in the JSON-RPC of Mongoose OS.
    ///
    /// - Parameter timeout: How long to wait for each device. At most 100 are called at the same time, so that more of
    ///   them may take longer.
    func call(
        _ method: String, _ params: JSONValue? = nil, on devices: [String], timeout: Duration = .seconds(5)
    ) throws -> [MQTTCallResult<JSONValue>] {
        try connected.devices(devices, .jsonRPC).call(method, params, within: timeout)
    }
}
// README end

// README: agent-futures
extension Agent {
    /// The messages as they come.
    func stream(_ topic: String) throws -> MQTTBlockingSubscription {
        try connected.subscribe(to: topic)
    }

    /// Futures: to wait for later, to poll, to cancel, or to await.
    func startPublish(_ payload: String, to topic: String) throws -> PendingPublish {
        try connected.enqueue(payload, to: topic, qos: .atLeastOnce)
    }

    func startRequest(
        _ payload: String, to topic: String, repliesOn topics: [String], timeout: Duration = .seconds(5)
    ) throws -> MQTTPending<[MQTTMessage]> {
        try connected.start { try await $0.request(payload, to: topic, repliesOn: topics, timeout: timeout) }
    }

    func startCall(_ method: String, on device: String) throws -> MQTTPending<JSONValue> {
        try connected.start { try await $0.device(device, .jsonRPC).call(method) }
    }
}
// README end

// README: agents
/// The connections of a web server to several brokers, by name.
struct Agents: Sendable {
    let brokers: MQTTBlockingClients
    private let connecting: Task<Void, Never>

    /// Connects in the background. A broker that is down joins when it is back.
    init(_ urls: [String: String], logger: Logger? = nil) throws {
        let clients = try MQTTClients(urls, logger: logger)
        connecting = Task { await clients.connectAll(retrying: true) }
        brokers = clients.blocking
    }

    /// Why brokers did not get the message, by name; empty if all of them did.
    func publishToAll(
        _ payload: String, to topic: String, timeout: Duration = .seconds(5)
    ) throws -> [String: MQTTError] {
        try brokers.publishToAll(payload, to: topic, qos: .atLeastOnce, timeout: timeout).compactMapValues { result in
            if case .failure(let error) = result { error } else { nil }
        }
    }

    /// Handles the messages of all brokers, with their source. Blocks its thread until the clients are disconnected.
    func subscribe(to topic: String, handle: @escaping @Sendable (_ broker: String, MQTTMessage) -> Void) throws {
        try brokers.run { clients in
            for try await (broker, message) in try await clients.subscribe(to: topic) { handle(broker, message) }
        }
    }

    /// The state of each connection, and why there is none.
    var health: [String: (state: MQTTState, error: MQTTError?)] {
        let errors = brokers.clients.connectionErrors
        return .init(uniqueKeysWithValues: brokers.clients.states.map { ($0, ($1, errors[$0])) })
    }
}
// README end
