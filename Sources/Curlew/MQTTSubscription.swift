public import CurlewCore
import DequeModule

/// The messages of one subscription, in an order and within bounds that its queue states.
///
/// ```swift
/// for try await message in try await client.subscribe(to: "home/+/temperature") {
///     print(message.topic, message.text)
/// }
/// ```
///
/// A message at QoS 1 or 2 is acknowledged to the server when the loop asks for the next one or is left, unless the
/// acknowledgement policy says otherwise: a program that dies in the middle of a message gets it again. Nothing is acknowledged
/// that the loop has not looked at:
///
/// - Whoever leaves a loop, by `break`, `return`, an error or `first(where:)`, acknowledges the message in hand. The rest stays in
///   the subscription, in its order, for another loop over it. To have a message again that could not be dealt with, use the
///   policy `.manual`.
/// - When its task is cancelled, the loop ends where it asks for the next message; it may be entered again by another task.
/// - The subscription ends when the last reference to it and to its iterators goes. What is left in it goes to the subscription
///   that is made next and matches; see ``MQTTConfiguration/UnclaimedQueue`` for how much waits, and how long.
///   What the server sends afterwards for a filter that no subscription has any more is acknowledged.
/// - ``unsubscribe()`` and ``MQTTClient/disconnect(drain:sessionExpiry:)`` end it as well; a loop over it gets what has come, and
///   then ends. What is not acknowledged when the connection ends is the server's to send again.
///
/// The server is told of the end when no other subscription of this client has the same filter. A subscription survives the
/// loss of the connection. As long as a subscription exists and nobody reads it, it is a slow consumer, with a warning about
/// stuck acknowledgements.
///
/// Iterate over it from one task at a time: two loops over the same subscription share the messages between them.
public final class MQTTSubscription: AsyncSequence, Sendable {
    /// What the sequence consists of.
    public typealias Element = MQTTMessage
    /// How it fails: with an error of code `queueOverflow`, `subscriptionRefused` (the server had lost the session and
    /// refuses now), or the error that ended the client for good.
    public typealias Failure = MQTTError

    let buffer: SubscriptionBuffer
    private let client: MQTTClient

    init(_ buffer: SubscriptionBuffer, client: MQTTClient) {
        self.buffer = buffer
        self.client = client
    }

    deinit {
        self.client.unsubscribeInBackground(self.buffer.id)
        self.buffer.abandon()
    }

    /// The topic filters that were subscribed to.
    public var filters: [TopicFilter] { self.buffer.filters }

    /// How many messages wait in the queue.
    public var queuedCount: Int { self.buffer.counts.queued }

    /// How many messages the queue's overflow policy has dropped.
    public var droppedCount: Int { self.buffer.counts.dropped }

    /// Ends the subscription and waits until the server has confirmed it. A loop over it ends.
    ///
    /// - Throws: ``MQTTError`` with code `unsubscribeRefused`, `timedOut`, `cancelled` or `clientStopped`.
    public nonisolated(nonsending) func unsubscribe() async throws(MQTTError) {
        try await self.client.unsubscribe(self.buffer)
    }

    /// The messages from the first that was not yet taken.
    public func makeAsyncIterator() -> Iterator { Iterator(Cursor(self)) }

    /// Iterates over the messages.
    public struct Iterator: AsyncIteratorProtocol {
        private let cursor: Cursor

        fileprivate init(_ cursor: Cursor) { self.cursor = cursor }

        /// How many messages have come that were not taken.
        package var waitingCount: Int { self.cursor.waitingCount }

        /// Acknowledges the previous message, then waits for the next one. Returns `nil` at the end of the subscription, or
        /// when the task is cancelled.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(MQTTError) -> MQTTMessage? {
            try await self.cursor.next()
        }

        /// Acknowledges the previous message, then waits for the next one. Returns `nil` at the end of the subscription, or
        /// when the task is cancelled.
        public nonisolated(nonsending) mutating func next() async throws(MQTTError) -> MQTTMessage? {
            try await self.cursor.next()
        }
    }

    /// Where a loop stands. When the loop is left, what it has not looked at goes back.
    fileprivate final class Cursor {
        private let subscription: MQTTSubscription
        private var batch = Deque<MQTTMessage>()
        private var current: MQTTMessage?

        init(_ subscription: MQTTSubscription) { self.subscription = subscription }

        var waitingCount: Int { self.batch.count + self.subscription.queuedCount }

        deinit {
            if let current { self.subscription.buffer.pass(current) }
            self.subscription.buffer.hand(out: nil)
            if !self.batch.isEmpty { self.subscription.buffer.putBack(self.batch) }
        }

        nonisolated(nonsending) func next() async throws(MQTTError) -> MQTTMessage? {
            let buffer = self.subscription.buffer
            if let current = exchange(&self.current, with: nil) { buffer.pass(current) }
            guard !Task.isCancelled else {
                buffer.hand(out: nil)
                return nil
            }
            if self.batch.isEmpty {
                buffer.hand(out: nil)
                guard try await buffer.take(into: &self.batch) else { return nil }
            }
            guard let message = self.batch.popFirst() else { return nil }
            if message.token != nil {
                self.current = message
                buffer.hand(out: message)
            }
            return message
        }
    }
}

@available(*, unavailable)
extension MQTTSubscription.Iterator: Sendable {}
