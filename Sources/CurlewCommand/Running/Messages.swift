#if Tools
    import Curlew
    import CurlewCore

    /// The messages of a subscription, with the place where its reader stands. As long as it lives, what was not acknowledged
    /// stays so.
    final class Messages {
        private var iterator: MQTTSubscription.Iterator

        private let subscription: MQTTSubscription

        init(_ subscription: MQTTSubscription) {
            self.subscription = subscription
            self.iterator = subscription.makeAsyncIterator()
        }

        /// How many messages have come that were not taken.
        var waitingCount: Int { self.iterator.waitingCount }

        /// Has the broker wait when so many bytes of memory wait here.
        func holdReading(above bytes: Int) { self.subscription.holdReading(above: bytes) }

        /// `nil` at the end, and when the task is cancelled.
        nonisolated(nonsending) func next() async throws(MQTTError) -> MQTTMessage? {
            try await self.iterator.next()
        }
    }

    extension Conversation {
        /// Connects and subscribes; each message is to be acknowledged by hand.
        ///
        /// The client must know the filters before it connects: a server that has kept a session sends what it gathered as soon
        /// as it can. Both calls run on the client's event loop, which keeps them in order.
        ///
        /// - Parameter former: Filters that a kept session still has, to be given up.
        func subscribe(
            to filters: [TopicFilter], _ options: SubscriptionOptions, givingUp former: [TopicFilter] = []
        ) async throws -> Messages {
            let leaving = try former.map { try self.client.messages(matching: $0.string) }
            let subscribing = Task(executorPreference: self.client.executor) {
                try await self.client.subscribe(
                    to: filters.map { ($0.string, options) }, acknowledgement: .manual)
            }
            let connecting = Task(executorPreference: self.client.executor) { try await self.connect() }
            return try await withTaskCancellationHandler {
                do {
                    try await connecting.value
                    let messages = Messages(try await subscribing.value)
                    for subscription in leaving { try await subscription.unsubscribe() }
                    return messages
                } catch {
                    subscribing.cancel()
                    throw error
                }
            } onCancel: {
                connecting.cancel()
                subscribing.cancel()
            }
        }
    }
#endif
