import CurlewCore
import CurlewTransport

/// Receives the messages of topic filters: a subscription's buffer, or an inbox for replies.
protocol MessageReceiver: AnyObject, Sendable {
    var id: SubscriberID { get }
    /// The topic filters whose messages it receives.
    var filters: [TopicFilter] { get }
    /// Receives the messages of one read.
    func receive(_ batch: [MQTTMessage])
    /// Receives unclaimed messages, which come before all messages of `receive`. Called under the engine's lock.
    func adopt(_ messages: [MQTTMessage])
    /// A message for this receiver was skipped because it exceeds a limit. `message` has its topic and properties.
    func miss(_ message: MQTTMessage, _ error: MQTTError)
    /// No more messages follow, because of an error or normally (`nil`).
    func finish(_ error: MQTTError?)
    /// The message that the consumer is processing, for the warning about stuck acknowledgements.
    var messageInHand: MQTTMessage? { get }
}

/// What a receiver needs from the client.
protocol ReceiverOwner: AnyObject, Sendable {
    var deadlines: Deadlines { get }
    var clock: MonotonicClock { get }
    /// A consumer is done with a message.
    func acknowledge(_ token: DeliveryToken, _ reasonCode: ReasonCode)
    /// Acknowledges messages that do not wait for a consumer.
    func acknowledge(_ tokens: [DeliveryToken])
    /// A subscription ended before a consumer saw these messages; another subscription may claim them.
    func handBack(_ messages: [MQTTMessage])
    /// The queue of a subscription dropped messages.
    func dropped(_ count: Int, by receiver: any MessageReceiver)
    /// Counts replies that belong to no request.
    func countUnexpectedReplies(_ count: Int)
    /// A subscription holds as many bytes as it wants, so that the connection stops reading, or accepts more again.
    func setFull(_ isFull: Bool, _ id: SubscriberID)
    /// Ends a subscription without waiting for the server. Does nothing if it has already ended.
    func endSubscription(_ id: SubscriberID)
    /// Ends a subscription and waits for the server's confirmation.
    nonisolated(nonsending) func unsubscribe(_ receiver: any MessageReceiver) async throws(MQTTError)
    /// The last reference to the subscription is gone.
    func forget(_ id: SubscriberID)
}

/// The unclaimed messages that a new subscription takes.
package enum Claim: Sendable {
    case nothing
    /// Those that match its filters.
    case matching
    /// All of them, and from now on every message that no other subscription takes, at any QoS.
    case everything
}
