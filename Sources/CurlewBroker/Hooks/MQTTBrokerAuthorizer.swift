public import CurlewCore

/// Decides what clients may do.
///
/// The broker asks its authorizers in order; the first one that does not abstain decides. If all abstain, the action is
/// allowed.
public protocol MQTTBrokerAuthorizer: Sendable {
    /// Decides about one action. Called on event loops, under no lock, and possibly for every message: it must not
    /// block, and should take no more than a microsecond or two. Decisions are cached for the same client and topic
    /// until a reload.
    func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision

    /// Whether the authorizer also decides about ``MQTTBrokerAction/receive(_:)``, for each topic and subscriber.
    /// Needed if a client may subscribe to a filter without being allowed to receive everything that matches it.
    /// Default: `false`.
    var checksReceiving: Bool { get }

    /// Reads its source, such as a file, again. Default: does nothing.
    ///
    /// - Throws: What is wrong with the source; its earlier content stays in force.
    func reload() async throws
}

extension MQTTBrokerAuthorizer {
    /// `false`.
    public var checksReceiving: Bool { false }

    /// Does nothing.
    public func reload() async throws {}
}

/// What a client wants to do. More cases may be added, so a `switch` needs an `@unknown default`, which should abstain
/// or deny.
#if hasAttribute(nonexhaustive)
@nonexhaustive
#endif
public enum MQTTBrokerAction: Sendable, Hashable {
    /// Publish to a topic. Also asked for the will of a client that connects.
    case publish(TopicName)
    /// Make a subscription. Asked when the client subscribes, and again after a reload and when the client returns
    /// through another listener.
    case subscribe(TopicFilter)
    /// Receive messages of that topic, by a subscription that was allowed. Asked when a message is published, and again
    /// about what waits for a client when the client connects and after a reload. Asked only of an authorizer that
    /// ``MQTTBrokerAuthorizer/checksReceiving``.
    case receive(TopicName)
}

/// What an authorizer decides.
#if hasAttribute(nonexhaustive)
@nonexhaustive
#endif
public enum MQTTAuthorizationDecision: Sendable, Hashable {
    /// Allows the action.
    case allow
    /// Refuses the action: a SUBSCRIBE is answered with *not authorized*; a PUBLISH is acknowledged with it and
    /// dropped.
    case deny
    /// Leaves the decision to the next authorizer.
    case abstain
}
