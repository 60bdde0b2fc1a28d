public import CurlewCore

/// A client as the broker knows it.
public struct MQTTBrokerClient: Sendable {
    /// The client identifier (MQTT 5.0 section 3.1.3.1). Assigned by the broker if the client sent none.
    public var identifier: String
    /// The user name that the client was authenticated with; `nil` for an anonymous client.
    public var username: String?
    /// The MQTT version of the connection.
    public var version: ProtocolVersion
    /// The address that it connects from, as `host:port`, or `unix` for a Unix domain socket.
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

extension MQTTBrokerClient: Hashable {
    /// Whether both are the same; texts are the same when their UTF-8 bytes are.
    public static func == (left: Self, right: Self) -> Bool {
        left.identifier.hasSameBytes(as: right.identifier) && left.username.hasSameBytes(as: right.username)
            && left.version == right.version && left.address == right.address
            && left.listener.hasSameBytes(as: right.listener)
    }

    /// Hashes what tells most clients apart.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(ExactText(self.identifier))
        hasher.combine(self.username.map { ExactText($0) })
    }
}
