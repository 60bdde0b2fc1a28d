public import CurlewCore
import NIOCore
import Synchronization

// What the program that embeds the broker publishes and receives, without a connection.
extension MQTTBroker {
    /// Publishes a message to all who have subscribed.
    ///
    /// - Returns: How many receivers it goes to: clients that are connected or have a session, and the program's own subscriptions.
    /// - Throws: ``MQTTBrokerError`` when the broker is not running, or a publish filter has refused the message.
    @discardableResult
    public func publish(_ message: MQTTBrokerMessage) async throws(MQTTBrokerError) -> Int {
        try self.requireRunning()
        let worker = self.workers.all[0]
        let engine = self.engine
        let published: BrokerEngine.Published
        do {
            published = try await worker.eventLoop.submit {
                let packet = Publish(
                    topic: message.topic, payload: message.payload, qos: message.qos, retain: message.retain,
                    packetID: message.qos == .atMostOnce ? nil : PacketID(1), properties: message.properties)
                return engine.publish(packet, topic: message.topic, from: nil, on: worker, now: engine.clock.now())
            }.get()
        } catch {
            throw MQTTBrokerError(.notRunning, "The broker is not running.", cause: error)
        }
        switch published {
        case .routed(let count): return count
        case .rejected(let code):
            throw MQTTBrokerError(.invalidArgument, "A publish filter has refused the message: \(code).")
        }
    }

    /// Publishes a text.
    ///
    /// - Parameters:
    ///   - text: The payload.
    ///   - topic: Where to publish it.
    ///   - qos: Default: 0.
    ///   - retain: Whether the broker shall keep it for those who subscribe later. Default: `false`.
    /// - Returns: How many receivers it goes to.
    /// - Throws: ``MQTTBrokerError`` when the topic is not well-formed, the broker is not running, or a publish filter has refused the message.
    @discardableResult
    public func publish(
        _ text: String, to topic: String, qos: QoS = .atMostOnce, retain: Bool = false
    ) async throws(MQTTBrokerError) -> Int {
        let name: TopicName
        do { name = try TopicName(topic) } catch { throw MQTTBrokerError(.invalidArgument, "\(error)", cause: error) }
        return try await self.publish(
            MQTTBrokerMessage(topic: name, payload: ByteBuffer(string: text), qos: qos, retain: retain))
    }

    /// Subscribes within the program.
    ///
    /// - Parameters:
    ///   - filter: A topic filter, shared or not.
    ///   - options: What is asked for. Default: all at the QoS that it was published with.
    ///   - capacity: How many messages may wait; what comes when they are as many is dropped, counted and reported. Default: 10,000.
    /// - Returns: The messages from now on, retained ones first.
    /// - Throws: ``MQTTBrokerError`` when the filter is not well-formed or the broker is not running.
    public func subscribe(
        to filter: String, options: SubscriptionOptions = SubscriptionOptions(), capacity: Int = 10_000
    ) async throws(MQTTBrokerError) -> MQTTBrokerSubscription {
        try self.requireRunning()
        let topicFilter: TopicFilter
        do { topicFilter = try TopicFilter(filter) } catch {
            throw MQTTBrokerError(.invalidArgument, "\(error)", cause: error)
        }
        let subscriber = LocalSubscriber(filter: topicFilter, capacity: max(1, capacity))
        let grant = SubscriptionIndex<Subscriber>.Grant(options)
        self.engine.changeSubscriptions { index in _ = index.insert(topicFilter, .local(subscriber), grant) }
        if !topicFilter.isShared, options.retainHandling != .doNotSend {
            let now = self.engine.clock.now()
            var cursor = self.engine.retained.withLock { $0.matching(topicFilter) }
            while let entry = cursor.next() {
                guard !entry.message.isExpired(at: now) else { continue }
                let message = MQTTBrokerMessage(
                    topic: entry.message.topic, payload: entry.message.payload,
                    qos: min(options.qos, entry.message.qos),
                    retain: true, properties: entry.message.properties)
                guard subscriber.deliver(message) else { break }
            }
        }
        return MQTTBrokerSubscription(subscriber, engine: self.engine)
    }
}

/// The messages of a subscription within the program. Ends when it is no longer referred to, or with ``cancel()``.
public final class MQTTBrokerSubscription: AsyncSequence, Sendable {
    private let subscriber: LocalSubscriber
    private let engine: BrokerEngine

    init(_ subscriber: LocalSubscriber, engine: BrokerEngine) {
        self.subscriber = subscriber
        self.engine = engine
    }

    deinit { self.cancel() }

    /// How many messages were not taken because as many waited as may.
    public var dropped: Int { self.subscriber.dropped }

    /// Ends the subscription; what waits can still be taken.
    public func cancel() {
        self.engine.changeSubscriptions { index in
            _ = index.remove(self.subscriber.filter, .local(self.subscriber))
        }
        self.subscriber.finish()
    }

    /// Takes the messages, in the order in which they came. One task at a time may do so.
    public func makeAsyncIterator() -> Iterator { Iterator(subscription: self) }

    /// Takes the messages one by one.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let subscription: MQTTBrokerSubscription

        /// The next message; `nil` at the end, or when the task is cancelled.
        public mutating func next() async -> MQTTBrokerMessage? { await self.subscription.subscriber.next() }
    }
}
