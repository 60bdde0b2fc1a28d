public import CurlewCore

/// A change of what a store keeps.
///
/// An enumeration although cases may be added: a store must not ignore a change that it does not know.
public enum MQTTBrokerChange: Sendable, Hashable {
    /// A session has begun, or its description has changed; its subscriptions and messages stay.
    case session(MQTTBrokerSnapshot.Session.About)
    /// A session has ended, with everything that belongs to it.
    case sessionEnded(clientIdentifier: String)
    /// A client has subscribed; an earlier subscription with the same filter is replaced.
    case subscribed(clientIdentifier: String, MQTTBrokerSnapshot.Subscription)
    /// A subscription has ended.
    case unsubscribed(clientIdentifier: String, TopicFilter)
    /// A message at QoS 1 or 2 waits for a client.
    case deliveryAdded(clientIdentifier: String, MQTTBrokerSnapshot.Delivery)
    /// A message that waited is sent, with this packet identifier.
    case deliverySent(clientIdentifier: String, number: UInt64, PacketID)
    /// A client has received a message at QoS 2. Its content is no longer needed, but its packet identifier is.
    case deliveryReceived(clientIdentifier: String, number: UInt64)
    /// A message was delivered or dropped.
    case deliveryRemoved(clientIdentifier: String, number: UInt64)
    /// A message at QoS 2 was received from a client and routed.
    case received(clientIdentifier: String, PacketID)
    /// The client has released its packet identifier.
    case released(clientIdentifier: String, PacketID)
    /// A message is retained, and replaces an earlier one of the same topic.
    case retained(MQTTBrokerSnapshot.Retained)
    /// The retained message of a topic was removed.
    case retainedRemoved(TopicName)
}
