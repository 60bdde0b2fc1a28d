/// What the server supports according to its CONNACK (MQTT 5.0 section 3.2.2.3), or the standard's defaults before 5.0.
public struct ServerLimits: Hashable, Sendable {
    /// The maximum number of unacknowledged publishes at QoS 1 and 2. Default: 65,535. Before 5.0, where a server
    /// cannot state it: what the client assumes, by default 20.
    public package(set) var receiveMaximum: UInt16 = .max
    /// The highest QoS that the server supports. Default: 2.
    public package(set) var maximumQoS: QoS = .exactlyOnce
    /// Whether the server supports retained messages. Default: `true`.
    public package(set) var retainAvailable = true
    /// The largest packet in bytes that the server accepts; `nil` for no limit other than that of the protocol.
    public package(set) var maximumPacketSize: UInt32?
    /// The number of topic aliases that the server accepts. Default: 0.
    public package(set) var topicAliasMaximum: UInt16 = 0
    /// Whether the server supports wildcards in topic filters. Default: `true`.
    public package(set) var wildcardSubscriptionAvailable = true
    /// Whether the server supports subscription identifiers. Default: `true` on 5.0.
    public package(set) var subscriptionIdentifierAvailable = false
    /// Whether the server supports shared subscriptions. Default: `true`; a server before 5.0 does not say.
    public package(set) var sharedSubscriptionAvailable = true
    /// The keep alive in seconds that the server requires instead of the client's.
    public package(set) var serverKeepAlive: UInt16?
    /// The session expiry interval in seconds that the server uses instead of the client's.
    public package(set) var sessionExpiryInterval: UInt32?
    /// The client identifier that the server assigned.
    public package(set) var assignedClientIdentifier: String?
    /// The prefix that the server recommends for response topics of this client.
    public package(set) var responseInformation: String?

    package init() {}

    /// - Parameter assumedReceiveMaximum: Before 5.0; `nil` for the default.
    package init(_ connack: ConnAck, version: ProtocolVersion, assumedReceiveMaximum: UInt16? = nil) {
        guard version >= .v5_0 else {
            self.receiveMaximum = assumedReceiveMaximum ?? 20
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
