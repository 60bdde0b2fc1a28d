public import CurlewCore

/// Is told what happens. Every method does nothing unless implemented; what is not implemented costs nothing.
///
/// Called on event loops: it must not block, and what takes long belongs in a task of its own.
public protocol MQTTBrokerObserver: Sendable {
    /// The kinds of events that this observer wants to be told of. Default: all but those for each single message.
    var interests: MQTTBrokerEvents { get }

    /// Something happened.
    func observe(_ event: MQTTBrokerEvent)
}

extension MQTTBrokerObserver {
    /// All but those for each single message.
    public var interests: MQTTBrokerEvents { [.connections, .subscriptions, .dropped, .retained] }
}

/// Kinds of events, to say which an observer wants.
public struct MQTTBrokerEvents: OptionSet, Sendable, Hashable {
    /// One bit a kind.
    public let rawValue: UInt8

    /// Makes a set of its bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Clients connected and disconnected, refused and taken over.
    public static let connections = Self(rawValue: 1 << 0)
    /// Subscriptions made and given up.
    public static let subscriptions = Self(rawValue: 1 << 1)
    /// Messages that could not be delivered.
    public static let dropped = Self(rawValue: 1 << 2)
    /// Retained messages set and removed.
    public static let retained = Self(rawValue: 1 << 3)
    /// Every acknowledgement of a subscriber: many.
    public static let acknowledged = Self(rawValue: 1 << 4)
}

/// What happened.
public enum MQTTBrokerEvent: Sendable, Hashable {
    /// A client was accepted; `resumed` tells whether it found its earlier session.
    case connected(MQTTBrokerClient, resumed: Bool)
    /// A client was refused with a reason code.
    case refused(MQTTBrokerClient, ReasonCode)
    /// A client is gone, with the reason that one side gave the other, or ``ReasonCode/unspecifiedError`` if the connection was lost.
    case disconnected(MQTTBrokerClient, ReasonCode)
    /// A client made a subscription, or renewed it.
    case subscribed(MQTTBrokerClient, TopicFilter, SubscriptionOptions)
    /// A client gave up a subscription.
    case unsubscribed(MQTTBrokerClient, TopicFilter)
    /// A message for that client was given up; of older ones that made room, the topic is that of the message that came.
    case dropped(clientIdentifier: String, TopicName, MQTTDropReason)
    /// A client acknowledged a message at QoS 1 or 2.
    case acknowledged(clientIdentifier: String, TopicName, ReasonCode)
    /// The retained message of a topic was set (`true`) or removed.
    case retained(TopicName, isSet: Bool)
}

/// Why a message was not delivered to a client.
public enum MQTTDropReason: Sendable, Hashable {
    /// As many or as large messages wait for the client as its queue, or all queues together, may hold.
    case queueFull
    /// The message's expiry interval passed while it waited.
    case expired
    /// It is larger than the client accepts.
    case tooLarge
    /// The client may not receive it any more: the rules have changed while it waited.
    case notAuthorized
}
