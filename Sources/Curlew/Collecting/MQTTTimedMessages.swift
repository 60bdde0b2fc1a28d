import CurlewCore

extension MQTTSubscription {
    /// The messages that arrive within a time limit, which begins now.
    ///
    /// ```swift
    /// for try await message in subscription.within(.seconds(5)) { print(message.topic) }
    /// ```
    ///
    /// The subscription stays open when the time is up or the loop ends early: its next loop or
    /// ``next(within:)`` acknowledges the last message. It ends when no reference to it remains.
    ///
    /// - Parameter limit: How long to wait for messages. Those that are in the queue when the time is up still count.
    public func within(_ limit: Duration) -> MQTTTimedMessages {
        MQTTTimedMessages(self, until: self.owner.clock.now() + limit)
    }
}

/// The messages of a subscription within a time limit; see ``MQTTSubscription/within(_:)``.
public struct MQTTTimedMessages: AsyncSequence, Sendable {
    /// A message.
    public typealias Element = MQTTMessage
    /// Always ``MQTTError``: `cancelled`, or what ended the subscription.
    public typealias Failure = any Error

    private let subscription: MQTTSubscription
    private let limit: TimeLimit

    init(_ subscription: MQTTSubscription, until end: Timestamp) {
        self.subscription = subscription
        self.limit = subscription.buffer.makeLimit(until: end)
    }

    /// Returns an iterator that starts at the first message that has not been taken.
    public func makeAsyncIterator() -> Iterator { Iterator(self.subscription, self.limit) }

    /// Iterates over the messages.
    public struct Iterator: AsyncIteratorProtocol {
        private let subscription: MQTTSubscription
        private let limit: TimeLimit
        /// How many messages may still follow once the time is up: those that were in the queue then. Without this
        /// bound, messages that arrive faster than they are taken would prolong the time.
        private var overtime: Int?

        fileprivate init(_ subscription: MQTTSubscription, _ limit: TimeLimit) {
            self.subscription = subscription
            self.limit = limit
        }

        /// Acknowledges the previous message, then waits for the next one. Returns `nil` when the time is up, or at the
        /// end of the subscription.
        ///
        /// - Throws: ``MQTTError``: `cancelled`, or what ended the subscription.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> MQTTMessage? {
            try await self.next()
        }

        /// Acknowledges the previous message, then waits for the next one. Returns `nil` when the time is up, or at the
        /// end of the subscription.
        ///
        /// - Throws: ``MQTTError``: `cancelled`, or what ended the subscription.
        public nonisolated(nonsending) mutating func next() async throws -> MQTTMessage? {
            let buffer = self.subscription.buffer
            if self.limit.isOver {
                let allowed = self.overtime ?? buffer.counts.queued
                guard allowed > 0 else {
                    buffer.acknowledgeReturned()
                    return nil
                }
                self.overtime = allowed - 1
            }
            return try await buffer.next(before: self.limit)
        }
    }
}

@available(*, unavailable)
extension MQTTTimedMessages.Iterator: Sendable {}
