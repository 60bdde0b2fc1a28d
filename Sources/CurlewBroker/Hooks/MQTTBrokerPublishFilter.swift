public import CurlewCore

/// Inspects each message before it is routed, and may replace or deny it.
///
/// Filters run in order, each with the result of the previous one. They are called for messages of clients, for wills,
/// and for messages of the embedding program, but not for the broker's own `$SYS` topics.
public protocol MQTTBrokerPublishFilter: Sendable {
    /// Decides about one message. Called on the publisher's event loop and under no lock; must not block.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - client: The publisher; `nil` for the embedding program.
    func willPublish(_ message: MQTTBrokerMessage, from client: MQTTBrokerClient?) -> MQTTPublishDecision
}

/// What a publish filter decides.
#if hasAttribute(nonexhaustive)
@nonexhaustive
#endif
public enum MQTTPublishDecision: Sendable, Hashable {
    /// Publishes the message unchanged.
    case allow
    /// Publishes this message instead.
    case replace(MQTTBrokerMessage)
    /// Drops the message. A publisher at QoS 1 or 2 gets this reason code, such as
    /// ``ReasonCode/payloadFormatInvalid`` or ``ReasonCode/quotaExceeded``.
    case deny(ReasonCode)
}
