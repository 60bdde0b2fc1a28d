public import CurlewCore

// These do not use swift-async-algorithms: its sequences ask for the next message before the previous one is processed,
// which acknowledges it, and they know no topics.
extension MQTTSubscription {
    /// The latest message of each topic: while the loop is busy, a message replaces the earlier one of its topic.
    ///
    /// ```swift
    /// for try await message in subscription.latest() { await draw(message) }
    /// ```
    public func latest() -> MQTTConflatedMessages<TopicName> { self.latest { $0.topic } }

    /// The latest message of each key: while the loop is busy, a message replaces the earlier one with its key.
    ///
    /// - Parameter key: Returns the key of a message, for example a level of its topic.
    public func latest<Key: Hashable & Sendable>(
        by key: @escaping @Sendable (MQTTMessage) -> Key
    ) -> MQTTConflatedMessages<Key> {
        MQTTConflatedMessages(self, .none, by: key)
    }

    /// The last message of each topic, once no newer one has arrived for some time: for values that change in bursts.
    ///
    /// - Parameter time: The quiet period.
    public func debounced(for time: Duration) -> MQTTConflatedMessages<TopicName> {
        self.debounced(for: time) { $0.topic }
    }

    /// The last message of each key after which no other with the key arrived for some time.
    ///
    /// - Parameters:
    ///   - time: The quiet period.
    ///   - key: Returns the key of a message.
    public func debounced<Key: Hashable & Sendable>(
        for time: Duration, by key: @escaping @Sendable (MQTTMessage) -> Key
    ) -> MQTTConflatedMessages<Key> {
        MQTTConflatedMessages(self, .quiet(time), by: key)
    }

    /// At most one message of each topic in an interval: the first at once, then the latest of each interval.
    ///
    /// - Parameter interval: The shortest time between two messages of a topic.
    public func throttled(to interval: Duration) -> MQTTConflatedMessages<TopicName> {
        self.throttled(to: interval) { $0.topic }
    }

    /// At most one message of each key in an interval: the first at once, then the latest of each interval.
    ///
    /// - Parameters:
    ///   - interval: The shortest time between two messages with the same key.
    ///   - key: Returns the key of a message.
    public func throttled<Key: Hashable & Sendable>(
        to interval: Duration, by key: @escaping @Sendable (MQTTMessage) -> Key
    ) -> MQTTConflatedMessages<Key> {
        MQTTConflatedMessages(self, .spaced(interval), by: key)
    }

    /// The messages in batches, for stores that prefer to write many at once.
    ///
    /// ```swift
    /// for try await batch in subscription.batched(upTo: 500, within: .seconds(1)) { try await store(batch) }
    /// ```
    ///
    /// The messages of a batch are acknowledged when the loop asks for the next one.
    ///
    /// - Parameters:
    ///   - count: The maximum number of messages of a batch, at least 1.
    ///   - limit: How long a batch waits for more messages after its first.
    public func batched(upTo count: Int, within limit: Duration) -> MQTTMessageBatches {
        MQTTMessageBatches(self, count, limit)
    }
}

/// A message and its decoded payload.
public struct MQTTDecoded<Value: Sendable>: Sendable {
    /// The decoded payload.
    public let value: Value
    /// The message.
    public let message: MQTTMessage
}

/// What to do with a message that does not decode.
public enum MQTTMisfitPolicy: Sendable {
    /// Continue with the next message.
    case skip
    /// End the sequence with the error.
    case fail
}

extension AsyncSequence where Element == MQTTMessage, Self: Sendable {
    /// Decodes each message.
    ///
    /// ```swift
    /// for try await reading in subscription.decoded(as: Reading.self, onMisfit: { _, _ in .skip }) {
    ///     print(reading.message.topic, reading.value.celsius)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - type: The type to decode.
    ///   - coder: Decodes the payloads. Default: JSON.
    ///   - onMisfit: Decides what to do with a message that does not decode. The error says why.
    public func decoded<Value: Decodable & Sendable & SendableMetatype>(
        as type: Value.Type = Value.self, with coder: any MQTTPayloadCoder = .json,
        onMisfit: @escaping @Sendable (MQTTMessage, MQTTError) -> MQTTMisfitPolicy
    ) -> AsyncThrowingCompactMapSequence<Self, MQTTDecoded<Value>> {
        self.compactMap { message throws in
            do throws(MQTTError) {
                return MQTTDecoded(value: try message.decode(Value.self, with: coder), message: message)
            } catch {
                guard onMisfit(message, error) == .skip else { throw error }
                return nil
            }
        }
    }
}
