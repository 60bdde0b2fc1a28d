#if Tools
import Curlew
import CurlewCore

/// The messages of a subscription, with the place where its reader stands. As long as it lives, what was not acknowledged
/// stays so.
final class Messages {
    let subscription: MQTTSubscription
    private var iterator: MQTTSubscription.Iterator

    init(_ subscription: MQTTSubscription) {
        self.subscription = subscription
        self.iterator = subscription.makeAsyncIterator()
    }

    /// How many messages have come that were not taken.
    var waitingCount: Int { self.iterator.waitingCount }

    /// Stops reading from the broker while so many bytes of memory wait here.
    func holdReading(above bytes: Int) { self.subscription.holdReading(above: bytes) }

    /// `nil` at the end, and when the task is cancelled.
    nonisolated(nonsending) func next() async throws -> MQTTMessage? { try await self.iterator.next() }
}

extension MQTTSubscription {
    /// Acknowledges a message of this subscription, once.
    func acknowledge(own message: MQTTMessage) {
        do throws(MQTTError) { try self.acknowledge(message) } catch { assertionFailure("\(error)") }
    }
}

extension Conversation {
    /// Connects and subscribes; each message is to be acknowledged by hand.
    ///
    /// Both calls run on the client's event loop, which keeps them in order: what a kept session sends comes to the
    /// subscription from the beginning.
    ///
    /// - Parameters:
    ///   - claim: Whether to take what comes for other filters as well: of the kept session, or of the server's own.
    ///   - former: Filters that a kept session still has, to be given up.
    func subscribe(
        to filters: [TopicFilter], _ options: SubscriptionOptions, claim: Claim = .matching,
        givingUp former: [TopicFilter] = []
    ) async throws -> Messages {
        let subscribing = Task(executorPreference: self.client.executor) {
            try await self.client.subscribe(
                to: filters.map { TopicSubscription($0.string, options) }, claim: claim, acknowledgement: .manual)
        }
        let connecting = Task(executorPreference: self.client.executor) { try await self.connect() }
        return try await withTaskCancellationHandler {
            do {
                try await connecting.value
                let messages = Messages(try await subscribing.value)
                if !former.isEmpty { try await self.client.unsubscribe(from: former) }
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
