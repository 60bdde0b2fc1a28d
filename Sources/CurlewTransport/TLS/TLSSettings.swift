import CurlewCore

/// How TLS connections are made and what is asked of the peer.
///
/// As it comes, the peer's certificate must lead to an authority that the system trusts, be valid now, and be for the host that was
/// asked for. Mistakes in the settings are found before anything is sent. Descriptions leave secrets out.
public struct TLSSettings: Sendable, Hashable {
    /// Whom to trust. Default: `.system`.
    public var trustRoots: TrustRoots = .system

    /// What of the peer's certificate is verified. Default: `.full`.
    public var verification: Verification = .full

    /// The certificate by which we prove who we are, for peers that ask. Default: none.
    public var clientCertificate: Identity?

    /// A secret shared with the peer, used instead of certificates, with TLS 1.2. Default: none.
    public var preSharedKey: PreSharedKey?

    /// The protocols offered in the handshake (ALPN), the preferred one first. Default: none.
    ///
    /// For instance `["mqtt"]`, or `["x-amzn-mqtt-ca"]` for AWS IoT Core at port 443.
    public var applicationProtocols: [String] = []

    /// The cipher suites up to TLS 1.2 that will do, by their OpenSSL names such as `ECDHE-RSA-AES128-GCM-SHA256`.
    /// Default: none, which stands for all that are deemed safe.
    ///
    /// For a peer that can do no better, or a rule that asks for less. TLS 1.3 has its own, and pre-shared keys theirs.
    public var cipherSuites: [String] = []

    /// The oldest version of TLS that will do. Default: TLS 1.2.
    public var minimumVersion: Version = .tls12

    /// The host name to ask the peer for (SNI) and to verify its certificate against, if it is not the one that is connected to.
    /// Default: none.
    public var serverName: String?

    /// Makes settings with the defaults.
    public init() {}

    /// A version of TLS.
    public struct Version: Hashable, Sendable, CustomStringConvertible {
        /// The name of the version, such as "TLS 1.2".
        public let description: String

        /// TLS 1.0, long broken: only for a peer that cannot do better.
        public static let tls10 = Self(description: "TLS 1.0")
        /// TLS 1.1, long broken: only for a peer that cannot do better.
        public static let tls11 = Self(description: "TLS 1.1")
        /// TLS 1.2.
        public static let tls12 = Self(description: "TLS 1.2")
        /// TLS 1.3.
        public static let tls13 = Self(description: "TLS 1.3")
    }

    /// What of the peer's certificate is verified.
    public struct Verification: Hashable, Sendable, CustomStringConvertible {
        /// The name of the mode, as in Swift.
        public let description: String

        /// The certificate leads to a trusted authority, is valid now, and is for the host.
        public static let full = Self(description: "full")

        /// Any host may use any certificate of a trusted authority.
        ///
        /// Gives up: that it is *the* peer. Whoever has any certificate of a trusted authority can pose as it.
        public static let insecureAnyHostName = Self(description: "insecureAnyHostName")

        /// Any certificate is accepted, whoever made it.
        ///
        /// Gives up: all protection against anyone who can get between us and the peer. They can read and change everything,
        /// passwords included.
        public static let insecureAnyCertificate = Self(description: "insecureAnyCertificate")
    }

    /// Certificates or a key, and where they come from. PEM and DER are told apart by their content.
    public struct Material: Hashable, Sendable, CustomStringConvertible {
        enum Source: Hashable, Sendable {
            case file(String)
            case bytes(Redacted<[UInt8]>)
            case base64(Redacted<String>)
        }

        let source: Source

        /// A file, read when the client is made.
        public static func file(_ path: String) -> Self { Self(source: .file(path)) }

        /// The bytes themselves.
        public static func bytes(_ bytes: [UInt8]) -> Self { Self(source: .bytes(Redacted(bytes))) }

        /// The text of a PEM file.
        public static func pem(_ text: String) -> Self { .bytes(Array(text.utf8)) }

        /// Base64 of PEM or DER, as environment variables hold it. White space is ignored.
        public static func base64(_ text: String) -> Self { Self(source: .base64(Redacted(text))) }

        /// Where it comes from; never what it is.
        public var description: String {
            switch self.source {
            case .file(let path): "file \(path)"
            case .bytes(let bytes): "\(bytes.value.count) bytes in memory"
            case .base64(let text): "\(text.value.utf8.count) characters of base64"
            }
        }
    }

    /// The authorities that are trusted to say who a peer is.
    public struct TrustRoots: Hashable, Sendable {
        enum Source: Hashable, Sendable {
            case system
            case certificates(Material)
            case directory(String)
        }

        let source: Source

        /// Those that the operating system trusts.
        public static let system = Self(source: .system)

        /// Those in a PEM or DER file, and no others. A directory will do, too.
        public static func file(_ path: String) -> Self { .certificates(.file(path)) }

        /// Those in all the PEM and DER files of a directory, and no others. The files may have any names.
        public static func directory(_ path: String) -> Self { Self(source: .directory(path)) }

        /// Those given, and no others.
        public static func certificates(_ material: Material) -> Self { Self(source: .certificates(material)) }
    }

    /// A certificate and its private key, which is RSA, P-256, P-384, P-521 or Ed25519.
    ///
    /// The certificate must permit digital signatures if it restricts the use of its key; a broker's with an RSA key may permit key
    /// encipherment alone, which some clients refuse.
    public struct Identity: Hashable, Sendable {
        /// The certificate and those that lead from it to the authority, if any, in any order. What is missing on the way is taken from the
        /// trusted authorities, if it is there.
        public var chain: Material
        /// The private key: PKCS#8, PKCS#1 or SEC1.
        public var key: Material
        let passphrase: Redacted<String>?

        /// Makes a pair.
        ///
        /// - Parameters:
        ///   - chain: The certificate and those that lead from it to the authority, if any, in any order.
        ///   - key: The private key: PKCS#8 (encrypted or not), PKCS#1 or SEC1.
        ///   - passphrase: What the key is encrypted with, if it is; ASCII only.
        public init(chain: Material, key: Material, passphrase: String? = nil) {
            self.chain = chain
            self.key = key
            self.passphrase = passphrase.map(Redacted.init)
        }
    }

    /// A secret that both ends know (RFC 4279).
    public struct PreSharedKey: Hashable, Sendable {
        /// The name under which the peer finds the key; at most 128 bytes.
        public var identity: String
        let key: Redacted<[UInt8]>

        /// Makes a pre-shared key.
        ///
        /// - Parameters:
        ///   - identity: The name under which the peer finds the key; at most 128 bytes.
        ///   - key: The secret; at most 256 bytes.
        public init(identity: String, key: [UInt8]) {
            self.identity = identity
            self.key = Redacted(key)
        }
    }
}
