package import CurlewCore
public import CurlewTransport

/// How a client connects, and what it does from then on. Every value has a default; a server is all that is usually given.
///
/// ```swift
/// var configuration = MQTTConfiguration(server: .mqtts("broker.example.com"))
/// configuration.credentials = .password(username: "kitchen", password: "…")
/// configuration.session.cleanStart = false
/// ```
///
/// It can also be read from a URL (``init(url:)``), from environment variables (``init(environment:)``), and from a dictionary or any
/// decoder (``init(settings:)``, ``init(from:)``).
public struct MQTTConfiguration: Sendable {
    /// The servers, in the order in which they are tried; a reconnection begins with the first again.
    /// Default: `mqtt://localhost:1883`.
    public var servers: [Server]
    /// The name by which the server knows this client and its session. Default: generated, `curlew` and 16 random characters.
    public var clientIdentifier: ClientIdentifier = .generated()
    /// Protocol version, keep alive, and how long each step may take.
    public var connection = Connection()
    /// Who the client says it is. Default: nobody.
    public var credentials: Credentials = .none
    /// How a connection to an `mqtts` server is secured. Default: certificate and host name are verified against the system's
    /// trust roots.
    public var tls = TLSSettings()
    /// What the client and the server keep for each other, and what they agree on at connecting.
    public var session = Session()
    /// The message that the server publishes if this client vanishes. Default: none.
    public var will: Will?
    /// Whether and when to reconnect after the loss of a connection.
    public var reconnect = Reconnect()
    /// How much waits, going out and coming in.
    public var queues = Queues()
    /// When a received message is acknowledged to the server.
    public var acknowledgement = Acknowledgement()
    /// Bounds that no ordinary program meets.
    public var limits = Limits()
    /// An enhanced authentication, for servers that demand one; needs 5.0. Default: none.
    public var authentication: Authentication?
    /// What packets of the client say besides, where nothing else here says it.
    package var packetUserProperties = PacketUserProperties()
    /// The clock that all waiting goes by: a test's own, where it must not take time.
    package var clock = MonotonicClock(ContinuousClock())
    /// What makes connections in place of sockets, in tests.
    package var connectorOverride: (any Connector)?

    /// Makes a configuration for one server, or for several that are tried in order.
    ///
    /// - Parameter servers: The servers. Default: `mqtt://localhost:1883`.
    public init(servers: [Server] = [.mqtt("localhost")]) { self.servers = servers }

    /// Makes a configuration for one server.
    public init(server: Server) { self.servers = [server] }
}

// MARK: - What only the command says

extension MQTTConfiguration {
    /// User properties of packets for which the client has no words of its own; left out before 5.0.
    package struct PacketUserProperties: Sendable {
        package var subscribe: [UserProperty] = []
        package var unsubscribe: [UserProperty] = []
        package var disconnect: [UserProperty] = []
    }
}

// MARK: - Servers

extension MQTTConfiguration {
    /// Where a server listens, and the protocol to use.
    public struct Server: Sendable, Hashable, CustomStringConvertible {
        /// The protocol to use.
        public var scheme: Scheme
        /// A host name, an IPv4 address, or an IPv6 address without brackets.
        public var host: String
        /// The TCP port, 1…65535.
        public var port: Int

        /// Makes a server.
        ///
        /// - Parameters:
        ///   - host: A host name, an IPv4 address, or an IPv6 address without brackets.
        ///   - port: The TCP port. Default: the scheme's own, 1883 or 8883.
        ///   - scheme: The protocol to use. Default: `mqtt`.
        public init(host: String, port: Int? = nil, scheme: Scheme = .mqtt) {
            self.scheme = scheme
            self.host = host
            self.port = port ?? scheme.defaultPort
        }

        /// A server over plain TCP, by default on port 1883. Everybody on the network path can read the messages.
        public static func mqtt(_ host: String, port: Int = 1883) -> Self {
            Self(host: host, port: port, scheme: .mqtt)
        }

        /// A server over TLS, by default on port 8883.
        public static func mqtts(_ host: String, port: Int = 8883) -> Self {
            Self(host: host, port: port, scheme: .mqtts)
        }

        /// The server as a URL, for instance `mqtts://broker.example.com:8883` or `mqtt://[::1]:1883`.
        public var description: String {
            let host = self.host.utf8.contains(UInt8(ascii: ":")) ? "[\(self.host)]" : self.host
            return "\(self.scheme)://\(host):\(self.port)"
        }
    }

    /// The transport protocol of a server. More may be added.
    public struct Scheme: Sendable, Hashable, CustomStringConvertible {
        /// The name as it stands in a URL.
        public let rawValue: String
        /// The port that IANA has assigned to it.
        public let defaultPort: Int

        /// The name as it stands in a URL.
        public var description: String { self.rawValue }

        /// MQTT over plain TCP, port 1883.
        public static let mqtt = Self(rawValue: "mqtt", defaultPort: 1883)
        /// MQTT over TLS, port 8883.
        public static let mqtts = Self(rawValue: "mqtts", defaultPort: 8883)

        /// Whether the connection is secured by TLS.
        package var isSecure: Bool { self == .mqtts }
    }
}
