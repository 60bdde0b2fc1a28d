package import CurlewCore
public import CurlewTransport

extension MQTTBrokerConfiguration {
    /// An address that the broker listens on, with its own rules.
    public struct Listener: Sendable {
        /// Which clients may connect if all authenticators abstain.
        #if hasAttribute(nonexhaustive)
        @nonexhaustive
        #endif
        public enum Anonymous: Sendable, Hashable {
            /// Clients on the same machine, and only if there is no authenticator.
            case local
            /// All clients that no authenticator refuses.
            case allowed
            /// None.
            case refused
        }

        /// Kinds of addresses.
        #if hasAttribute(nonexhaustive)
        @nonexhaustive
        #endif
        public enum AddressFamily: Sendable, Hashable {
            /// IPv6 and IPv4; only IPv4 if the machine has no IPv6.
            case any
            /// Only IPv4.
            case ipv4
            /// Only IPv6.
            case ipv6
        }

        /// What carries the connections.
        enum Address: Sendable {
            case socket(host: String, port: Int, tls: TLS?, webSocket: WebSocket?)
            case socketFile(SocketFile)
            case inMemory(InMemoryNetwork, Endpoint)

            /// The address as a URL, with the port that it is bound to if that is known.
            func url(port bound: Int? = nil) -> String {
                switch self {
                case .socket(let host, let port, let tls, let webSocket):
                    let scheme = (webSocket == nil ? "mqtt" : "ws") + (tls == nil ? "" : "s")
                    let paths = webSocket?.paths ?? []
                    return
                        "\(scheme)://\(hostInURL(host, port: bound ?? port))\(paths.count == 1 ? paths.first ?? "" : "")"
                case .socketFile(let file): return "mqtt+unix://\(file.path.percentEncodedPath)"
                case .inMemory(_, let endpoint): return "\(endpoint)"
                }
            }
        }

        let address: Address
        /// Its name in logs, hooks and statistics. Default: its URL, such as `mqtt://127.0.0.1:1883`.
        public var name: String?
        /// Which addresses the host `*`, all addresses of the machine, stands for. Ignored with any other host.
        /// Default: IPv4 and IPv6.
        public var addressFamily = AddressFamily.any
        /// Which clients may connect if all authenticators abstain. Default: clients on the same machine, if there is
        /// no authenticator.
        public var anonymous: Anonymous = .local
        /// How many clients may be connected through this listener at once. Default: only the broker's limit applies.
        public var maximumConnections: Int?
        /// Authenticators of this listener; `nil` for the broker's.
        public var authenticators: [any MQTTBrokerAuthenticator]?
        /// Enhanced authentication methods of this listener; `nil` for the broker's.
        public var enhancedAuthenticators: [any MQTTBrokerEnhancedAuthenticator]?
        /// Authorizers of this listener; `nil` for the broker's.
        public var authorizers: [any MQTTBrokerAuthorizer]?
        /// The highest QoS for clients of this listener; `nil` for the broker's.
        public var maximumQoS: QoS?
        /// The highest topic alias that clients of this listener may use; `nil` for the broker's.
        public var topicAliasMaximum: UInt16?
        /// Whether the client identifier is replaced by the authenticated user name. A client without one is refused
        /// with *not authorized*. Needs an authenticator or ``trustsUnverifiedUsernames``. Default: `false`.
        public var usesUsernameAsClientIdentifier = false
        /// Whether user names are accepted although no authenticator verifies them. Default: `false`; such names are
        /// dropped.
        ///
        /// Anyone who can connect can then use any user name, and has the rights of that user.
        public var trustsUnverifiedUsernames = false
        /// Whether clients of this listener may let the broker assign their identifiers; `nil` for the broker's
        /// ``Behavior/assignsClientIdentifiers``.
        public var assignsClientIdentifiers: Bool?
        /// The prefix of identifiers assigned to clients of this listener; `nil` for the broker's
        /// ``Behavior/assignedIdentifierPrefix``.
        public var assignedIdentifierPrefix: String?

        /// The addresses, or ranges such as `10.0.0.0/8`, of proxies and load balancers in front of this listener that
        /// state the addresses of their clients: in the PROXY protocol (``usesProxyProtocol``), or for WebSocket in the
        /// header field `X-Forwarded-For`. What others state is ignored. Default: none.
        public var trustedProxies: [String] = []
        /// Whether every connection begins with a header of the PROXY protocol, version 1 or 2. Connections that do not
        /// come from ``trustedProxies`` are then closed. Default: `false`.
        public var usesProxyProtocol = false

        /// Listens for TCP, with or without TLS.
        ///
        /// - Parameters:
        ///   - host: The host name or address to listen on. All addresses of the machine: `0.0.0.0` for IPv4, `::` for
        ///     IPv6, `*` for both. Default: 127.0.0.1.
        ///   - port: The port; 0 for any free one, see ``MQTTBroker/listeners``. Default: 1883, or 8883 with TLS.
        ///   - tls: Default: none, plain TCP.
        public static func tcp(host: String = "127.0.0.1", port: Int? = nil, tls: TLS? = nil) -> Self {
            Self(address: .socket(host: host, port: port ?? (tls == nil ? 1883 : 8883), tls: tls, webSocket: nil))
        }

        /// Listens for WebSocket (MQTT 5.0 section 6), with or without TLS.
        ///
        /// - Parameters:
        ///   - host: As for ``tcp(host:port:tls:)``. Default: 127.0.0.1.
        ///   - port: The port; 0 for any free one. Default: 8083, or 8084 with TLS.
        ///   - tls: Default: none.
        ///   - settings: Which requests are accepted. Default: those for any path; for pages, see
        ///     ``WebSocket/origins``.
        public static func webSocket(
            host: String = "127.0.0.1", port: Int? = nil, tls: TLS? = nil, settings: WebSocket = WebSocket()
        ) -> Self {
            Self(
                address: .socket(
                    host: host, port: port ?? (tls == nil ? 8083 : 8084), tls: tls, webSocket: settings))
        }

        /// Listens on a Unix domain socket, for clients on the same machine.
        ///
        /// A file that a broker has left behind is replaced; one on which a program listens is an error. The broker
        /// removes the file when it stops.
        ///
        /// - Parameters:
        ///   - path: The path of the socket, at most 103 bytes.
        ///   - permissions: The permissions of the file, such as `0o660`: who may write to it may connect. Default:
        ///     those that the process gives to new files.
        public static func unix(path: String, permissions: UInt16? = nil) -> Self {
            Self(address: .socketFile(SocketFile(path: path, permissions: permissions)))
        }

        /// Listens on a network within the process.
        package static func inMemory(_ network: InMemoryNetwork, at endpoint: Endpoint) -> Self {
            Self(address: .inMemory(network, endpoint))
        }

        init(address: Address) { self.address = address }
    }

    /// The WebSocket settings of a listener.
    public struct WebSocket: Sendable {
        /// The paths at which clients find the broker, such as `/mqtt`. Default: empty, every path.
        public var paths: Set<String> = []
        /// The web pages that may connect. Default: ``Origins/automatic``.
        public var origins = Origins.automatic
        /// The maximum size of a request's header in bytes. Default: 16,384.
        public var maximumHeaderSize = 16 << 10
        /// A folder whose files browsers get that open no WebSocket, such as a page that then does. Hidden files and
        /// whatever is outside of the folder are never served; everyone who reaches the port can read the rest. Default:
        /// `nil`, a short text instead of a file.
        public var staticFiles: String?
        /// Returns why a request is refused, by its path, query and host; `nil` if it is accepted.
        package var refusal: (@Sendable (_ target: String, _ host: String) -> String?)?

        /// Creates settings.
        ///
        /// - Parameter paths: Default: every path.
        public init(paths: Set<String> = []) { self.paths = paths }

        /// The web pages that may open a WebSocket. Browsers send the origin of the page (RFC 6454); other programs
        /// send none and are always accepted.
        public struct Origins: Sendable, Hashable {
            let policy: WebSocketOrigins

            /// Any page from remote browsers; from a browser on the broker's machine, only pages served by that
            /// machine. This keeps other sites from using a visitor's browser to reach a broker that trusts its own
            /// machine.
            ///
            /// Behind a reverse proxy on the same machine, all clients appear to be on this machine, unless
            /// ``Listener/trustedProxies`` names the proxy.
            public static let automatic = Self(policy: .automatic)
            /// Pages of any origin.
            public static let any = Self(policy: .any)
            /// Pages of these origins, such as `https://example.com` or `http://localhost:8080`, compared without
            /// regard to case. The broker does not start if one of them is not an origin.
            public static func only(_ origins: Set<String>) -> Self {
                Self(policy: .only(Set(origins.map { WebSocketOrigins.normalized($0) ?? $0 })))
            }
        }
    }

    /// The TLS settings of a listener.
    public struct TLS: Sendable {
        /// The listener's certificate and key; not needed if there are only pre-shared keys.
        public var certificate: TLSSettings.Identity?
        /// The authorities of client certificates. If set, clients may present a certificate, and must if
        /// ``requiresClientCertificate`` is `true`.
        public var clientTrustRoots: TLSSettings.TrustRoots?
        /// Whether clients without a certificate are refused. Ignored without ``clientTrustRoots``. Default: `true`.
        public var requiresClientCertificate = true
        /// The certificate revocation lists (CRLs, RFC 5280 section 5) to check client certificates against; needs
        /// ``clientTrustRoots``. Default: empty, which checks nothing.
        ///
        /// If there are any, each client certificate must be covered by a current list of the authority that issued it:
        /// the client is refused if its certificate is on that list, if there is no such list, or if the list is
        /// past its next update. A certificate of another authority in the chain is refused as well if it is on
        /// a list of its issuer, or if that list is not current; it needs no list.
        ///
        /// ``MQTTBroker/reload()`` reads the files again, and disconnects clients whose certificates are on the new
        /// lists. The broker logs a warning at the start, at a reload and once a day if a list is not current or soon
        /// will not be. ``TLSSettings/revocationLists`` says which lists are accepted. Needs the package trait
        /// `Accounts`, which is enabled by default; without it, starting the broker fails. On Apple platforms,
        /// ``clientTrustRoots`` must not be `.system`.
        public var revocationLists: [TLSSettings.Material] = []
        /// Certificates that complete the chain from ``certificate`` to its root. They are not trusted for anything
        /// else.
        package var chainAuthorities: TLSSettings.TrustRoots?
        /// Pre-shared keys by identity (RFC 4279). If there are any, nothing else is accepted.
        package var preSharedKeys: [ExactText: Redacted<[UInt8]>] = [:]
        /// Reads the keys at the start and at each reload; replaces ``preSharedKeys``.
        package var preSharedKeySource: (@Sendable () throws -> [ExactText: Redacted<[UInt8]>])?
        /// A hint by which clients choose their key (RFC 4279 section 5.2). Default: none.
        package var preSharedKeyHint: String?
        /// The cipher suites that are accepted up to TLS 1.2, by their OpenSSL names such as
        /// `ECDHE-RSA-AES128-GCM-SHA256`; expressions such as `HIGH:!aNULL` are not supported. Default: empty, all that
        /// are considered safe.
        public var cipherSuites: [String] = []
        /// The application protocols to choose from in the handshake (ALPN), in order of preference. Default: none.
        ///
        /// If a client offers none of them, the connection has no application protocol; the broker accepts it.
        public var applicationProtocols: [String] = []
        /// The oldest version of TLS that is accepted. Default: 1.2.
        public var minimumVersion: TLSSettings.Version = .tls12

        /// Creates settings.
        ///
        /// - Parameter certificate: The listener's certificate and key.
        public init(certificate: TLSSettings.Identity? = nil) { self.certificate = certificate }
    }
}
