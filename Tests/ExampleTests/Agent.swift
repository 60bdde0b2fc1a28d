import Curlew
import Dispatch
import Logging
import Synchronization

// README: agent
/// The MQTT connection of a web server, which all of its threads share and which outlives their requests.
struct Agent: Sendable {
    let client: MQTTBlockingClient

    init(_ url: String, timeout: Duration = .seconds(5), logger: Logger? = nil) throws {
        var configuration = try MQTTConfiguration(url: url)
        configuration.connection.connectTimeout = timeout
        configuration.connection.acknowledgementTimeout = timeout
        configuration.queues.unclaimed.timeLimit = .zero  // a late reply must not answer the next request
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
        return try client.run { client in
            try await client.collect(
                count, from: topics.map { TopicSubscription($0) }, includingRetained: includingRetained, within: timeout
            )
        }
    }

    func request(
        _ payload: String, to topic: String, repliesOn topics: [String], count: Int = 1,
        timeout: Duration = .seconds(5)
    ) throws -> [MQTTMessage] {
        try client.connect()
        return try client.run { client in
            let replies = try await client.subscribe(to: topics.map { TopicSubscription($0) })
            try await client.publish(payload, to: topic, qos: .atLeastOnce)
            var found: [MQTTMessage] = []
            for try await reply in replies.within(timeout) where !reply.isRetained {
                found.append(reply)
                if found.count == count { break }
            }
            return found
        }
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

// README: agent-run
extension MQTTBlockingClient {
    /// Blocks the thread until async code has ended.
    func run<Value: Sendable>(_ body: @escaping @Sendable (MQTTClient) async throws -> Value) throws -> Value {
        let result = Mutex<Result<Value, any Error>?>(nil)
        let ended = DispatchSemaphore(value: 0)
        Task {
            let outcome: Result<Value, any Error>
            do { outcome = .success(try await body(client)) } catch { outcome = .failure(error) }
            result.withLock { $0 = outcome }
            ended.signal()
        }
        ended.wait()
        guard let outcome = result.withLock({ $0 }) else { throw CancellationError() }
        return try outcome.get()
    }
}

// README end

// README: agent-futures
extension Agent {
    /// The messages as they come.
    func stream(_ topic: String) throws -> MQTTBlockingSubscription {
        try client.connect()
        return try client.subscribe(to: TopicSubscription(topic))
    }

    /// Futures: to wait for later, to poll, to cancel, or to await.
    func start(_ payload: String, to topic: String) throws -> PendingPublish {
        try client.connect()
        return try client.enqueue(payload, to: topic, qos: .atLeastOnce)
    }

    func startRequest(_ payload: String, to topic: String, timeout: Duration = .seconds(5)) throws -> PendingReply {
        try client.connect()
        return client.client.startRequest(payload, to: topic, timeout: timeout)
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
