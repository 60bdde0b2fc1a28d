public import CurlewCore
import NIOCore
import Synchronization

extension MQTTClient {
    /// Subscribes to a topic filter. Returns when the broker has granted it.
    ///
    /// Several subscriptions of a client may use the same filter. The broker sends each message once, and every one of
    /// these subscriptions receives it. Each `subscribe` sends a SUBSCRIBE, so the broker sends the retained messages
    /// each time; only the new subscription receives them. The others receive them again if the broker does not support
    /// subscription identifiers, as before MQTT 5.0, or with `retainAsPublished`. If the subscriptions request
    /// different QoS levels, the highest applies; all other options must be equal.
    ///
    /// Messages for the filter that arrived earlier and that no subscription has taken, for example those of a resumed
    /// session, come first: see ``MQTTConfiguration/UnclaimedQueue``.
    ///
    /// The call waits while there is no connection. Before ``connect(retrying:timeout:)`` is called, it waits for up to
    /// `connection.connectTimeout`. After the client was disconnected or has given up, it throws immediately until
    /// ``connect(retrying:timeout:)`` is called again.
    ///
    /// - Parameters:
    ///   - filter: The topic filter; `$share/{group}/{filter}` for a shared subscription (MQTT 5.0 section 4.8.2).
    ///   - options: The subscription options. Default: QoS 2, so that each message keeps the QoS it was published with.
    ///   - queue: The queue in which messages wait for the consumer. Default: `queues.subscription` of the
    ///     configuration.
    ///   - acknowledgement: When messages are acknowledged. Default: `acknowledgement.policy` of the configuration.
    ///   - timeout: How long to wait for the broker. Default: `connection.acknowledgementTimeout`.
    /// - Returns: The messages, including those that arrived before the call returned.
    /// - Throws: ``MQTTError``: `invalidTopic`, `invalidArgument` if other options than the QoS conflict with those of
    ///   another subscription to the filter, `subscriptionRefused` with the broker's reason code,
    ///   `notSupportedByServer`, `notSupportedByProtocolVersion`, `timedOut`, `notConnected`, `packetAbandoned`,
    ///   `cancelled`, `clientStopped`, or the error with which the client gave up.
    public nonisolated(nonsending) func subscribe(
        to filter: String, options: SubscriptionOptions = SubscriptionOptions(),
        queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil, timeout: Duration? = nil
    ) async throws -> MQTTSubscription {
        try await self.subscribe(
            to: [TopicSubscription(filter, options)], queue: queue, acknowledgement: acknowledgement, timeout: timeout)
    }

    /// Subscribes to several topic filters, each with its own options, as one sequence of messages.
    ///
    /// A message that matches several filters appears once; before MQTT 5.0, only if the broker sends one copy, and not
    /// one for each filter. If the broker refuses one filter, the call unsubscribes from the others and throws.
    ///
    /// - Throws: What `subscribe(to:options:)` throws, and `invalidArgument` for an empty list.
    public nonisolated(nonsending) func subscribe(
        to subscriptions: [TopicSubscription],
        queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil, timeout: Duration? = nil
    ) async throws -> MQTTSubscription {
        try await self.engine.subscribe(
            to: subscriptions.map { ($0.filter, $0.options) }, claim: .matching, queue: queue,
            acknowledgement: acknowledgement, timeout: timeout)
    }

    /// Subscribes to several topic filters with the same options, as one sequence of messages; otherwise the same as
    /// ``subscribe(to:queue:acknowledgement:timeout:)``.
    public nonisolated(nonsending) func subscribe(
        to filters: [String], options: SubscriptionOptions = SubscriptionOptions(),
        queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil, timeout: Duration? = nil
    ) async throws -> MQTTSubscription {
        try await self.subscribe(
            to: filters.map { TopicSubscription($0, options) }, queue: queue, acknowledgement: acknowledgement,
            timeout: timeout)
    }

    /// Returns the messages for filters that an earlier run of the program subscribed to.
    ///
    /// Resumes the subscriptions of the session if the broker kept it, which requires a fixed client identifier and
    /// `session.cleanStart` set to `false`; otherwise subscribes. Returns immediately, even before ``connect(retrying:timeout:)``.
    ///
    /// ```swift
    /// let orders = try client.messages(matching: ["orders/#"])
    /// try await client.connect()
    /// for try await order in orders { … }
    /// ```
    ///
    /// If the broker kept the session, the client assumes that it still has the filters and sends nothing. For a filter
    /// that is new in this version of the program, or that an earlier run has unsubscribed from, use
    /// `subscribe(to:options:)`, which always sends a SUBSCRIBE. If the broker has no session, or loses it later, the
    /// client subscribes. If the broker refuses, the sequence fails with the code `subscriptionRefused`.
    ///
    /// Like any subscription, it unsubscribes when its loop is left or cancelled, and when no reference to it remains.
    /// To keep the filters for the next run, take messages with ``MQTTSubscription/next(within:)``, and disconnect first.
    ///
    /// - Parameters:
    ///   - filters: The topic filters.
    ///   - options: The subscription options, if the client must subscribe. Default: QoS 2, so that each message keeps
    ///     the QoS it was published with.
    ///   - queue: The queue in which messages wait for the consumer. Default: `queues.subscription` of the
    ///     configuration.
    ///   - acknowledgement: When messages are acknowledged. Default: `acknowledgement.policy` of the configuration.
    /// - Throws: ``MQTTError`` with code `invalidTopic`, or `invalidArgument` for an empty list.
    public func messages(
        matching filters: [String], options: SubscriptionOptions = SubscriptionOptions(),
        queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil
    ) throws(MQTTError) -> MQTTSubscription {
        try self.engine.listen(to: filters, resumedWith: options, queue, acknowledgement)
    }

    /// Returns the messages for filters to which the broker subscribes its clients on its own.
    ///
    /// Sends neither SUBSCRIBE nor UNSUBSCRIBE. Returns immediately, even before ``connect(retrying:timeout:)``.
    ///
    /// - Parameters:
    ///   - filters: The topic filters.
    ///   - queue: The queue in which messages wait for the consumer. Default: `queues.subscription` of the
    ///     configuration.
    ///   - acknowledgement: When messages are acknowledged. Default: `acknowledgement.policy` of the configuration.
    /// - Throws: ``MQTTError`` with code `invalidTopic`, or `invalidArgument` for an empty list.
    public func listen(
        to filters: [String], queue: MQTTConfiguration.SubscriptionQueue? = nil,
        acknowledgement: MQTTConfiguration.AcknowledgementPolicy? = nil
    ) throws(MQTTError) -> MQTTSubscription {
        try self.engine.listen(to: filters, resumedWith: nil, queue, acknowledgement)
    }

    /// Unsubscribes from topic filters that an earlier run of the program left in the session.
    ///
    /// Waits until the broker confirms it. A filter that a subscription of this client uses stays subscribed.
    ///
    /// - Parameter filters: The topic filters, exactly as they were subscribed to.
    /// - Throws: ``MQTTError``: `invalidTopic`, `invalidArgument` for an empty list, `unsubscribeRefused`, `timedOut`,
    ///   `notConnected`, `packetAbandoned`, `cancelled`, `clientStopped`, or the error with which the client gave up.
    public nonisolated(nonsending) func unsubscribe(from filters: [String]) async throws {
        try await self.engine.unsubscribe(from: ClientEngine.parse(filters))
    }

    /// Subscribes, runs `body`, then unsubscribes and waits for the broker's answer, even if `body` throws.
    ///
    /// ```swift
    /// try await client.withSubscription(to: "home/#") { messages in
    ///     for try await message in messages.prefix(10) { print(message.topic) }
    /// }
    /// ```
    ///
    /// - Parameters: Those of `subscribe(to:options:)`; `body` receives
    ///   the subscription.
    /// - Returns: What `body` returns.
    /// - Throws: What `body`, `subscribe(to:options:)` or
    ///   ``MQTTSubscription/unsubscribe()`` throws.
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

    /// Subscribes, with a choice of the unclaimed messages that the subscription takes.
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
