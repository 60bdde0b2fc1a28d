import CurlewCore
import CurlewTransport

/// The latest messages of a subscription by topic or another key; see ``MQTTSubscription/latest(by:)``,
/// ``MQTTSubscription/debounced(for:by:)`` and ``MQTTSubscription/throttled(to:by:)``.
///
/// A message that a later one replaces is acknowledged. The subscription ends when the last loop over it or over this
/// sequence ends.
public struct MQTTConflatedMessages<Key: Hashable & Sendable>: AsyncSequence, Sendable {
    /// A message.
    public typealias Element = MQTTMessage
    /// Always ``MQTTError`` that ended the subscription.
    public typealias Failure = any Error

    private let subscription: MQTTSubscription
    private let pace: Conflater<Key, MQTTMessage>.Pace
    private let key: @Sendable (MQTTMessage) -> Key

    init(
        _ subscription: MQTTSubscription, _ pace: Conflater<Key, MQTTMessage>.Pace,
        by key: @escaping @Sendable (MQTTMessage) -> Key
    ) {
        self.subscription = subscription
        self.pace = pace
        self.key = key
    }

    /// Returns an iterator that starts at the first message that has not been taken.
    public func makeAsyncIterator() -> Iterator { Iterator(cursor: Cursor(self.subscription, self.pace, self.key)) }

    /// Iterates over the messages.
    public struct Iterator: AsyncIteratorProtocol {
        private let cursor: Cursor

        fileprivate init(cursor: Cursor) { self.cursor = cursor }

        /// Acknowledges the previous message, then waits for the next one. Returns `nil` at the end of the
        /// subscription, or when the task is cancelled.
        ///
        /// - Throws: ``MQTTError`` that ended the subscription.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> MQTTMessage? {
            try await self.cursor.next()
        }

        /// Acknowledges the previous message, then waits for the next one. Returns `nil` at the end of the
        /// subscription, or when the task is cancelled.
        ///
        /// - Throws: ``MQTTError`` that ended the subscription.
        public nonisolated(nonsending) mutating func next() async throws -> MQTTMessage? {
            try await self.cursor.next()
        }
    }

    /// The position of a loop.
    fileprivate final class Cursor {
        private let subscription: MQTTSubscription
        private let key: @Sendable (MQTTMessage) -> Key
        private var conflater: Conflater<Key, MQTTMessage>
        private var current: MQTTMessage?
        /// Set at the end of the subscription.
        private var end: MQTTError??

        init(
            _ subscription: MQTTSubscription, _ pace: Conflater<Key, MQTTMessage>.Pace,
            _ key: @escaping @Sendable (MQTTMessage) -> Key
        ) {
            self.subscription = subscription
            self.key = key
            self.conflater = Conflater(pace)
            subscription.buffer.loopEntered()
        }

        deinit {
            if let current { self.subscription.buffer.acknowledge(current) }
            self.subscription.buffer.loopLeft(returning: self.conflater.removeAll())
        }

        nonisolated(nonsending) func next() async throws(MQTTError) -> MQTTMessage? {
            let buffer = self.subscription.buffer
            if let current = exchange(&self.current, with: nil) { buffer.acknowledge(current) }
            buffer.hand(out: nil)
            while !Task.isCancelled {
                self.takeAll(from: buffer)
                let now = self.subscription.owner.clock.now()
                switch self.conflater.next(now: now, flushes: self.end != nil) {
                case .item(let message):
                    self.current = message.token == nil ? nil : message
                    buffer.hand(out: self.current)
                    return message
                case .wait(let time):
                    let limit = buffer.makeLimit(until: time)
                    await buffer.waitForMessage { limit.isOver || self.isFull }
                    // With no room for more, only the time helps.
                    if self.isFull { await limit.wait() }
                case .empty:
                    if let end { if let error = end { throw error } else { return nil } }
                    await buffer.waitForMessage()
                }
            }
            return nil
        }

        /// The queue keeps what does not fit, within its own bounds.
        private var isFull: Bool { self.conflater.count >= shapingLimit }

        private func takeAll(from buffer: SubscriptionBuffer) {
            while self.end == nil, !self.isFull {
                switch buffer.poll(keeping: false) {
                case .message(let message):
                    let now = self.subscription.owner.clock.now()
                    if let replaced = self.conflater.add(message, key: self.key(message), now: now) {
                        buffer.acknowledge(replaced)
                    }
                case .empty: return
                case .ended(let error): self.end = .some(error)
                }
            }
        }
    }
}

/// The maximum number of messages that wait outside the queue of their subscription.
private let shapingLimit = 10_000

@available(*, unavailable)
extension MQTTConflatedMessages.Iterator: Sendable {}
