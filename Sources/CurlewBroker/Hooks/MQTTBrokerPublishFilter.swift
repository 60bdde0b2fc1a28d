public import CurlewCore

/// Sees each message before it is routed, and may change or refuse it.
///
/// Filters are asked in order, each with what the one before it passed on. They see what clients publish, wills, and what the program itself
/// publishes; not the broker's own `$SYS` topics.
public protocol MQTTBrokerPublishFilter: Sendable {
    /// Decides about one message. Called on the event loop of the publisher: it must not block.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - client: Who publishes it; `nil` when the program that embeds the broker does.
    func willPublish(_ message: MQTTBrokerMessage, from client: MQTTBrokerClient?) -> MQTTPublishDecision
}

/// What a publish filter decides.
public enum MQTTPublishDecision: Sendable, Hashable {
    /// The message goes on as it is.
    case pass
    /// This message goes on in its place.
    case replace(MQTTBrokerMessage)
    /// The message reaches nobody; a publisher at QoS 1 or 2 is told this reason code of PUBACK, such as
    /// ``ReasonCode/payloadFormatInvalid`` or ``ReasonCode/quotaExceeded``.
    case reject(ReasonCode)
}
