import CurlewCore
import CurlewTransport
import Synchronization

/// The rules of one listener: who may connect, who may do what, and its limits.
final class ClientRules: Sendable {
    let name: String
    let authenticators: [any MQTTBrokerAuthenticator]
    let enhancedAuthenticators: [any MQTTBrokerEnhancedAuthenticator]
    let authorizers: [any MQTTBrokerAuthorizer]
    let anonymous: MQTTBrokerConfiguration.Listener.Anonymous
    let maximumConnections: Int?
    let usesUsernameAsClientIdentifier: Bool
    /// Whether user names are accepted although no authenticator verifies them.
    let trustsUsernames: Bool
    let terms: ServerTerms
    /// The prefix of identifiers that the broker assigns.
    let assignedIdentifierPrefix: String
    /// Whether any authorizer decides about receiving, in addition to subscribing.
    let checksReceiving: Bool
    /// How many clients are connected through the listener.
    let connections = Atomic<Int>(0)

    init(_ listener: MQTTBrokerConfiguration.Listener, of configuration: MQTTBrokerConfiguration) {
        self.name = listener.name ?? listener.address.url()
        self.authenticators = listener.authenticators ?? configuration.authenticators
        self.enhancedAuthenticators = listener.enhancedAuthenticators ?? configuration.enhancedAuthenticators
        self.authorizers = listener.authorizers ?? configuration.authorizers
        self.anonymous = listener.anonymous
        self.maximumConnections = listener.maximumConnections
        self.usesUsernameAsClientIdentifier = listener.usesUsernameAsClientIdentifier
        self.trustsUsernames = listener.trustsUnverifiedUsernames
        self.checksReceiving = self.authorizers.contains { $0.checksReceiving }
        var terms = ServerTerms(configuration)
        if let maximumQoS = listener.maximumQoS { terms.maximumQoS = maximumQoS }
        if let maximum = listener.topicAliasMaximum { terms.topicAliasMaximum = maximum }
        if let assigns = listener.assignsClientIdentifiers { terms.assignsClientIdentifiers = assigns }
        self.terms = terms
        self.assignedIdentifierPrefix =
            listener.assignedIdentifierPrefix ?? configuration.behavior.assignedIdentifierPrefix
    }

    /// Whether the client may do that: the first authorizer that does not abstain decides; if all abstain, it is
    /// allowed.
    func allows(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> Bool {
        for authorizer in self.authorizers {
            switch authorizer.authorize(client, action) {
            case .allow: return true
            case .deny: return false
            case .abstain: continue
            }
        }
        return true
    }

    /// Whether the client may receive messages of that topic by an allowed subscription.
    func allowsReceiving(_ client: MQTTBrokerClient, _ topic: TopicName) -> Bool {
        guard self.checksReceiving else { return true }
        for authorizer in self.authorizers where authorizer.checksReceiving {
            switch authorizer.authorize(client, .receive(topic)) {
            case .allow: return true
            case .deny: return false
            case .abstain: continue
            }
        }
        return true
    }

    /// The credentials of a client, as the authenticators know them now.
    ///
    /// - Parameter method: The method of an enhanced authentication, if the client uses one.
    func credentials(of claimed: MQTTBrokerClient, method: String?) -> [MQTTCredentialStatus] {
        if let method {
            return self.enhancedAuthenticators.filter { $0.method.hasSameBytes(as: method) }.map {
                $0.credentialStatus(of: claimed)
            }
        }
        return self.authenticators.map { $0.credentialStatus(of: claimed) }
    }

    /// Whether clients of this listener can have user names: an authenticator verifies them, or they are accepted
    /// unverified.
    var hasUsernames: Bool {
        !self.authenticators.isEmpty || !self.enhancedAuthenticators.isEmpty || self.trustsUsernames
    }

    /// Rejects settings that depend on user names if no client can have one.
    func checkUsernames() throws(MQTTBrokerError) {
        guard !self.hasUsernames else { return }
        if self.usesUsernameAsClientIdentifier {
            throw MQTTBrokerError(
                .invalidConfiguration,
                "The listener \(self.name) takes client identifiers from user names, and nobody verifies these; "
                    + "give a password file, or trust unverified user names.")
        }
        for case let file as MQTTAccessFile in self.authorizers {
            try file.checkUsernames(listenerWithoutUsernames: self.name)
        }
    }

    /// Whether a client may connect if all authenticators abstain.
    func allowsAnonymous(isLocal: Bool) -> Bool {
        switch self.anonymous {
        case .allowed: true
        case .refused: false
        case .local: isLocal && self.authenticators.isEmpty
        }
    }
}

extension ServerTerms {
    init(_ configuration: MQTTBrokerConfiguration) {
        self.init()
        let limits = configuration.limits
        let behavior = configuration.behavior
        self.maximumQoS = limits.maximumQoS
        self.retainAvailable = behavior.retainAvailable
        self.maximumPacketSize = limits.maximumPacketSize
        self.receiveMaximum = limits.receiveMaximum
        self.topicAliasMaximum = limits.topicAliasMaximum
        self.maximumKeepAlive = limits.maximumKeepAlive
        self.maximumSessionExpiry = limits.maximumSessionExpiry.map { UInt32(clamping: $0.components.seconds) }
        self.assignsClientIdentifiers = behavior.assignsClientIdentifiers
        self.responseInformationPrefix = behavior.responseInformationPrefix
        self.serverReference = behavior.serverReference
        self.maximumInFlightMessages = limits.maximumInFlightMessages
        self.outgoingTopicAliasMaximum = limits.outgoingTopicAliasMaximum
    }
}

extension BrokerSession.Bounds {
    init(_ configuration: MQTTBrokerConfiguration) {
        let limits = configuration.limits
        self.init(
            inFlightMessages: Int(limits.maximumInFlightMessages), inFlightBytes: limits.maximumInFlightBytes ?? .max,
            queuedMessages: limits.maximumQueuedMessages, queuedBytes: limits.maximumQueuedBytes,
            queuesAtMostOnce: configuration.behavior.queuesAtMostOnce,
            dropsOldest: configuration.behavior.overflow == .dropOldest, patience: limits.maximumPublisherDelay,
            countsPayloads: limits.countsPayloadsOnly)
    }
}
