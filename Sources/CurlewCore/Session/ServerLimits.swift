/// What the server said in its CONNACK that it can and will do (MQTT 5.0 section 3.2.2.3); the standard's defaults
/// before 5.0.
public struct ServerLimits: Hashable, Sendable {
    /// How many publishes at QoS 1 and 2 may be unacknowledged at once. Default: 65,535; before 5.0, where a server cannot say
    /// it, 20: mosquitto by default closes the connection over a 21st at QoS 2.
    public package(set) var receiveMaximum: UInt16 = .max
    /// The highest QoS that the server takes. Default: 2.
    public package(set) var maximumQoS: QoS = .exactlyOnce
    /// Whether the server keeps retained messages. Default: `true`.
    public package(set) var retainAvailable = true
    /// The largest packet in bytes that the server takes; `nil`: what the protocol allows.
    public package(set) var maximumPacketSize: UInt32?
    /// How many topic aliases the server remembers for us. Default: 0.
    public package(set) var topicAliasMaximum: UInt16 = 0
    /// Whether a topic filter may have wildcards. Default: `true`.
    public package(set) var wildcardSubscriptionAvailable = true
    /// Whether a subscription may have an identifier. Default: `true` on 5.0.
    public package(set) var subscriptionIdentifierAvailable = false
    /// Whether there are shared subscriptions. Default: `true`; a server before 5.0 does not say.
    public package(set) var sharedSubscriptionAvailable = true
    /// The keep alive in seconds that the server asks for in place of the client's.
    public package(set) var serverKeepAlive: UInt16?
    /// The session expiry interval in seconds that the server uses in place of the client's.
    public package(set) var sessionExpiryInterval: UInt32?
    /// The client identifier that the server assigned.
    public package(set) var assignedClientIdentifier: String?
    /// What response topics of this client should begin with.
    public package(set) var responseInformation: String?

    package init() {}

    package init(_ connack: ConnAck, version: ProtocolVersion) {
        guard version >= .v5_0 else {
            self.receiveMaximum = 20
            return
        }
        self.subscriptionIdentifierAvailable = true
        for property in connack.properties.list {
            switch property {
            case .receiveMaximum(let value): self.receiveMaximum = value
            case .maximumQoS(let value): self.maximumQoS = value
            case .retainAvailable(let value): self.retainAvailable = value
            case .maximumPacketSize(let value): self.maximumPacketSize = value
            case .topicAliasMaximum(let value): self.topicAliasMaximum = value
            case .wildcardSubscriptionAvailable(let value): self.wildcardSubscriptionAvailable = value
            case .subscriptionIdentifierAvailable(let value): self.subscriptionIdentifierAvailable = value
            case .sharedSubscriptionAvailable(let value): self.sharedSubscriptionAvailable = value
            case .serverKeepAlive(let value): self.serverKeepAlive = value
            case .sessionExpiryInterval(let value): self.sessionExpiryInterval = value
            case .assignedClientIdentifier(let value): self.assignedClientIdentifier = value
            case .responseInformation(let value): self.responseInformation = value
            default: break
            }
        }
    }
}
