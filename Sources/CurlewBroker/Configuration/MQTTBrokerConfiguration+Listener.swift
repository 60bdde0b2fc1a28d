package import CurlewCore
public import CurlewTransport

extension MQTTBrokerConfiguration {
    /// One address that the broker listens on, with rules of its own.
    public struct Listener: Sendable {
        /// Who may connect without being known to any authenticator.
        public enum Anonymous: Sendable, Hashable {
            /// Clients on the same machine, and only where there is no authenticator.
            case local
            /// Everybody whom no authenticator refuses.
            case allowed
            /// Nobody.
            case refused
        }

        /// Kinds of addresses.
        public enum AddressFamily: Sendable, Hashable {
            /// IPv6 and IPv4, or IPv4 alone where the machine has no IPv6.
            case any
            /// IPv4 alone.
            case ipv4
            /// IPv6 alone.
            case ipv6
        }

        /// What carries the connections.
        enum Address: Sendable {
            case socket(host: String, port: Int, tls: TLS?)
            case inMemory(InMemoryNetwork, Endpoint)

            /// It as a URL, with the port that it was bound to if that is known.
            func url(port bound: Int? = nil) -> String {
                switch self {
                case .socket(let host, let port, let tls):
                    let host = host.contains(":") ? "[\(host)]" : host
                    return "\(tls == nil ? "mqtt" : "mqtts")://\(host):\(bound ?? port)"
                case .inMemory(_, let endpoint): return "\(endpoint)"
                }
            }
        }

        let address: Address
        /// What logs, hooks and statistics call it. Default: its URL, such as `mqtt://127.0.0.1:1883`.
        public var name: String?
        /// Which addresses `*` stands for, which is all of the machine; of no effect with another host. Default: IPv4 and IPv6.
        public var addressFamily = AddressFamily.any
        /// Who may connect without being known to any authenticator. Default: clients on the same machine, where there is no authenticator.
        public var anonymous: Anonymous = .local
        /// How many clients may be connected through this listener at once. Default: no limit but the broker's.
        public var maximumConnections: Int?
        /// Authenticators of this listener, in place of the broker's. Default: the broker's.
        public var authenticators: [any MQTTBrokerAuthenticator]?
        /// Authentications of several steps of this listener, in place of the broker's. Default: the broker's.
        public var enhancedAuthenticators: [any MQTTBrokerEnhancedAuthenticator]?
        /// Authorizers of this listener, in place of the broker's. Default: the broker's.
        public var authorizers: [any MQTTBrokerAuthorizer]?
        /// The highest QoS for clients of this listener; `nil` for the broker's.
        public var maximumQoS: QoS?
        /// The highest topic alias that clients of this listener may use; `nil` for the broker's.
        public var topicAliasMaximum: UInt16?
        /// Whether the client identifier is replaced by the authenticated user name. A client without one is refused with *not authorized*.
        /// Needs an authenticator or ``trustsUnverifiedUsernames``. Default: `false`.
        public var usesUsernameAsClientIdentifier = false
        /// Whether user names are believed although no authenticator verifies them. Default: `false`, such names are dropped.
        ///
        /// Gives up: that a user name means anything. Whoever can connect can use any name, and has that user's rights.
        public var trustsUnverifiedUsernames = false
        /// Whether clients of this listener may leave their identifiers to the broker; `nil` for the broker's
        /// ``Behaviour/assignsClientIdentifiers``.
        public var assignsClientIdentifiers: Bool?
        /// What identifiers assigned to clients of this listener begin with; `nil` for the broker's
        /// ``Behaviour/assignedIdentifierPrefix``.
        public var assignedIdentifierPrefix: String?

        /// Listens for TCP, with or without TLS.
        ///
        /// - Parameters:
        ///   - host: The address to listen on: a name or a number; `0.0.0.0`, `::` and, for both together, `*` are all of the
        ///     machine. Default: 127.0.0.1.
        ///   - port: 0 for any free one, which the broker then tells. Default: 1883, or 8883 with TLS.
        ///   - tls: Default: none, plain TCP.
        public static func tcp(host: String = "127.0.0.1", port: Int? = nil, tls: TLS? = nil) -> Self {
            Self(address: .socket(host: host, port: port ?? (tls == nil ? 1883 : 8883), tls: tls))
        }

        /// Listens on a network within the process.
        package static func inMemory(_ network: InMemoryNetwork, at endpoint: Endpoint) -> Self {
            Self(address: .inMemory(network, endpoint))
        }

        init(address: Address) { self.address = address }
    }

    /// How a listener does TLS.
    public struct TLS: Sendable {
        /// The listener's certificate and key; not needed with pre-shared keys alone.
        public var certificate: TLSSettings.Identity?
        /// The authorities of client certificates: if set, a client may present one, and must if ``requiresClientCertificate``.
        public var clientAuthorities: TLSSettings.TrustRoots?
        /// Whether a client without a certificate is refused. Default: `true`; of no effect without ``clientAuthorities``.
        public var requiresClientCertificate = true
        /// Where certificates between ``certificate`` and its root are looked for that its chain lacks. Nobody is trusted for it.
        package var chainAuthorities: TLSSettings.TrustRoots?
        /// Keys by identity (RFC 4279); if there are any, nothing else is accepted.
        package var preSharedKeys: [ExactText: [UInt8]] = [:]
        /// Reads the keys, at the start and at each reload, in place of ``preSharedKeys``.
        package var preSharedKeySource: (@Sendable () throws -> [ExactText: [UInt8]])?
        /// What clients are told to choose their key by (RFC 4279 section 5.2). Default: nothing.
        package var preSharedKeyHint: String?
        /// The names of cipher suites that are accepted up to TLS 1.2, as OpenSSL or IANA call them; empty for SwiftNIO's choice.
        public var cipherSuites: [String] = []
        /// The oldest version of TLS that is accepted. Default: 1.2.
        public var minimumVersion: TLSSettings.Version = .tls12

        /// Makes settings.
        ///
        /// - Parameter certificate: The listener's certificate and key.
        public init(certificate: TLSSettings.Identity? = nil) { self.certificate = certificate }
    }
}
