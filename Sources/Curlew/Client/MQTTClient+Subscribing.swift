public import CurlewCore
import NIOCore
import Synchronization

extension MQTTClient {
    /// Subscribes to a topic filter, and returns when the server has granted it.
    ///
    /// Several subscriptions of one client may have the same filter: each gets every message, and the server sends it once. Each
    /// sends a SUBSCRIBE, and only that subscription receives the retained messages; where the server has no subscription
    /// identifiers, as before MQTT 5.0, or with `retainAsPublished`, they go to the others again. When they ask for a different
    /// QoS, the higher one counts; other options must be the same.
    ///
    /// What has come for the filter and nobody has taken yet, of a kept session for example, goes to this subscription first: see
    /// ``MQTTConfiguration/UnclaimedQueue``.
    ///
    /// While there is no connection, the call waits; before ``connect()`` no longer than `connection.connectTimeout`. Once the client has been
    /// disconnected, or has given up for good, it throws at once, until ``connect()`` is called again.
    ///
    /// - Parameters:
    ///   - filter: The topic filter; `$share/{group}/{filter}` for a share of the messages (MQTT 5.0 section 4.8.2).
    ///   - options: How the server shall serve it. Default: QoS 2, so that each message keeps the QoS it was published with.
    ///   - queue: How messages wait for the consumer. Default: `queues.subscription` of the configuration.
    ///   - acknowledgement: When messages are acknowledged. Default: `acknowledgement.policy` of the configuration.
    ///   - timeout: How long to wait for the server. Default: `connection.acknowledgementTimeout`.
    /// - Returns: The messages, those included that came while this call was returning.
    /// - Throws: ``MQTTError``: `invalidTopic`, `subscriptionRefused` with the server's reason code, `notSupportedByServer`,
    ///   `notSupportedByProtocolVersion`, `timedOut`, `notConnected`, `brokeConnections`, `cancelled` or `clientStopped`, and
    ///   what ended the client for good.
    public nonisolated(nonsending) func subscribe(
        to filter: String, options: SubscriptionOptions = SubscriptionOptions(),
        queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil, timeout: Duration? = nil
    ) async throws -> MQTTSubscription {
        try await self.subscribe(
            to: [TopicSubscription(filter, options)], queue: queue, acknowledgement: acknowledgement, timeout: timeout)
    }

    /// Subscribes to several topic filters, each with options of its own, as one sequence of messages. A message that matches
    /// several of them comes once. If the server refuses one filter, none is kept.
    ///
    /// - Throws: As `subscribe(to:options:)` does, and `invalidArgument` for an empty list.
    public nonisolated(nonsending) func subscribe(
        to subscriptions: [TopicSubscription],
        queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil, timeout: Duration? = nil
    ) async throws -> MQTTSubscription {
        try await self.engine.subscribe(
            to: subscriptions.map { ($0.filter, $0.options) }, claim: .matching, queue: queue,
            acknowledgement: acknowledgement, timeout: timeout)
    }

    /// The messages for filters of a kept session: resumes them where the server has kept the session (`session.cleanStart` off,
    /// a client identifier of its own), and subscribes where it has not. Returns at once, also before ``connect()``.
    ///
    /// ```swift
    /// let orders = try client.messages(matching: ["orders/#"])
    /// try await client.connect()
    /// for try await order in orders { … }
    /// ```
    ///
    /// Where the server has kept the session, nothing is sent, on the assumption that it knows the filters; a filter that is new
    /// in this version of the program needs ``subscribe(to:options:queue:acknowledgement:timeout:)``, which asks the server in any
    /// case. Where it has not, or lost the session later, the client subscribes; if the server refuses, the sequence fails with
    /// the code `subscriptionRefused`.
    ///
    /// - Parameters:
    ///   - filters: The topic filters.
    ///   - options: How the server shall serve them, where it is asked. Default: QoS 2, so that each message keeps the QoS it was
    ///     published with.
    ///   - queue: How messages wait for the consumer. Default: `queues.subscription` of the configuration.
    ///   - acknowledgement: When messages are acknowledged. Default: `acknowledgement.policy` of the configuration.
    /// - Throws: ``MQTTError`` with code `invalidTopic`, or `invalidArgument` for an empty list.
    public func messages(
        matching filters: [String], options: SubscriptionOptions = SubscriptionOptions(),
        queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil
    ) throws(MQTTError) -> MQTTSubscription {
        try self.engine.listen(to: filters, resumedWith: options, queue, acknowledgement)
    }

    /// The messages for filters that the server sends without being asked, as one does that makes subscriptions for its clients
    /// by itself. Nothing is sent, at the end neither. Returns at once, also before ``connect()``.
    ///
    /// - Parameters:
    ///   - filters: The topic filters.
    ///   - queue: How messages wait for the consumer. Default: `queues.subscription` of the configuration.
    ///   - acknowledgement: When messages are acknowledged. Default: `acknowledgement.policy` of the configuration.
    /// - Throws: ``MQTTError`` with code `invalidTopic`, or `invalidArgument` for an empty list.
    public func listen(
        to filters: [String], queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil
    ) throws(MQTTError) -> MQTTSubscription {
        try self.engine.listen(to: filters, resumedWith: nil, queue, acknowledgement)
    }

    /// Unsubscribes from topic filters of a kept session that this program no longer wants, and waits until the server has
    /// confirmed. A filter that a subscription of this client has stays.
    ///
    /// - Parameter filters: The topic filters, exactly as they were subscribed to.
    /// - Throws: ``MQTTError`` with code `invalidTopic`, `invalidArgument` for an empty list, `unsubscribeRefused`, `timedOut`,
    ///   `cancelled` or `clientStopped`.
    public nonisolated(nonsending) func unsubscribe(from filters: [String]) async throws {
        try await self.engine.unsubscribe(from: ClientEngine.parse(filters))
    }

    /// Subscribes, runs `body`, then unsubscribes and waits for the broker's answer, also if `body` throws.
    ///
    /// ```swift
    /// try await client.withSubscription(to: "home/#") { messages in
    ///     for try await message in messages.prefix(10) { print(message.topic) }
    /// }
    /// ```
    ///
    /// - Parameters: As for ``subscribe(to:options:queue:acknowledgement:timeout:)``; `body` gets the subscription.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws; and ``MQTTError``, as ``subscribe(to:options:queue:acknowledgement:timeout:)`` and
    ///   ``MQTTSubscription/unsubscribe()`` do.
    public nonisolated(nonsending) func withSubscription<Result>(
        to filter: String, options: SubscriptionOptions = SubscriptionOptions(),
        queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil, timeout: Duration? = nil,
        _ body: (MQTTSubscription) async throws -> Result
    ) async throws -> Result {
        let subscription = try await self.subscribe(
            to: filter, options: options, queue: queue, acknowledgement: acknowledgement, timeout: timeout)
        let result: Result
        do { result = try await body(subscription) } catch {
            // The first error is the one to report.
            try? await subscription.unsubscribe()
            throw error
        }
        try await subscription.unsubscribe()
        return result
    }

    /// Subscribes, and says which unclaimed messages the subscription takes.
    package nonisolated(nonsending) func subscribe(
        to subscriptions: [TopicSubscription], claim: Claim, acknowledgement: MQTTConfiguration.AcknowledgementPolicy?
    ) async throws -> MQTTSubscription {
        try await self.engine.subscribe(
            to: subscriptions.map { ($0.filter, $0.options) }, claim: claim, queue: nil,
            acknowledgement: acknowledgement,
            timeout: nil)
    }

    package nonisolated(nonsending) func unsubscribe(from filters: [TopicFilter]) async throws {
        try await self.engine.unsubscribe(from: filters)
    }
}
