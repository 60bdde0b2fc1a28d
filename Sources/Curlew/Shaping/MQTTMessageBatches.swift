import CurlewCore
import CurlewTransport

/// The messages of a subscription in batches; see ``MQTTSubscription/batched(upTo:within:)``.
public struct MQTTMessageBatches: AsyncSequence, Sendable {
    /// At least one message, in the order of arrival.
    public typealias Element = [MQTTMessage]
    /// Always ``MQTTError`` that ended the subscription.
    public typealias Failure = any Error

    private let subscription: MQTTSubscription
    private let count: Int
    private let limit: Duration

    init(_ subscription: MQTTSubscription, _ count: Int, _ limit: Duration) {
        self.subscription = subscription
        self.count = Swift.max(1, count)
        self.limit = limit
    }

    /// Returns an iterator that starts at the first message that has not been taken.
    public func makeAsyncIterator() -> Iterator { Iterator(cursor: Cursor(self.subscription, self.count, self.limit)) }

    /// Iterates over the batches.
    public struct Iterator: AsyncIteratorProtocol {
        private let cursor: Cursor

        fileprivate init(cursor: Cursor) { self.cursor = cursor }

        /// Acknowledges the messages of the previous batch, then waits for the next one. Returns `nil` at the end of
        /// the subscription, or when the task is cancelled.
        ///
        /// - Throws: ``MQTTError`` that ended the subscription.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> [MQTTMessage]? {
            try await self.cursor.next()
        }

        /// Acknowledges the messages of the previous batch, then waits for the next one. Returns `nil` at the end of
        /// the subscription, or when the task is cancelled.
        ///
        /// - Throws: ``MQTTError`` that ended the subscription.
        public nonisolated(nonsending) mutating func next() async throws -> [MQTTMessage]? {
            try await self.cursor.next()
        }
    }

    /// The position of a loop.
    fileprivate final class Cursor {
        private let subscription: MQTTSubscription
        private let count: Int
        private let limit: Duration
        /// The batch that the consumer is processing.
        private var current: [MQTTMessage] = []
        /// The batch that is not complete.
        private var growing: [MQTTMessage] = []
        /// Set at the end of the subscription.
        private var end: MQTTError??

        init(_ subscription: MQTTSubscription, _ count: Int, _ limit: Duration) {
            self.subscription = subscription
            self.count = count
            self.limit = limit
            subscription.buffer.loopEntered()
        }

        deinit {
            for message in self.current { self.subscription.buffer.acknowledge(message) }
            self.subscription.buffer.loopLeft(returning: self.growing)
        }

        nonisolated(nonsending) func next() async throws(MQTTError) -> [MQTTMessage]? {
            let buffer = self.subscription.buffer
            for message in exchange(&self.current, with: []) { buffer.acknowledge(message) }
            buffer.hand(out: nil)
            var time: TimeLimit?
            while !Task.isCancelled {
                switch buffer.poll(keeping: false) {
                case .message(let message):
                    self.growing.append(message)
                    if self.growing.count == self.count { return self.handOut(buffer) }
                    if time == nil {
                        time = buffer.makeLimit(until: self.subscription.owner.clock.now() + self.limit)
                    }
                case .ended(let error):
                    // The error is told only once, so it waits until the last batch was taken.
                    let end = self.end ?? error
                    self.end = .some(end)
                    if !self.growing.isEmpty { return self.handOut(buffer) }
                    self.end = .some(nil)
                    if let end { throw end }
                    return nil
                case .empty:
                    if let time, time.isOver { return self.handOut(buffer) }
                    await buffer.waitForMessage { time?.isOver ?? false }
                }
            }
            return nil
        }

        private func handOut(_ buffer: SubscriptionBuffer) -> [MQTTMessage] {
            self.current = exchange(&self.growing, with: [])
            buffer.hand(out: self.current.first { $0.token != nil })
            return self.current
        }
    }
}

@available(*, unavailable)
extension MQTTMessageBatches.Iterator: Sendable {}
