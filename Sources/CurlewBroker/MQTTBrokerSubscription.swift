public import CurlewCore
import CurlewTransport
import Synchronization

/// The messages of a subscription within the program.
///
/// ```swift
/// for await message in try await broker.subscribe(to: "home/#") {
///     print(message.topic, message.text)
/// }
/// ```
///
/// The subscription ends when its loop ends, by ``unsubscribe()``, when the broker stops, or when no reference to it
/// remains. Several loops share the messages; the subscription ends when the last one has ended.
public final class MQTTBrokerSubscription: AsyncSequence, Sendable {
    /// A message.
    public typealias Element = MQTTBrokerMessage
    /// The sequence throws no errors.
    public typealias Failure = Never

    private let subscriber: LocalSubscriber
    private let engine: BrokerEngine
    /// The number of loops.
    private let loops = Mutex(0)

    init(_ subscriber: LocalSubscriber, engine: BrokerEngine) {
        self.subscriber = subscriber
        self.engine = engine
    }

    deinit { self.unsubscribe() }

    /// The topic filter of the subscription.
    public var filter: TopicFilter { self.subscriber.filter }

    /// The number of messages that wait to be taken.
    public var queuedCount: Int { self.subscriber.counts.queued }

    /// The number of messages that were dropped because the queue was full.
    public var droppedCount: Int { self.subscriber.counts.dropped }

    /// Ends the subscription. Messages in its queue can still be taken.
    public func unsubscribe() {
        self.engine.changeSubscriptions { index in
            _ = index.remove(self.subscriber.filter, .local(self.subscriber))
        }
        self.engine.localSubscribers.withLock { _ = $0.remove(self.subscriber) }
        self.subscriber.finish()
    }

    /// Waits for the next message and keeps the subscription, unlike a loop that ends.
    ///
    /// - Parameter limit: How long to wait.
    /// - Returns: The message; `nil` if none arrived in time, if the subscription has ended, or if the task is
    ///   cancelled.
    public nonisolated(nonsending) func next(within limit: Duration) async -> MQTTBrokerMessage? {
        let timeIsUp = Latch()
        let deadline = self.engine.deadlines.schedule(after: limit) { [subscriber] in
            timeIsUp.raise()
            subscriber.wake()
        }
        defer { self.engine.deadlines.cancel(deadline) }
        if limit <= .zero { timeIsUp.raise() }
        return await self.subscriber.next { timeIsUp.isRaised }
    }

    /// Returns an iterator over the messages in the order of arrival.
    public func makeAsyncIterator() -> Iterator { Iterator(Loop(self)) }

    /// Iterates over the messages.
    public struct Iterator: AsyncIteratorProtocol {
        private let loop: Loop

        fileprivate init(_ loop: Loop) { self.loop = loop }

        /// Waits for the next message. Returns `nil` at the end of the subscription, or when the task is cancelled,
        /// which `Task.isCancelled` tells from the end.
        public mutating func next(isolation actor: isolated (any Actor)?) async -> MQTTBrokerMessage? {
            await self.loop.subscription.subscriber.next()
        }

        /// Waits for the next message. Returns `nil` at the end of the subscription, or when the task is cancelled,
        /// which `Task.isCancelled` tells from the end.
        public nonisolated(nonsending) mutating func next() async -> MQTTBrokerMessage? {
            await self.loop.subscription.subscriber.next()
        }
    }

    /// One loop over the subscription.
    fileprivate final class Loop {
        let subscription: MQTTBrokerSubscription

        init(_ subscription: MQTTBrokerSubscription) {
            self.subscription = subscription
            subscription.loops.withLock { $0 += 1 }
        }

        deinit {
            let isLast = self.subscription.loops.withLock { loops in
                loops -= 1
                return loops == 0
            }
            if isLast { self.subscription.unsubscribe() }
        }
    }
}

@available(*, unavailable)
extension MQTTBrokerSubscription.Iterator: Sendable {}
