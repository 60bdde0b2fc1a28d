#if Tools
import Curlew
import CurlewCore

/// The messages of a subscription, and the reader's position. Unacknowledged messages stay unacknowledged as long as
/// this object lives.
final class Messages {
    let subscription: MQTTSubscription
    private var iterator: MQTTSubscription.Iterator

    init(_ subscription: MQTTSubscription) {
        self.subscription = subscription
        self.iterator = subscription.makeAsyncIterator()
    }

    /// The number of messages that have arrived and were not read yet.
    var waitingCount: Int { self.iterator.waitingCount }

    /// Stops reading from the broker while more than this many bytes of messages wait.
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

extension Output {
    /// The bytes of messages that may wait before reading pauses. The output holds about as much again.
    static let heldBytes = 4 << 20

    /// Creates an output for messages, which are acknowledged after they have been written.
    convenience init(_ descriptor: Descriptor, of messages: Messages) {
        self.init(descriptor) { [subscription = messages.subscription] written in
            for message in written { subscription.acknowledge(own: message) }
        }
    }

    /// Throws if the task was cancelled before everything was written.
    func requireNothingUnwritten(beside messages: Messages) throws {
        let count = self.unwrittenCount
        guard Task.isCancelled, count > 0 else { return }
        let all = (count + messages.waitingCount).counted("message")
        throw CommandFailure("\(all) received but not written: nobody reads standard output.")
    }
}

extension Conversation {
    /// Connects and subscribes. Each message must be acknowledged explicitly.
    ///
    /// Both calls run on the client's event loop, which keeps them in order: the subscription gets the messages of a
    /// resumed session from the first one on.
    ///
    /// - Parameters:
    ///   - claim: Whether to receive messages for other filters of the session as well.
    ///   - former: Filters of a resumed session to unsubscribe from.
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
