import CurlewCore
import CurlewTransport

/// Who gets the messages of a filter: a subscription's queue, or the inbox of replies.
protocol MessageReceiver: AnyObject, Sendable {
    var id: SubscriberID { get }
    /// The filters whose messages it gets.
    var filters: [TopicFilter] { get }
    /// Takes the messages of one read.
    func receive(_ batch: [MQTTMessage])
    /// Takes unclaimed messages, which go before anything that it receives. Called under the engine's lock.
    func adopt(_ messages: [MQTTMessage])
    /// A message for it was too large and was left out; this one has its topic and properties.
    func miss(_ message: MQTTMessage, _ error: MQTTError)
    /// No more messages will come: normally, or because of an error.
    func finish(_ error: MQTTError?)
    /// The message that its consumer works on, for the warning about stuck acknowledgements.
    var messageInHand: MQTTMessage? { get }
}

/// The client's side of a receiver.
protocol ReceiverOwner: AnyObject, Sendable {
    var deadlines: Deadlines { get }
    /// A consumer is done with a message.
    func acknowledge(_ token: DeliveryToken, _ reasonCode: ReasonCode)
    /// These messages need no consumer to be acknowledged.
    func acknowledge(_ tokens: [DeliveryToken])
    /// A subscription has ended before anybody looked at these messages: another may claim them.
    func handBack(_ messages: [MQTTMessage])
    /// The queue of a subscription has dropped messages.
    func dropped(_ count: Int, by receiver: any MessageReceiver)
    /// Replies came that answer no request.
    func countUnexpectedReplies(_ count: Int)
    /// A subscription has as much as it wants, so that the connection rests; or takes more again.
    func setFull(_ isFull: Bool, _ id: SubscriberID)
    /// Ends a subscription without waiting for the server. Does nothing if it has ended already.
    func endSubscription(_ id: SubscriberID)
    /// Ends a subscription, and waits for the server's confirmation.
    nonisolated(nonsending) func unsubscribe(_ receiver: any MessageReceiver) async throws(MQTTError)
    /// No reference to the subscription is left.
    func forget(_ id: SubscriberID)
}

/// Which unclaimed messages a new subscription takes.
package enum Claim: Sendable {
    case nothing
    /// Those that its filters match.
    case matching
    /// All, and whatever comes from now on that no other subscription takes, at any QoS.
    case everything
}
