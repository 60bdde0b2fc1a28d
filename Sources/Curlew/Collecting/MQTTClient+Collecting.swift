public import CurlewCore

extension MQTTClient {
    /// Returns the first `count` messages, or those that arrived in time.
    ///
    /// ```swift
    /// let readings = try await client.collect(5, from: "home/+/temperature", within: .seconds(10))
    /// ```
    ///
    /// Subscribes, collects and unsubscribes. Concurrent calls and subscriptions with the same filter share one
    /// subscription at the broker, and each receives every message. A message at QoS 1 or 2 that arrives after the last
    /// one wanted goes to the next call or subscription that matches it; see ``MQTTConfiguration/UnclaimedQueue``.
    ///
    /// - Parameters:
    ///   - count: The maximum number of messages to return, at least 1.
    ///   - filter: The topic filter.
    ///   - options: The subscription options. Default: QoS 2, so that each message keeps the QoS it was published with.
    ///   - includingRetained: Whether retained messages count, which the broker sends at the beginning. Default: `true`.
    ///   - limit: How long to wait, including the broker's answer to the subscription.
    ///   - isLast: Returns whether a message is the last one wanted; it is part of the result. Default: all are wanted.
    /// - Returns: The messages in the order of their arrival; empty if none arrived in time.
    /// - Throws: ``MQTTError``: `invalidArgument`, what `subscribe(to:)` throws, `cancelled`, or the error that ended
    ///   the subscription. ``MQTTError/messages`` contains those that had arrived. Also what `isLast` throws.
    public nonisolated(nonsending) func collect(
        _ count: Int, from filter: String, options: SubscriptionOptions = SubscriptionOptions(),
        includingRetained: Bool = true, within limit: Duration,
        until isLast: (MQTTMessage) async throws -> Bool = { _ in false }
    ) async throws -> [MQTTMessage] {
        try await self.collect(
            count, from: [TopicSubscription(filter, options)], includingRetained: includingRetained, within: limit,
            until: isLast)
    }

    /// Returns the first `count` messages for several topic filters, or those that arrived in time.
    ///
    /// A message that matches several filters counts once. Otherwise the same as
    /// `collect(_:from:within:)`.
    public nonisolated(nonsending) func collect(
        _ count: Int, from subscriptions: [TopicSubscription], includingRetained: Bool = true, within limit: Duration,
        until isLast: (MQTTMessage) async throws -> Bool = { _ in false }
    ) async throws -> [MQTTMessage] {
        try await Collector(subscriptions, includingRetained: includingRetained, within: limit)
            .collect(count, on: self.engine, until: isLast).messages
    }

    /// Returns the first `count` messages for several topic filters with the same options; otherwise the same as
    /// ``collect(_:from:includingRetained:within:until:)``.
    public nonisolated(nonsending) func collect(
        _ count: Int, from filters: [String], options: SubscriptionOptions = SubscriptionOptions(),
        includingRetained: Bool = true, within limit: Duration,
        until isLast: (MQTTMessage) async throws -> Bool = { _ in false }
    ) async throws -> [MQTTMessage] {
        try await self.collect(
            count, from: filters.map { TopicSubscription($0, options) }, includingRetained: includingRetained,
            within: limit, until: isLast)
    }

    /// Returns `count` messages, or throws if fewer arrived in time.
    ///
    /// - Parameters: Those of `collect(_:from:within:)`.
    /// - Throws: ``MQTTError`` with code `timedOut` if fewer arrived; ``MQTTError/messages`` contains them. Otherwise
    ///   what `collect(_:from:within:)` throws.
    public nonisolated(nonsending) func collect(
        exactly count: Int, from filter: String, options: SubscriptionOptions = SubscriptionOptions(),
        includingRetained: Bool = true, within limit: Duration
    ) async throws -> [MQTTMessage] {
        try await self.collect(
            exactly: count, from: [TopicSubscription(filter, options)], includingRetained: includingRetained,
            within: limit)
    }

    /// Returns `count` messages for several topic filters, or throws if fewer arrived in time.
    ///
    /// - Throws: ``MQTTError`` with code `timedOut` if fewer arrived; ``MQTTError/messages`` contains them. Otherwise
    ///   what `collect(_:from:within:)` throws.
    public nonisolated(nonsending) func collect(
        exactly count: Int, from subscriptions: [TopicSubscription], includingRetained: Bool = true,
        within limit: Duration
    ) async throws -> [MQTTMessage] {
        let collector = Collector(subscriptions, includingRetained: includingRetained, within: limit)
        let result = try await collector.collect(count, on: self.engine)
        guard result.isComplete else { throw collector.tooFew(result.messages, of: count) }
        return result.messages
    }

    /// Returns the first message, or the first one that satisfies a condition.
    ///
    /// ```swift
    /// let temperature = try await client.first(from: "home/kitchen/temperature", within: .seconds(5)).text
    /// ```
    ///
    /// A retained message arrives immediately: this call then returns the latest known value of the topic.
    ///
    /// - Parameters:
    ///   - filter: The topic filter.
    ///   - options: The subscription options. Default: QoS 2, so that the message keeps the QoS it was published with.
    ///   - includingRetained: Whether a retained message counts. Default: `true`.
    ///   - limit: How long to wait, including the broker's answer to the subscription.
    ///   - isWanted: Returns whether a message is the one to return; the others are discarded. Default: the first is.
    /// - Throws: ``MQTTError`` with code `timedOut` if no such message arrived, what `subscribe(to:)` throws,
    ///   `cancelled`, or the error that ended the subscription. Also what `isWanted` throws.
    public nonisolated(nonsending) func first(
        from filter: String, options: SubscriptionOptions = SubscriptionOptions(), includingRetained: Bool = true,
        within limit: Duration, where isWanted: (MQTTMessage) async throws -> Bool = { _ in true }
    ) async throws -> MQTTMessage {
        let collector = Collector(
            [TopicSubscription(filter, options)], includingRetained: includingRetained, within: limit)
        let result = try await collector.collect(1, on: self.engine, where: isWanted)
        guard let message = result.messages.first else { throw collector.tooFew([], of: 1) }
        return message
    }
}
