public import CurlewCore

/// What has changed of what a store keeps.
///
/// An enumeration though more may come: a store must not pass over a change that it does not know.
public enum MQTTBrokerChange: Sendable, Hashable {
    /// A session has begun, or something has changed that is said of it; its subscriptions and messages stay.
    case session(MQTTBrokerSnapshot.Session.About)
    /// A session is over, with all that belongs to it.
    case sessionEnded(clientIdentifier: String)
    /// A client has subscribed; an earlier subscription with the same filter is replaced.
    case subscribed(clientIdentifier: String, MQTTBrokerSnapshot.Subscription)
    /// A subscription has ended.
    case unsubscribed(clientIdentifier: String, TopicFilter)
    /// A message at QoS 1 or 2 is to go to a client.
    case deliveryAdded(clientIdentifier: String, MQTTBrokerSnapshot.Delivery)
    /// A message that waited is sent, with that packet identifier.
    case deliverySent(clientIdentifier: String, number: UInt64, PacketID)
    /// A client has received a message at QoS 2: its content is needed no more, its packet identifier is.
    case deliveryReceived(clientIdentifier: String, number: UInt64)
    /// A message is delivered, or was given up.
    case deliveryRemoved(clientIdentifier: String, number: UInt64)
    /// A message at QoS 2 has come from a client, and was passed on.
    case received(clientIdentifier: String, PacketID)
    /// The client has released its packet identifier.
    case released(clientIdentifier: String, PacketID)
    /// A message is retained, in the place of an earlier one of the same topic.
    case retained(MQTTBrokerSnapshot.Retained)
    /// There is no retained message of that topic any more.
    case retainedRemoved(TopicName)
}
