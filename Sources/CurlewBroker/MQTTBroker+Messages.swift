public import CurlewCore
import NIOCore
import Synchronization

// Publishing and subscribing by the embedding program, without a connection.
extension MQTTBroker {
    /// Publishes a message to all subscribers. With a store, this returns once the store has committed the message. At
    /// QoS 1 and 2 it also waits for slow clients, up to ``MQTTBrokerConfiguration/Limits/maximumPublisherDelay``.
    ///
    /// - Returns: The number of receivers: clients that are connected or have a session, and the program's own
    ///   subscriptions. Receivers whose queues are full do not count.
    /// - Throws: ``MQTTBrokerError``: `notRunning`, `publishRefused` with the reason code of a publish filter, or
    ///   `storageFailed` if the message was sent but not stored before the broker stopped or the task was cancelled.
    @discardableResult
    public func publish(_ message: MQTTBrokerMessage) async throws -> Int {
        try self.requireRunning()
        let worker = self.workers.all[0]
        let engine = self.engine
        let hold = ProgramHold()
        let published: BrokerEngine.Published
        do {
            published = try await worker.eventLoop.submit {
                engine.publish(
                    Publish(message), topic: message.topic, from: nil, holding: hold, on: worker,
                    now: engine.clock.now())
            }.get()
        } catch {
            throw MQTTBrokerError(.notRunning, "The broker is not running.", cause: error)
        }
        switch published {
        case .routed(let routing):
            guard await engine.journal?.wait(for: routing.effects.position) ?? true else {
                throw MQTTBrokerError(
                    .storageFailed, "The message was sent, but may not have been stored.")
            }
            if !routing.holders.isEmpty { await hold.wait(for: routing, engine: engine) }
            return routing.receivers
        case .rejected(let code):
            throw MQTTBrokerError(.publishRefused, "A publish filter refused the message.", reasonCode: code)
        }
    }

    /// Publishes a message to all subscribers.
    ///
    /// - Parameters:
    ///   - payload: Text, bytes or a buffer.
    ///   - topic: The topic name, without wildcards (MQTT 5.0 section 4.7).
    ///   - qos: The quality of service. Default: at most once.
    ///   - retain: Whether the broker keeps the message for later subscribers. Default: `false`.
    ///   - properties: The MQTT 5.0 properties of the message. Default: none.
    /// - Returns: The number of receivers.
    /// - Throws: ``MQTTBrokerError``: `invalidTopic`, `notRunning`, `publishRefused` with the reason code of a publish
    ///   filter, or `storageFailed` if the message was sent but not stored before the broker stopped or the task was
    ///   cancelled.
    @discardableResult
    public func publish(
        _ payload: some MQTTPayload, to topic: String, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: MessageProperties = MessageProperties()
    ) async throws -> Int {
        let name: TopicName
        do { name = try TopicName(topic) } catch { throw MQTTBrokerError(.invalidTopic, "\(error)", cause: error) }
        return try await self.publish(
            MQTTBrokerMessage(
                topic: name, payload: payload.mqttPayload, qos: qos, retain: retain, properties: properties))
    }

    /// Subscribes within the program.
    ///
    /// - Parameters:
    ///   - filter: A topic filter, shared or not.
    ///   - options: The subscription options. Default: all messages, at the QoS that they were published with.
    ///   - capacity: How many messages may wait to be taken. Further messages are dropped, counted and reported.
    ///     Default: 10,000.
    /// - Returns: The messages from now on, retained ones first.
    /// - Throws: ``MQTTBrokerError``: `invalidTopic` or `notRunning`.
    public func subscribe(
        to filter: String, options: SubscriptionOptions = SubscriptionOptions(), capacity: Int = 10_000
    ) async throws -> MQTTBrokerSubscription {
        try self.requireRunning()
        let topicFilter: TopicFilter
        do { topicFilter = try TopicFilter(filter) } catch {
            throw MQTTBrokerError(.invalidTopic, "\(error)", cause: error)
        }
        let subscriber = LocalSubscriber(
            filter: topicFilter, capacity: max(1, capacity),
            patience: self.engine.configuration.limits.maximumPublisherDelay, clock: self.engine.clock)
        let grant = SubscriptionGrant(options)
        self.engine.localSubscribers.withLock { _ = $0.insert(subscriber) }
        self.engine.changeSubscriptions { index in _ = index.insert(topicFilter, .local(subscriber), grant) }
        subscriber.begin(
            with: topicFilter.isShared || options.retainHandling == .doNotSend
                ? [] : self.retained(topicFilter, qos: options.qos, maximum: subscriber.capacity))
        return MQTTBrokerSubscription(subscriber, engine: self.engine)
    }
}

extension MQTTBroker {
    /// The retained messages that match a filter, as a new subscription receives them.
    private func retained(_ filter: TopicFilter, qos: QoS, maximum: Int) -> [(BrokerMessage, DeliveryTerms)] {
        let now = self.engine.clock.now()
        var cursor = self.engine.retained.withLock { $0.matching(filter) }
        var messages: [(BrokerMessage, DeliveryTerms)] = []
        var steps = Int.max
        while messages.count < maximum, let entry = cursor.next(steps: &steps) {
            let message = entry.message
            guard !message.isExpired(at: now), self.engine.retained.withLock({ $0.isCurrent(message) }) else {
                continue
            }
            messages.append((message, DeliveryTerms(qos: min(qos, message.qos), retain: true)))
        }
        return messages
    }
}
