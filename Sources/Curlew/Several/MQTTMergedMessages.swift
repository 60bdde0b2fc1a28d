import CurlewTransport

/// The messages of the same subscription at several brokers; see ``MQTTClients``.
///
/// Takes messages from the brokers in turn, so that a busy one does not hide the others. When the loop asks for the next
/// message, the previous one is acknowledged. If the subscription ends at one broker, the messages of the others continue.
/// The subscriptions end when no reference to the sequence remains.
public final class MQTTMergedMessages: AsyncSequence, Sendable {
    /// A message and the name of the client that received it.
    public typealias Element = (source: String, message: MQTTMessage)
    /// Always ``MQTTError``: why the last of the subscriptions ended.
    public typealias Failure = any Error

    private let parts: [(source: String, subscription: MQTTSubscription)]
    /// A message arrived for one of the subscriptions.
    private let changed: Condition

    init(_ parts: [(source: String, subscription: MQTTSubscription)], _ changed: Condition) {
        self.parts = parts
        self.changed = changed
    }

    /// Returns an iterator that starts at the first messages that have not been taken.
    public func makeAsyncIterator() -> Iterator { Iterator(self.parts, self.changed) }

    /// Iterates over the messages.
    public struct Iterator: AsyncIteratorProtocol {
        private let parts: [(source: String, subscription: MQTTSubscription)]
        private let changed: Condition
        /// The part that has the next turn.
        private var turn = 0
        /// The part of the message that was returned last.
        private var current: Int?
        /// The parts that have ended.
        private var ended: Set<Int> = []
        /// Why the last of them ended.
        private var failure: MQTTError?

        fileprivate init(_ parts: [(source: String, subscription: MQTTSubscription)], _ changed: Condition) {
            self.parts = parts
            self.changed = changed
        }

        /// Acknowledges the previous message, then waits for the next one. Returns `nil` when all subscriptions have
        /// ended, or the task is cancelled.
        ///
        /// - Throws: ``MQTTError``: why the last subscription ended.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> Element? {
            try await self.next()
        }

        /// Acknowledges the previous message, then waits for the next one. Returns `nil` when all subscriptions have
        /// ended, or the task is cancelled.
        ///
        /// - Throws: ``MQTTError``: why the last subscription ended.
        public nonisolated(nonsending) mutating func next() async throws -> Element? {
            if let current { self.parts[current].subscription.buffer.acknowledgeReturned() }
            self.current = nil
            while !Task.isCancelled {
                for offset in self.parts.indices {
                    let place = (self.turn + offset) % self.parts.count
                    let part = self.parts[place]
                    switch part.subscription.buffer.poll() {
                    case .message(let message):
                        self.turn = (place + 1) % self.parts.count
                        self.current = place
                        return (part.source, message)
                    case .empty: break
                    case .ended(let error):
                        self.ended.insert(place)
                        if let error { self.failure = error }
                    }
                }
                guard self.ended.count < self.parts.count else {
                    if let failure { throw failure }
                    return nil
                }
                let (parts, ended) = (self.parts, self.ended)
                await self.changed.wait {
                    !parts.indices.contains { !ended.contains($0) && parts[$0].subscription.buffer.hasNews }
                }
            }
            return nil
        }
    }
}

@available(*, unavailable)
extension MQTTMergedMessages.Iterator: Sendable {}
