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
/// acknowledgement policy says otherwise: a program that dies in the middle of a message gets it again. Messages that the loop
/// has not looked at are not acknowledged.
///
/// The subscription ends
///
/// - when its loop is left, by `break`, `return`, an error or `first(where:)`, or because its task is cancelled. The message in
///   hand is acknowledged. To get a message again that could not be processed, use the policy `.manual`.
/// - by ``unsubscribe()``, or at the end of
///   ``MQTTClient/withSubscription(to:options:queue:acknowledgement:timeout:_:)``, which both wait for the server's answer.
/// - when the client is disconnected. A loop over it receives what has arrived, and then ends.
/// - when no reference to it remains.
///
/// Messages at QoS 1 and 2 that nobody has looked at then go to the next subscription that matches them; see
/// ``MQTTConfiguration/UnclaimedQueue`` for how many wait, and how long. To take single messages and keep the subscription, use
/// ``next(within:)``.
///
/// The client unsubscribes at the end unless another subscription of this client has the same filter; a session that the broker
/// keeps then gets no more messages for it. To keep the filter for the next run of the program, disconnect the client: loops end
/// by themselves, and nothing is unsubscribed. A subscription survives the loss of the connection. A subscription that nobody reads is a slow consumer, and causes a warning about stuck
/// acknowledgements.
///
/// Two loops over the same subscription share its messages, and it ends when both are left.
public final class MQTTSubscription: AsyncSequence, Sendable {
    /// A message.
    public typealias Element = MQTTMessage
    /// Always ``MQTTError``: with code `queueOverflow`, `subscriptionRefused` (the server lost the session and now refuses the
    /// subscription), or the error that ended the client.
    public typealias Failure = any Error

    let buffer: SubscriptionBuffer
    private let owner: any ReceiverOwner

    init(_ buffer: SubscriptionBuffer, owner: any ReceiverOwner) {
        self.buffer = buffer
        self.owner = owner
    }

    deinit {
        self.buffer.end()
        self.owner.forget(self.buffer.id)
    }

    /// The topic filters that were subscribed to.
    public var filters: [TopicFilter] { self.buffer.filters }

    /// The maximum QoS that the broker granted for each filter when the subscription was made, in the order of ``filters``; empty
    /// for a subscription that was resumed without asking.
    public var grantedQoS: [QoS] { self.buffer.grantedQoS }

    /// How many messages wait in the queue.
    public var queuedCount: Int { self.buffer.counts.queued }

    /// How many messages the queue's overflow policy has dropped.
    public var droppedCount: Int { self.buffer.counts.dropped }

    /// Ends the subscription and waits until the server has confirmed it. A loop over it ends.
    ///
    /// - Throws: ``MQTTError`` with code `unsubscribeRefused`, `timedOut`, `cancelled` or `clientStopped`.
    public nonisolated(nonsending) func unsubscribe() async throws {
        try await self.owner.unsubscribe(self.buffer)
    }

    /// Waits for the next message, and keeps the subscription. A message is acknowledged by the next call, or when no reference to
    /// the subscription remains.
    ///
    /// - Parameter limit: How long to wait.
    /// - Returns: The message; `nil` if none came in time, or the subscription has ended.
    /// - Throws: ``MQTTError``: `cancelled`, or what ended the subscription.
    public nonisolated(nonsending) func next(within limit: Duration) async throws -> MQTTMessage? {
        try await self.buffer.next(within: limit)
    }

    /// Acknowledges a message of a subscription whose policy is `.manual`. Acknowledgements leave in the order in which the
    /// messages arrived: a message that is not acknowledged holds up those behind it.
    ///
    /// - Parameters:
    ///   - message: A message of this subscription. For one at QoS 0 nothing happens.
    ///   - reasonCode: What to tell the server; a failure is sent with MQTT 5.0 only. Default: success.
    /// - Throws: ``MQTTError`` with code `invalidArgument` if the policy is another, the message is not one of this subscription,
    ///   or it was acknowledged before.
    public func acknowledge(_ message: MQTTMessage, reasonCode: ReasonCode = .success) throws(MQTTError) {
        try self.buffer.acknowledge(byHand: message, reasonCode)
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
        ///
        /// - Throws: ``MQTTError`` that ended the subscription.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> MQTTMessage? {
            try await self.cursor.next()
        }

        /// Acknowledges the previous message, then waits for the next one. Returns `nil` at the end of the subscription, or
        /// when the task is cancelled.
        ///
        /// - Throws: ``MQTTError`` that ended the subscription.
        public nonisolated(nonsending) mutating func next() async throws -> MQTTMessage? {
            try await self.cursor.next()
        }
    }

    /// The position of a loop.
    fileprivate final class Cursor {
        private let subscription: MQTTSubscription
        private var batch = Deque<MQTTMessage>()
        private var current: MQTTMessage?

        init(_ subscription: MQTTSubscription) {
            self.subscription = subscription
            subscription.buffer.loopEntered()
        }

        var waitingCount: Int { self.batch.count + self.subscription.queuedCount }

        deinit {
            if let current { self.subscription.buffer.acknowledge(current) }
            self.subscription.buffer.loopLeft(self.batch)
        }

        nonisolated(nonsending) func next() async throws(MQTTError) -> MQTTMessage? {
            let buffer = self.subscription.buffer
            if let current = exchange(&self.current, with: nil) { buffer.acknowledge(current) }
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
