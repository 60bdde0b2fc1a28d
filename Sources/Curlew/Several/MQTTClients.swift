public import CurlewCore
import CurlewTransport
public import Logging
public import ServiceLifecycle

/// Clients of several brokers under one interface: a site that speaks with the broker of its plant and one in the cloud.
///
/// ```swift
/// let clients = try MQTTClients(["plant": "mqtt://10.0.0.2", "cloud": "mqtts://broker.example.com"])
/// try await clients.connect()
/// try await clients["plant"]?.publish("on", to: "line/1")
/// for try await (source, message) in try await clients.subscribe(to: "alarms/#") { print(source, message.text) }
/// ```
///
/// Each client keeps its own connection, session and queues, and fails and reconnects on its own. This is not the list of
/// brokers of one client (``MQTTConfiguration/servers``), of which it uses one at a time.
public final class MQTTClients: Sendable {
    /// The clients by name, in the order of the names.
    private let clients: [(name: String, client: MQTTClient)]
    /// Names a client.
    private let places: [String: Int]

    /// Creates clients by name. Does not connect.
    ///
    /// - Parameters:
    ///   - configurations: The configuration for each name.
    ///   - logger: The logger to use, with the name in the metadata `broker`. Default: a logger that logs nothing.
    /// - Throws: ``MQTTError`` with code `invalidConfiguration`.
    public init(_ configurations: [String: MQTTConfiguration], logger: Logger? = nil) throws(MQTTError) {
        guard !configurations.isEmpty else {
            throw MQTTError(.invalidConfiguration, "Name at least one broker.")
        }
        var clients: [(name: String, client: MQTTClient)] = []
        for (name, configuration) in configurations.sorted(by: { $0.key < $1.key }) {
            var logger = logger
            logger?[metadataKey: "broker"] = "\(name)"
            do throws(MQTTError) {
                clients.append((name, try MQTTClient(configuration, logger: logger)))
            } catch {
                throw error.naming(name)
            }
        }
        self.clients = clients
        self.places = Dictionary(uniqueKeysWithValues: zip(clients.map(\.name), 0...))
    }

    /// Creates clients by name from the URLs of their brokers. Does not connect.
    ///
    /// - Throws: ``MQTTError`` with code `invalidURL` or `invalidConfiguration`.
    public convenience init(_ urls: [String: String], logger: Logger? = nil) throws(MQTTError) {
        var configurations: [String: MQTTConfiguration] = [:]
        for (name, url) in urls {
            do throws(MQTTError) { configurations[name] = try MQTTConfiguration(url: url) } catch {
                throw error.naming(name)
            }
        }
        try self.init(configurations, logger: logger)
    }

    /// The names, sorted.
    public var names: [String] { self.clients.map(\.name) }

    /// The client with a name; `nil` if there is none.
    public subscript(_ name: String) -> MQTTClient? { self.places[name].map { self.clients[$0].client } }

    /// The errors of the clients without a connection, by name; see ``MQTTClient/connectionError``.
    public var connectionErrors: [String: MQTTError] {
        Dictionary(
            uniqueKeysWithValues: self.clients.compactMap { part in
                part.client.connectionError.map { (part.name, $0) }
            })
    }

    /// The state of each client.
    public var states: [String: MQTTState] {
        Dictionary(uniqueKeysWithValues: self.clients.map { ($0.name, $0.client.state) })
    }

    /// Whether all clients are connected.
    public var areConnected: Bool { self.clients.allSatisfy { $0.client.state == .connected } }

    // MARK: Connecting

    /// Connects all clients at the same time; see ``MQTTClient/connect(retrying:timeout:)``.
    ///
    /// - Throws: ``MQTTError`` of the first client that fails, whose message begins with its name. The others stay
    ///   connected.
    public func connect(retrying: Bool = false, timeout: Duration? = nil) async throws {
        for (name, result) in await self.all({ try await $0.connect(retrying: retrying, timeout: timeout) }) {
            if case .failure(let error) = result { throw error.naming(name) }
        }
    }

    /// Connects all clients at the same time, whether or not some of them fail; see
    /// ``MQTTClient/connect(retrying:timeout:)``. With `retrying`, this waits for the slowest one. With `timeout`, it goes
    /// on without those whose broker is down, and these stop trying; run the clients as a service to let them join later.
    ///
    /// - Returns: Whether the broker still had the session, or why connecting failed, by name.
    @discardableResult
    public func connectAll(
        retrying: Bool = false, timeout: Duration? = nil
    ) async -> [String: Result<Bool, MQTTError>] {
        let results = await self.all { try await $0.connect(retrying: retrying, timeout: timeout) }
        return Dictionary(uniqueKeysWithValues: results)
    }

    /// Disconnects all clients at the same time; see ``MQTTClient/disconnect(drain:sessionExpiry:)``.
    ///
    /// - Returns: How many messages of each client were not delivered.
    @discardableResult
    public func disconnect(drain: Duration? = nil) async -> [String: DrainReport] {
        await withTaskGroup(of: (String, DrainReport).self) { group in
            for (name, client) in self.clients { group.addTask { (name, await client.disconnect(drain: drain)) } }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    // MARK: Publishing

    /// Publishes a message to all brokers at the same time; see
    /// ``MQTTClient/publish(_:to:qos:retain:properties:timeout:)``. To publish to one, use its client.
    ///
    /// - Returns: The broker's reason code, or why publishing failed, by name.
    public func publishToAll(
        _ payload: some MQTTPayload, to topic: String, qos: QoS? = nil, retain: Bool? = nil,
        properties: MessageProperties = MessageProperties(), timeout: Duration? = nil
    ) async -> [String: Result<ReasonCode, MQTTError>] {
        let payload = payload.mqttPayload
        let results = await self.all { client in
            try await client.publish(
                payload, to: topic, qos: qos, retain: retain, properties: properties, timeout: timeout)
        }
        return Dictionary(uniqueKeysWithValues: results)
    }

    // MARK: Receiving

    /// Subscribes to a topic filter at all brokers, as one sequence of messages with their source.
    ///
    /// Waits only for the brokers that are connected. A client without a connection subscribes as soon as it has one; if
    /// its broker then refuses, its messages end, and those of the others continue.
    ///
    /// - Parameters: Those of `subscribe(to:options:)` of ``MQTTClient``.
    /// - Throws: ``MQTTError`` of the first client that fails, whose message begins with its name.
    public func subscribe(
        to filter: String, queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil, timeout: Duration? = nil
    ) async throws -> MQTTMergedMessages {
        try await self.subscribe(
            to: [TopicSubscription(filter)], queue: queue, acknowledgement: acknowledgement, timeout: timeout)
    }

    /// Subscribes to several topic filters at all brokers, as one sequence of messages with their source.
    ///
    /// - Parameters: Those of ``MQTTClient/subscribe(to:queue:acknowledgement:timeout:)``.
    /// - Throws: ``MQTTError`` of the first client that fails, whose message begins with its name.
    public func subscribe(
        to subscriptions: [TopicSubscription], queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil, timeout: Duration? = nil
    ) async throws -> MQTTMergedMessages {
        let changed = Condition()
        let filters = subscriptions.map { ($0.filter, $0.options) }
        let results = await self.all { client in
            guard client.state == .connected else {
                return try client.engine.subscribeSoon(
                    to: filters, queue: queue, acknowledgement: acknowledgement, waking: changed)
            }
            return try await client.engine.subscribe(
                to: filters, claim: .matching, queue: queue, acknowledgement: acknowledgement, timeout: timeout,
                waking: changed)
        }
        let parts = try results.map { name, result in
            switch result {
            case .success(let subscription): return (source: name, subscription: subscription)
            case .failure(let error): throw error.naming(name)
            }
        }
        return MQTTMergedMessages(parts, changed)
    }

    /// Subscribes to several topic filters with the same options at all brokers; otherwise the same as
    /// `subscribe(to:queue:)`.
    public func subscribe(
        to filters: [String], options: SubscriptionOptions = SubscriptionOptions(),
        queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil, timeout: Duration? = nil
    ) async throws -> MQTTMergedMessages {
        try await self.subscribe(
            to: filters.map { TopicSubscription($0, options) }, queue: queue, acknowledgement: acknowledgement,
            timeout: timeout)
    }

    /// Returns the first `count` messages of all brokers together, with their source, or those that arrived in time.
    ///
    /// - Parameters:
    ///   - count: The maximum number of messages to return, at least 1.
    ///   - filters: The topic filters.
    ///   - includingRetained: Whether retained messages count. Default: `true`.
    ///   - limit: How long to wait for the messages.
    /// - Throws: ``MQTTError``: `invalidArgument`, what `subscribe` throws, or `cancelled`.
    public func collect(
        _ count: Int, from filters: [String], includingRetained: Bool = true, within limit: Duration
    ) async throws -> [MQTTMergedMessages.Element] {
        guard count > 0 else { throw MQTTError(.invalidArgument, "`count` must be at least 1.") }
        let messages = try await self.subscribe(to: filters)
        let limit = messages.makeLimit(limit)
        var found: [MQTTMergedMessages.Element] = []
        while found.count < count, let next = try await messages.next(before: limit) {
            if includingRetained || !next.message.isRetained { found.append(next) }
        }
        return found
    }

    /// Calls `body` for all clients at the same time.
    private func all<Value: Sendable>(
        _ body: @escaping @Sendable (MQTTClient) async throws -> Value
    ) async -> [(String, Result<Value, MQTTError>)] {
        await withTaskGroup(of: (Int, Result<Value, MQTTError>).self) { group in
            for (place, part) in self.clients.enumerated() {
                group.addTask {
                    do { return (place, .success(try await body(part.client))) } catch {
                        return (place, .failure(MQTTError(of: error)))
                    }
                }
            }
            var results: [(Int, Result<Value, MQTTError>)] = []
            for await result in group { results.append(result) }
            return results.sorted { $0.0 < $1.0 }.map { (self.clients[$0.0].name, $0.1) }
        }
    }
}

extension MQTTClients: Service {
    /// Runs all clients as one service; see ``MQTTClient/run()``.
    ///
    /// - Throws: ``MQTTError`` of the first client that gives up, whose message begins with its name. The others are then
    ///   disconnected.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (name, client) in self.clients {
                group.addTask {
                    do { try await client.run() } catch { throw MQTTError(of: error).naming(name) }
                }
            }
            // `waitForAll` would wait for the others after a failure.
            while try await group.next() != nil {}
        }
    }
}

extension MQTTError {
    /// A copy of the error whose message begins with the name of a client.
    fileprivate func naming(_ name: String) -> Self {
        var copy = self
        copy.message = "\(name): \(self.message)"
        return copy
    }
}
