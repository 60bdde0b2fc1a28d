/// A client as the broker knows it: who is at the other end of a connection.
public struct MQTTBrokerClient: Sendable, Hashable {
    /// The client identifier (MQTT 5.0 section 3.1.3.1), the broker's own if the client left it to the broker.
    public var identifier: String
    /// The user name that the client was authenticated with; `nil` for an anonymous client.
    public var username: String?
    /// The version of MQTT that it speaks.
    public var version: ProtocolVersion
    /// Where it is connected from, as `host:port`.
    public var address: String
    /// The name of the listener that accepted it.
    public var listener: String

    /// Makes a description of a client, for tests of hooks.
    public init(
        identifier: String, username: String? = nil, version: ProtocolVersion = .v5_0, address: String = "",
        listener: String = ""
    ) {
        self.identifier = identifier
        self.username = username
        self.version = version
        self.address = address
        self.listener = listener
    }
}
