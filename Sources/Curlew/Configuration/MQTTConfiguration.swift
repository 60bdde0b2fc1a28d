package import CurlewCore
public import CurlewTransport

/// The configuration of a client. Every value has a default; most programs set only the server and the credentials.
///
/// ```swift
/// var configuration = MQTTConfiguration(server: .mqtts("broker.example.com"))
/// configuration.credentials = .password(username: "kitchen", password: "…")
/// configuration.session.cleanStart = false
/// ```
///
/// ``init(url:)`` reads a configuration from a URL, ``init(environment:)`` from environment variables,
/// ``init(settings:)`` from a dictionary, and ``init(from:)`` from any decoder, such as one of JSON or YAML.
public struct MQTTConfiguration: Sendable {
    /// The brokers, in the order in which the client tries them. After a connection was lost, it begins with the broker
    /// of that connection. Default: `mqtt://localhost:1883`.
    public var servers: [Server]
    /// The client identifier, by which the broker knows this client and its session. Default: generated, `curlew` and
    /// 16 random characters.
    public var clientIdentifier: ClientIdentifier = .generated()
    /// Protocol version, keep alive and timeouts.
    public var connection = Connection()
    /// User name and password. Default: none.
    public var credentials: Credentials = .none
    /// The TLS settings for `mqtts` and `wss` servers. Default: verify certificate and host name against the system's
    /// trust roots.
    public var tls = TLSSettings()
    /// The HTTP request that opens a WebSocket to a `ws` or `wss` server (MQTT 5.0 section 6). Default: no additional
    /// header fields.
    public var webSocket = WebSocketSettings()
    /// The proxy to connect through; Unix domain sockets never use it. Default: none, except that
    /// ``init(environment:)`` reads the variables `MQTT_PROXY`, `ALL_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
    public var proxy: ProxySettings?
    /// What the client and the broker keep for each other, and what they agree on when they connect.
    public var session = Session()
    /// The message that the broker publishes if the connection ends without a DISCONNECT. Default: none.
    public var will: Will?
    /// Whether and when to reconnect after the connection is lost.
    public var reconnect = Reconnect()
    /// Limits of what waits to be sent and of what waits for consumers.
    public var queues = Queues()
    /// When received messages are acknowledged to the server.
    public var acknowledgement = Acknowledgement()
    /// The QoS and the retain flag of messages that are published without them. Default: at most once, not retained.
    public var publishing = Publishing()
    /// Encodes and decodes the values of calls and routes that name no coder of their own. Default: JSON.
    public var payloadCoder: any MQTTPayloadCoder = .json
    /// Limits that ordinary programs never reach.
    public var limits = Limits()
    /// What a hosted service documents and its CONNACK does not say, checked before anything is sent. Default: no
    /// limits.
    public var serviceLimits = ServiceLimits()
    /// Enhanced authentication, for brokers that require it; needs MQTT 5.0. Default: none.
    public var enhancedAuthentication: EnhancedAuthentication?
    /// User properties of packets for which the public configuration has none.
    package var packetUserProperties = PacketUserProperties()
    /// The clock for all timeouts. Tests set one of their own, so that they take no time.
    package var clock = MonotonicClock(ContinuousClock())
    /// Creates connections instead of sockets; for tests.
    package var connectorOverride: (any Connector)?

    /// Creates a configuration for one or more brokers, which the client tries in order.
    ///
    /// - Parameter servers: The brokers. Default: `mqtt://localhost:1883`.
    public init(servers: [Server] = [.mqtt("localhost")]) { self.servers = servers }

    /// Creates a configuration for one broker.
    public init(server: Server) { self.servers = [server] }
}

// MARK: - Settings that only the command uses

extension MQTTConfiguration {
    /// User properties of SUBSCRIBE, UNSUBSCRIBE and DISCONNECT. Before 5.0 they are not sent.
    package struct PacketUserProperties: Sendable {
        package var subscribe: [UserProperty] = []
        package var unsubscribe: [UserProperty] = []
        package var disconnect: [UserProperty] = []
    }
}

// MARK: - Servers

extension MQTTConfiguration {
    /// The address of a broker, and the protocol to use.
    public struct Server: Sendable, Hashable, CustomStringConvertible {
        /// The protocol to use.
        public var scheme: Scheme
        /// A host name, an IPv4 address, or an IPv6 address without brackets. Empty for a Unix domain socket.
        public var host: String
        /// The TCP port, 1…65535. Ignored for a Unix domain socket.
        public var port: Int
        /// The path of a WebSocket, percent-encoded; or the path of a Unix domain socket. Otherwise empty.
        public var path: String
        /// The query of a WebSocket's address, percent-encoded and without the question mark; empty for none. No
        /// description shows it, because it may contain a token.
        public var query: String {
            get { self.redactedQuery.value }
            set { self.redactedQuery = Redacted(newValue) }
        }
        private var redactedQuery = Redacted("")

        /// Creates a server address.
        ///
        /// - Parameters:
        ///   - host: A host name, an IPv4 address, or an IPv6 address without brackets.
        ///   - port: The TCP port. Default: the default port of the scheme.
        ///   - scheme: The protocol to use. Default: `mqtt`.
        public init(host: String, port: Int? = nil, scheme: Scheme = .mqtt) {
            self.scheme = scheme
            self.host = host
            self.port = port ?? scheme.defaultPort
            self.path = scheme.isWebSocket ? "/mqtt" : ""
        }

        /// A broker over plain TCP, by default on port 1883. Anyone on the network path can read the messages.
        public static func mqtt(_ host: String, port: Int = 1883) -> Self {
            Self(host: host, port: port, scheme: .mqtt)
        }

        /// A broker over TLS, by default on port 8883.
        public static func mqtts(_ host: String, port: Int = 8883) -> Self {
            Self(host: host, port: port, scheme: .mqtts)
        }

        /// A broker over WebSocket, by default on port 80; many brokers use 8083, 8080 or 9001 instead. Anyone on the
        /// network path can read the messages.
        ///
        /// - Parameters:
        ///   - host: A host name, an IPv4 address, or an IPv6 address without brackets.
        ///   - port: The TCP port. Default: 80.
        ///   - path: The path, percent-encoded; for a query, see ``query``. Default: `/mqtt`.
        public static func ws(_ host: String, port: Int = 80, path: String = "/mqtt") -> Self {
            var server = Self(host: host, port: port, scheme: .ws)
            server.path = path
            return server
        }

        /// A broker over WebSocket with TLS, by default on port 443.
        ///
        /// - Parameters:
        ///   - host: A host name, an IPv4 address, or an IPv6 address without brackets.
        ///   - port: The TCP port. Default: 443.
        ///   - path: The path, percent-encoded; for a query, see ``query``. Default: `/mqtt`.
        public static func wss(_ host: String, port: Int = 443, path: String = "/mqtt") -> Self {
            var server = Self(host: host, port: port, scheme: .wss)
            server.path = path
            return server
        }

        /// A broker on this machine, over a Unix domain socket.
        ///
        /// - Parameter path: The path of the socket, at most 103 bytes.
        public static func unix(path: String) -> Self {
            var server = Self(host: "", scheme: .unix)
            server.path = path
            return server
        }

        /// The server as a URL without query, for example `mqtts://broker.example.com:8883` or `mqtt://[::1]:1883`.
        public var description: String {
            guard self.scheme != .unix else { return "\(self.scheme)://\(self.path.percentEncodedPath)" }
            return "\(self.scheme)://\(hostInURL(self.host, port: self.port))\(self.path)"
        }

        /// Path and query of a WebSocket's address, as HTTP sends them.
        package var target: String { self.query.isEmpty ? self.path : "\(self.path)?\(self.query)" }
    }

    /// The transport protocol of a server. More may be added.
    public struct Scheme: Sendable, Hashable, CustomStringConvertible {
        /// The name in a URL.
        public let rawValue: String
        /// The usual TCP port; 0 for a Unix domain socket.
        public let defaultPort: Int

        /// The name in a URL.
        public var description: String { self.rawValue }

        /// MQTT over plain TCP, port 1883.
        public static let mqtt = Self(rawValue: "mqtt", defaultPort: 1883)
        /// MQTT over TLS, port 8883.
        public static let mqtts = Self(rawValue: "mqtts", defaultPort: 8883)

        /// MQTT over WebSocket, port 80.
        public static let ws = Self(rawValue: "ws", defaultPort: 80)
        /// MQTT over WebSocket with TLS, port 443.
        public static let wss = Self(rawValue: "wss", defaultPort: 443)
        /// MQTT over a Unix domain socket.
        public static let unix = Self(rawValue: "mqtt+unix", defaultPort: 0)

        /// Whether the connection uses TLS.
        package var isSecure: Bool { self == .mqtts || self == .wss }
        /// Whether the connection uses WebSocket.
        package var isWebSocket: Bool { self == .ws || self == .wss }
    }
}
