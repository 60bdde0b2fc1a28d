public import CurlewCore

/// Observes what happens in the broker. Events that no observer is interested in cost nothing.
///
/// Called on event loops and under no lock, so it may call the broker. It must not block; start a task for anything
/// that takes long.
public protocol MQTTBrokerObserver: Sendable {
    /// The kinds of events to observe. Default: all except those that occur for each single message.
    var interests: MQTTBrokerEvents { get }

    /// Called for each event of the ``interests``.
    func observe(_ event: MQTTBrokerEvent)
}

extension MQTTBrokerObserver {
    /// All except those that occur for each single message.
    public var interests: MQTTBrokerEvents { [.connections, .subscriptions, .dropped, .retained] }
}

/// Kinds of events.
public struct MQTTBrokerEvents: OptionSet, Sendable, Hashable {
    /// One bit for each kind.
    public let rawValue: UInt8

    /// Creates a set from its bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Clients connected and disconnected, refused and taken over.
    public static let connections = Self(rawValue: 1 << 0)
    /// Subscriptions made and ended.
    public static let subscriptions = Self(rawValue: 1 << 1)
    /// Messages that could not be delivered.
    public static let dropped = Self(rawValue: 1 << 2)
    /// Retained messages set and removed.
    public static let retained = Self(rawValue: 1 << 3)
    /// Each acknowledgement of a subscriber; these are many.
    public static let acknowledged = Self(rawValue: 1 << 4)
}

/// What happened. More cases may be added, so a `switch` needs an `@unknown default`.
#if hasAttribute(nonexhaustive)
@nonexhaustive
#endif
public enum MQTTBrokerEvent: Sendable, Hashable {
    /// A client was accepted; `isResumed` says whether its earlier session was resumed.
    case connected(MQTTBrokerClient, isResumed: Bool)
    /// A client was refused with a reason code.
    case refused(MQTTBrokerClient, ReasonCode)
    /// A client has disconnected, with the reason code that one side gave the other, or ``ReasonCode/unspecifiedError``
    /// if the connection was lost.
    case disconnected(MQTTBrokerClient, ReasonCode)
    /// A client made a subscription, or renewed it.
    case subscribed(MQTTBrokerClient, TopicFilter, SubscriptionOptions)
    /// A subscription of a client has ended.
    case unsubscribed(MQTTBrokerClient, TopicFilter)
    /// A message for a client was dropped. If older messages were dropped to make room, the topic is that of the new
    /// message.
    case dropped(clientIdentifier: String, TopicName, MQTTDropReason)
    /// A client acknowledged a message at QoS 1 or 2.
    case acknowledged(clientIdentifier: String, TopicName, ReasonCode)
    /// The retained message of a topic was set (`true`) or removed.
    case retained(TopicName, isSet: Bool)
}

/// Why a message was not delivered to a client. More cases may be added, so a `switch` needs an `@unknown default`.
#if hasAttribute(nonexhaustive)
@nonexhaustive
#endif
public enum MQTTDropReason: Sendable, Hashable {
    /// The client's queue, or the memory for all clients, is full.
    case queueFull
    /// The message's expiry interval passed while it waited.
    case expired
    /// It is larger than the Maximum Packet Size of the client.
    case tooLarge
    /// The client may no longer receive it: the rules have changed while it waited.
    case notAuthorized
}
