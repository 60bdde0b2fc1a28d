public import CurlewCore

/// Says who may do what.
///
/// A broker asks its authorizers in order; the first that does not abstain decides. When all abstain, it is allowed.
public protocol MQTTBrokerAuthorizer: Sendable {
    /// Decides about one action. Called on the event loop of the connection and for every message: it must not block, and
    /// should take no more than a microsecond or two. A decision is remembered for a while for the same client and topic, until
    /// a reload.
    func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision

    /// Whether ``MQTTBrokerAction/receive(_:)`` is asked for each topic and subscriber, besides the subscription itself: needed
    /// where a client may subscribe to a filter and not receive all that matches it. Default: `false`.
    var checksReceiving: Bool { get }

    /// Reads its source again, such as a file. Does nothing unless implemented.
    ///
    /// - Throws: What is wrong with it; what was read before stays in force.
    func reload() async throws
}

extension MQTTBrokerAuthorizer {
    /// `false`.
    public var checksReceiving: Bool { false }

    /// Does nothing.
    public func reload() async throws {}
}

/// What a client wants to do.
public enum MQTTBrokerAction: Sendable, Hashable {
    /// Publish to a topic; also what a will does at connecting.
    case publish(TopicName)
    /// Make a subscription. Asked when the client subscribes, and again after a reload and when the client returns through another listener.
    case subscribe(TopicFilter)
    /// Receive messages of that topic, by a subscription that was allowed. Asked when a message is published, and again about what waits for
    /// a client when the client connects and after a reload. Asked only of an authorizer that ``MQTTBrokerAuthorizer/checksReceiving``.
    case receive(TopicName)
}

/// What an authorizer decides.
public enum MQTTAuthorizationDecision: Sendable, Hashable {
    /// The client may.
    case allow
    /// The client may not: a SUBSCRIBE is refused with *not authorized*, a PUBLISH is acknowledged with it and reaches nobody.
    case deny
    /// This authorizer knows nothing about it: the next is asked.
    case abstain
}
