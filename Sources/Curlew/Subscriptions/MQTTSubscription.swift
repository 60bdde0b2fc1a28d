public import CurlewCore
import DequeModule

/// The messages of one subscription, in the order and within the limits of its queue.
///
/// ```swift
/// for try await message in try await client.subscribe(to: "home/+/temperature") {
///     print(message.topic, message.text)
/// }
/// ```
///
/// When the loop asks for the next message or ends, the previous message at QoS 1 or 2 is acknowledged to the server,
/// unless the acknowledgement policy says otherwise. A program that crashes while it processes a message gets the
/// message again. Messages that the loop has not returned are not acknowledged.
///
/// The subscription ends
///
/// - when its loop ends: by `break`, `return`, an error or `first(where:)`, or because its task is cancelled. The
///   current message is acknowledged. To get a message again that could not be processed, use the policy `.manual`.
/// - by ``unsubscribe()``, or at the end of
///   ``MQTTClient/withSubscription(to:options:queue:acknowledgement:timeout:_:)``. Both wait for the broker's answer.
/// - when the client is disconnected. A loop over it first receives the messages that have arrived.
/// - when no reference to it remains.
///
/// Messages at QoS 1 and 2 that no consumer has seen then go to the next matching subscription;
/// ``MQTTConfiguration/UnclaimedQueue`` limits how many wait, and how long. To take single messages and keep the
/// subscription, use ``next(within:)``.
///
/// When the subscription ends, the client unsubscribes, unless another subscription of this client has the same filter.
/// A session that the broker keeps then gets no more messages for it. To keep the filter for the next run of the
/// program, disconnect the client instead: its loops end, and it does not unsubscribe.
///
/// A subscription survives the loss of the connection. A subscription that nobody reads acts as a slow consumer and
/// causes a warning about stuck acknowledgements.
///
/// Two loops over the same subscription share its messages; it ends when both loops have ended.
public final class MQTTSubscription: AsyncSequence, Sendable {
    /// A message.
    public typealias Element = MQTTMessage
    /// Always ``MQTTError``: with the code `queueOverflow`, `packetTooLarge` (with the overflow policy `.fail`, if the
    /// client skipped a message), `subscriptionRefused` (the broker lost the session and now refuses the subscription)
    /// or `packetAbandoned`, or the error that ended the client.
    public typealias Failure = any Error

    let buffer: SubscriptionBuffer
    let owner: any ReceiverOwner

    init(_ buffer: SubscriptionBuffer, owner: any ReceiverOwner) {
        self.buffer = buffer
        self.owner = owner
    }

    deinit {
        self.buffer.end()
        self.owner.forget(self.buffer.id)
    }

    /// The topic filters of the subscription.
    public var filters: [TopicFilter] { self.buffer.filters }

    /// The maximum QoS that the broker granted for each filter, in the order of ``filters``; empty for a subscription
    /// that was resumed without a SUBSCRIBE.
    public var grantedQoS: [QoS] { self.buffer.grantedQoS }

    /// The number of messages in the queue.
    public var queuedCount: Int { self.buffer.counts.queued }

    /// The number of messages that the queue's overflow policy has dropped.
    public var droppedCount: Int { self.buffer.counts.dropped }

    /// Ends the subscription and waits until the broker confirms it. A loop over it ends.
    ///
    /// - Throws: ``MQTTError`` with code `unsubscribeRefused`, `timedOut`, `cancelled`, `notConnected` or
    ///   `clientStopped`.
    public nonisolated(nonsending) func unsubscribe() async throws {
        self.buffer.acknowledgeReturned()
        try await self.owner.unsubscribe(self.buffer)
    }

    /// Waits for the next message and keeps the subscription, even if the task is cancelled. The next call acknowledges
    /// the message; so does a loop that begins, ``unsubscribe()``, and the end of the last reference to the subscription.
    /// A disconnect does not: a broker that keeps the session delivers the message again.
    ///
    /// - Parameter limit: How long to wait. Default: no limit.
    /// - Returns: The message; `nil` if none came in time, or the subscription has ended, which ``hasEnded`` tells apart.
    /// - Throws: ``MQTTError``: `cancelled`, or what ended the subscription.
    public nonisolated(nonsending) func next(within limit: Duration? = nil) async throws -> MQTTMessage? {
        try await self.buffer.next(within: limit)
    }

    /// Whether the subscription has ended and no message is left in its queue.
    public var hasEnded: Bool { self.buffer.hasEnded }

    /// Acknowledges a message of a subscription with the policy `.manual`. Acknowledgements are sent in the order in
    /// which the messages arrived: an unacknowledged message delays all later ones.
    ///
    /// - Parameters:
    ///   - message: A message of this subscription. At QoS 0 the call does nothing.
    ///   - reasonCode: The reason code to send; a failure is sent only with MQTT 5.0. Default: success.
    /// - Throws: ``MQTTError`` with code `invalidArgument` if the policy is not `.manual`, or if the message does not
    ///   belong to this subscription or was already acknowledged.
    public func acknowledge(_ message: MQTTMessage, reasonCode: ReasonCode = .success) throws(MQTTError) {
        try self.buffer.acknowledge(byHand: message, reasonCode)
    }

    /// Returns an iterator that starts at the first message that has not been taken.
    public func makeAsyncIterator() -> Iterator { Iterator(Cursor(self)) }

    /// Iterates over the messages.
    public struct Iterator: AsyncIteratorProtocol {
        private let cursor: Cursor

        fileprivate init(_ cursor: Cursor) { self.cursor = cursor }

        /// The number of messages that have arrived and have not been taken.
        package var waitingCount: Int { self.cursor.waitingCount }

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
