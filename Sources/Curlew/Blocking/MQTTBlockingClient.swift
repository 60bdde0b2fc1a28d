public import CurlewCore
import CurlewTransport

extension MQTTClient {
    /// The client for code without async: the same connection, with calls that block their thread.
    ///
    /// ```swift
    /// let client = try MQTTClient("mqtt://localhost").blocking
    /// try client.connect()
    /// try client.publish("on", to: "home/lamp", qos: .atLeastOnce)
    /// let replies = try client.request("status", to: "fleet/all/rpc", count: 100, timeout: .seconds(5))
    /// ```
    public var blocking: MQTTBlockingClient { MQTTBlockingClient(self) }
}

/// A client whose calls block their thread until they are done; see ``MQTTClient/blocking``.
///
/// Any number of threads may call it at once, over the one connection of its client. Every wait has the same time limits
/// as the async method with the same name. A call from a task or an event loop, whose threads must not block, throws
/// ``MQTTError`` with code `mustNotBlock`.
public struct MQTTBlockingClient: Sendable {
    /// The client with the async methods.
    public let client: MQTTClient

    init(_ client: MQTTClient) { self.client = client }

    // MARK: Connecting

    /// Connects and stays connected; see ``MQTTClient/connect(retrying:timeout:)``. Returns immediately if the client is
    /// connected.
    @discardableResult
    public func connect(retrying: Bool = false, timeout: Duration? = nil) throws(MQTTError) -> Bool {
        try self.client.engine.blockThread { [client] in
            try await client.connect(retrying: retrying, timeout: timeout)
        }
    }

    /// Waits until all accepted messages are sent and acknowledged, then disconnects; see
    /// ``MQTTClient/disconnect(drain:sessionExpiry:)``.
    ///
    /// - Throws: ``MQTTError`` with code `mustNotBlock`.
    @discardableResult
    public func disconnect(
        drain: Duration? = nil, sessionExpiry: MQTTConfiguration.Expiry? = nil
    ) throws(MQTTError) -> DrainReport {
        try self.client.engine.blockThread { [client] in
            await client.disconnect(drain: drain, sessionExpiry: sessionExpiry)
        }
    }

    // MARK: Publishing

    /// Publishes a message and waits until it is written (QoS 0) or acknowledged by the broker (QoS 1 and 2); see
    /// ``MQTTClient/publish(_:to:qos:retain:properties:timeout:)``.
    @discardableResult
    public func publish(
        _ payload: some MQTTPayload, to topic: String, qos: QoS? = nil, retain: Bool? = nil,
        properties: MessageProperties = MessageProperties(), timeout: Duration? = nil
    ) throws(MQTTError) -> ReasonCode {
        let engine = self.client.engine
        return try engine.publishBlocking(
            engine.makeMessage(payload.mqttPayload, topic, qos, retain, properties), timeout: timeout)
    }

    /// Publishes a value as JSON and waits; see
    /// ``MQTTClient/publish(json:to:qos:retain:properties:timeout:)``.
    @discardableResult
    public func publish(
        json value: some Encodable, to topic: String, qos: QoS? = nil, retain: Bool? = nil,
        properties: MessageProperties = MessageProperties(), timeout: Duration? = nil
    ) throws(MQTTError) -> ReasonCode {
        let coder = MQTTJSONCoder()
        var properties = properties
        properties.contentType = properties.contentType ?? coder.contentType
        return try self.publish(
            coder.payload(of: value), to: topic, qos: qos, retain: retain, properties: properties, timeout: timeout)
    }

    /// Puts a message in the outbox and returns immediately; see ``MQTTClient/enqueue(_:to:qos:retain:properties:)``.
    /// The result can be waited for (``PendingPublish/wait(timeout:)``), polled and cancelled.
    @discardableResult
    public func enqueue(
        _ payload: some MQTTPayload, to topic: String, qos: QoS? = nil, retain: Bool? = nil,
        properties: MessageProperties = MessageProperties()
    ) throws(MQTTError) -> PendingPublish {
        try self.client.enqueue(payload, to: topic, qos: qos, retain: retain, properties: properties)
    }

    /// Puts a value as JSON in the outbox and returns immediately; see
    /// ``MQTTClient/enqueue(json:to:qos:retain:properties:)``.
    @discardableResult
    public func enqueue(
        json value: some Encodable, to topic: String, qos: QoS? = nil, retain: Bool? = nil,
        properties: MessageProperties = MessageProperties()
    ) throws(MQTTError) -> PendingPublish {
        try self.client.enqueue(json: value, to: topic, qos: qos, retain: retain, properties: properties)
    }

    // MARK: Requesting

    /// Sends a request and returns the first reply; see
    /// ``MQTTClient/request(_:to:qos:properties:responseTopic:timeout:)``.
    public func request(
        _ payload: some MQTTPayload, to topic: String, qos: QoS = .atLeastOnce,
        properties: MessageProperties = MessageProperties(), responseTopic: String? = nil,
        timeout: Duration = .seconds(5)
    ) throws(MQTTError) -> MQTTMessage {
        let payload = payload.mqttPayload
        return try self.client.engine.blockThread { [client] in
            try await client.request(
                payload, to: topic, qos: qos, properties: properties, responseTopic: responseTopic, timeout: timeout)
        }
    }

    /// Sends a request and returns the first `count` replies, or those that arrived in time; see
    /// ``MQTTClient/request(_:to:count:qos:properties:responseTopic:timeout:)``.
    public func request(
        _ payload: some MQTTPayload, to topic: String, count: Int, qos: QoS = .atLeastOnce,
        properties: MessageProperties = MessageProperties(), responseTopic: String? = nil,
        timeout: Duration = .seconds(5)
    ) throws(MQTTError) -> [MQTTMessage] {
        let payload = payload.mqttPayload
        return try self.client.engine.blockThread { [client] in
            try await client.request(
                payload, to: topic, count: count, qos: qos, properties: properties, responseTopic: responseTopic,
                timeout: timeout)
        }
    }

    /// Sends a request and returns the first `count` replies on topics of the responders' choice; see
    /// ``MQTTClient/request(_:to:repliesOn:count:qos:properties:timeout:)``.
    public func request(
        _ payload: some MQTTPayload, to topic: String, repliesOn filters: [String], count: Int = 1,
        qos: QoS = .atLeastOnce, properties: MessageProperties = MessageProperties(), timeout: Duration = .seconds(5)
    ) throws(MQTTError) -> [MQTTMessage] {
        let payload = payload.mqttPayload
        return try self.client.engine.blockThread { [client] in
            try await client.request(
                payload, to: topic, repliesOn: filters, count: count, qos: qos, properties: properties,
                timeout: timeout)
        }
    }

    /// Starts a request and returns immediately; see
    /// ``MQTTClient/startRequest(_:to:qos:properties:responseTopic:timeout:)``. The result can be waited for
    /// (``MQTTPending/wait(within:)``), polled and cancelled.
    public func startRequest(
        _ payload: some MQTTPayload, to topic: String, qos: QoS = .atLeastOnce,
        properties: MessageProperties = MessageProperties(), responseTopic: String? = nil,
        timeout: Duration = .seconds(5)
    ) -> MQTTPending<MQTTMessage> {
        self.client.startRequest(
            payload, to: topic, qos: qos, properties: properties, responseTopic: responseTopic, timeout: timeout)
    }

    /// Starts work with the client and returns immediately; see ``MQTTClient/start(_:)``.
    public func start<Value: Sendable>(
        _ work: @escaping @Sendable (MQTTClient) async throws -> Value
    ) -> MQTTPending<Value> {
        self.client.start(work)
    }

    // MARK: Async code

    /// Runs async code and blocks the thread until it has ended: for methods without a blocking version.
    ///
    /// ```swift
    /// let first = try client.blocking.run { client in
    ///     try await client.subscribe(to: "home/#").latest().first { $0.qos == .exactlyOnce }
    /// }
    /// ```
    ///
    /// - Throws: ``MQTTError`` with code `mustNotBlock`, or what the closure throws.
    public func run<Value: Sendable>(
        _ body: @escaping @Sendable (MQTTClient) async throws -> Value
    ) throws -> Value {
        try self.client.engine.requireBlockableThread()
        let ended = BlockingOneShot<Result<Value, any Error>>()
        // The thread waits for the task, so nobody else has to keep it.
        Task { [client] in
            do { ended.set(.success(try await body(client))) } catch { ended.set(.failure(error)) }
        }
        return try ended.wait().get()
    }

    // MARK: Receiving

    /// Returns the first `count` messages, or those that arrived in time; see
    /// ``MQTTClient/collect(_:from:includingRetained:within:until:)``.
    public func collect(
        _ count: Int, from filter: String, includingRetained: Bool = true, within limit: Duration,
        until isLast: @escaping @Sendable (MQTTMessage) -> Bool = { _ in false }
    ) throws(MQTTError) -> [MQTTMessage] {
        try self.collect(count, from: [filter], includingRetained: includingRetained, within: limit, until: isLast)
    }

    /// Returns the first `count` messages for several topic filters, or those that arrived in time; see
    /// ``MQTTClient/collect(_:from:includingRetained:within:until:)``.
    public func collect(
        _ count: Int, from filters: [String], includingRetained: Bool = true, within limit: Duration,
        until isLast: @escaping @Sendable (MQTTMessage) -> Bool = { _ in false }
    ) throws(MQTTError) -> [MQTTMessage] {
        let subscriptions = filters.map { TopicSubscription($0) }
        return try self.client.engine.blockThread { [client] in
            try await client.collect(
                count, from: subscriptions, includingRetained: includingRetained, within: limit, until: isLast)
        }
    }

    /// Returns `count` messages, or throws if fewer arrived in time; see
    /// ``MQTTClient/collect(exactly:from:includingRetained:within:)``.
    public func collect(
        exactly count: Int, from filters: [String], includingRetained: Bool = true, within limit: Duration
    ) throws(MQTTError) -> [MQTTMessage] {
        let subscriptions = filters.map { TopicSubscription($0) }
        return try self.client.engine.blockThread { [client] in
            try await client.collect(
                exactly: count, from: subscriptions, includingRetained: includingRetained, within: limit)
        }
    }

    /// Returns the first message; see ``MQTTClient/first(from:options:includingRetained:within:where:)``.
    public func first(
        from filter: String, includingRetained: Bool = true, within limit: Duration,
        where isWanted: @escaping @Sendable (MQTTMessage) -> Bool = { _ in true }
    ) throws(MQTTError) -> MQTTMessage {
        try self.client.engine.blockThread { [client] in
            try await client.first(from: filter, includingRetained: includingRetained, within: limit, where: isWanted)
        }
    }

    /// Subscribes to a topic filter; see ``MQTTClient/subscribe(to:queue:acknowledgement:timeout:)``.
    public func subscribe(
        to filter: String, queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil, timeout: Duration? = nil
    ) throws(MQTTError) -> MQTTBlockingSubscription {
        try self.subscribe(
            to: [TopicSubscription(filter)], queue: queue, acknowledgement: acknowledgement, timeout: timeout)
    }

    /// Subscribes to several topic filters; see ``MQTTClient/subscribe(to:queue:acknowledgement:timeout:)``.
    public func subscribe(
        to filters: [String], options: SubscriptionOptions = SubscriptionOptions(),
        queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil, timeout: Duration? = nil
    ) throws(MQTTError) -> MQTTBlockingSubscription {
        try self.subscribe(
            to: filters.map { TopicSubscription($0, options) }, queue: queue, acknowledgement: acknowledgement,
            timeout: timeout)
    }

    /// Subscribes to several topic filters, each with its own options; see
    /// ``MQTTClient/subscribe(to:queue:acknowledgement:timeout:)``.
    public func subscribe(
        to subscriptions: [TopicSubscription], queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil, timeout: Duration? = nil
    ) throws(MQTTError) -> MQTTBlockingSubscription {
        let subscription = try self.client.engine.blockThread { [client] in
            try await client.subscribe(
                to: subscriptions, queue: queue, acknowledgement: acknowledgement, timeout: timeout)
        }
        return MQTTBlockingSubscription(subscription, self.client.engine)
    }
}
