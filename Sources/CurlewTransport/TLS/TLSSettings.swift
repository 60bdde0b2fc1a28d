import CurlewCore

/// The TLS settings of a client.
///
/// By default, the peer's certificate must be issued by an authority that the system trusts, be valid now, and be for
/// the requested host. Settings are checked before anything is sent. Descriptions contain no secrets.
public struct TLSSettings: Sendable, Hashable {
    /// The trusted authorities. Default: `.system`.
    public var trustRoots: TrustRoots = .system

    /// What to verify in the peer's certificate. Default: `.full`.
    public var verification: Verification = .full

    /// The certificate revocation lists (CRLs, RFC 5280 section 5) to check the peer's certificate against. Default:
    /// empty, which checks nothing.
    ///
    /// If there are any, the peer's own certificate must be covered by a current list of the authority that issued it:
    /// the peer is refused if its certificate is on that list, if there is no such list, or if the list is past its next
    /// update. A certificate of another authority in the chain is refused as well if it is on a list of its issuer, or
    /// if that list is not current; it needs no list. Root certificates are not checked.
    ///
    /// Each material holds one list in DER, or any number in PEM (`-----BEGIN X509 CRL-----`). Lists are not
    /// downloaded; replace the files before they expire. Only complete lists are accepted, not delta or indirect lists
    /// and not those of a part of an authority's certificates (with an issuing distribution point). They must be signed
    /// with RSA, ECDSA or Ed25519, and not with SHA-1. Certificates with policy constraints are refused.
    ///
    /// Needs the package trait `Accounts`, which is enabled by default; without it, creating a client throws. On Apple
    /// platforms, ``trustRoots`` must not be `.system`.
    public var revocationLists: [Material] = []

    /// The client certificate, for peers that ask for one. Default: none.
    public var clientCertificate: Identity?

    /// A secret shared with the peer, used instead of certificates; limits TLS to version 1.2. Default: none.
    public var preSharedKey: PreSharedKey?

    /// The application protocols to offer in the handshake (ALPN), in order of preference. Default: none.
    ///
    /// For example `["mqtt"]`, or `["x-amzn-mqtt-ca"]` for AWS IoT Core on port 443. A peer that supports none of them
    /// may connect without one, or refuse.
    public var applicationProtocols: [String] = []

    /// The permitted cipher suites up to TLS 1.2, by their OpenSSL names such as `ECDHE-RSA-AES128-GCM-SHA256`.
    /// Default: empty, which permits all that are considered safe.
    ///
    /// Expressions such as `HIGH:!aNULL` are not supported.
    ///
    /// Set it only for a peer that supports nothing better, or for a policy that permits fewer. TLS 1.3 and pre-shared keys have their
    /// own cipher suites, which this does not change.
    public var cipherSuites: [String] = []

    /// The minimum TLS version. Default: TLS 1.2.
    public var minimumVersion: Version = .tls12

    /// The host name to request from the peer (SNI) and to verify its certificate against, instead of the host to
    /// connect to. Default: `nil`, the host to connect to.
    public var serverName: String?

    /// Creates the default settings.
    public init() {}

    /// A version of TLS.
    public struct Version: Hashable, Sendable, CustomStringConvertible {
        /// The name of the version, for example "TLS 1.2".
        public let description: String

        /// TLS 1.0, which is broken: only for a peer that supports nothing better.
        public static let tls10 = Self(description: "TLS 1.0")
        /// TLS 1.1, which is broken: only for a peer that supports nothing better.
        public static let tls11 = Self(description: "TLS 1.1")
        /// TLS 1.2.
        public static let tls12 = Self(description: "TLS 1.2")
        /// TLS 1.3.
        public static let tls13 = Self(description: "TLS 1.3")
    }

    /// What to verify in the peer's certificate.
    public struct Verification: Hashable, Sendable, CustomStringConvertible {
        /// The name of the mode, as in Swift.
        public let description: String

        /// Verifies that the certificate was issued by a trusted authority, is valid now, and is for the host.
        public static let full = Self(description: "full")

        /// Skips host name verification.
        ///
        /// Insecure: an attacker with any certificate of a trusted authority can impersonate the peer.
        public static let insecureAnyHostName = Self(description: "insecureAnyHostName")

        /// Accepts any certificate, whoever issued it.
        ///
        /// Insecure: an attacker on the network path can read and change everything, including passwords.
        public static let insecureAnyCertificate = Self(description: "insecureAnyCertificate")
    }

    /// The source of certificates or of a private key. PEM, DER and PKCS#12 are recognized by their content.
    public struct Material: Hashable, Sendable, CustomStringConvertible {
        enum Source: Hashable, Sendable {
            case file(String)
            case bytes(Redacted<[UInt8]>)
            case base64(Redacted<String>)
        }

        let source: Source

        /// A file, read when the client is created, and again when it reconnects after the file has changed. A broker
        /// reads it when it starts and when it reloads.
        ///
        /// If a changed file cannot be used, for example because only half of it is written, the client keeps what it
        /// read before, logs a warning, and tries again at its next attempt to connect.
        public static func file(_ path: String) -> Self { Self(source: .file(path)) }

        /// The bytes, in PEM or DER, or of a PKCS#12 bundle.
        public static func bytes(_ bytes: [UInt8]) -> Self { Self(source: .bytes(Redacted(bytes))) }

        /// The text of a PEM file.
        public static func pem(_ text: String) -> Self { .bytes(Array(text.utf8)) }

        /// Base64 of PEM, DER or a PKCS#12 bundle, as in environment variables. White space is ignored.
        public static func base64(_ text: String) -> Self { Self(source: .base64(Redacted(text))) }

        /// The source, but never the contents.
        public var description: String {
            switch self.source {
            case .file(let path): "file \(path)"
            case .bytes(let bytes): "\(bytes.value.count) bytes in memory"
            case .base64(let text): "\(text.value.utf8.count) characters of base64"
            }
        }
    }

    /// The authorities that are trusted to issue the peer's certificate.
    public struct TrustRoots: Hashable, Sendable {
        enum Source: Hashable, Sendable {
            case system
            case certificates(Material)
            case directory(String)
        }

        let source: Source

        /// The authorities that the operating system trusts.
        public static let system = Self(source: .system)

        /// Only the authorities in a PEM or DER file. A directory is also accepted.
        public static func file(_ path: String) -> Self { .certificates(.file(path)) }

        /// Only the authorities in the PEM and DER files of a directory. The files may have any name.
        public static func directory(_ path: String) -> Self { Self(source: .directory(path)) }

        /// Only the given authorities.
        public static func certificates(_ material: Material) -> Self { Self(source: .certificates(material)) }
    }

    /// A certificate and its private key: RSA, P-256, P-384, P-521 or Ed25519.
    ///
    /// If the certificate restricts the use of its key, it must permit digital signatures. A broker's certificate with
    /// an RSA key may permit only key encipherment, which some clients reject.
    public struct Identity: Hashable, Sendable {
        /// The certificate and its issuers up to the root, in any order; issuers may be missing. Missing ones are taken
        /// from the trusted authorities, if present there.
        ///
        /// Without a ``key``, it contains the private key as well: a PKCS#12 bundle, or a PEM file with both.
        public var chain: Material
        /// The private key, in PKCS#8, PKCS#1 or SEC1 format. Default: `nil`, the key is in ``chain``.
        public var key: Material?
        let passphrase: Redacted<String>?

        /// Creates an identity.
        ///
        /// - Parameters:
        ///   - chain: The certificate and its issuers up to the root, in any order; issuers may be missing.
        ///   - key: The private key, in PKCS#8 (encrypted or not), PKCS#1 or SEC1 format. Default: `nil`, the key is
        ///     in `chain`: a PKCS#12 bundle, or a PEM file with both.
        ///   - passphrase: The passphrase of an encrypted key or bundle; only ASCII. Default: `nil`.
        public init(chain: Material, key: Material? = nil, passphrase: String? = nil) {
            self.chain = chain
            self.key = key
            self.passphrase = passphrase.map(Redacted.init)
        }

        /// A certificate with its private key from a PKCS#12 bundle (RFC 7292), a file that usually ends in `.p12` or
        /// `.pfx`.
        ///
        /// The bundle must contain one private key. Bundles encrypted with AES, triple DES, or the 40-bit RC2 of old
        /// programs can be read. Their checksum is not verified: a wrong passphrase is detected by decrypting.
        ///
        /// - Parameters:
        ///   - bundle: The bundle.
        ///   - passphrase: Its passphrase; only ASCII. Default: `nil`, for a bundle without one.
        public static func pkcs12(_ bundle: Material, passphrase: String? = nil) -> Self {
            Self(chain: bundle, passphrase: passphrase)
        }
    }

    /// A secret that client and broker share (RFC 4279).
    public struct PreSharedKey: Hashable, Sendable {
        /// The identity by which the peer finds the key; 1 to 128 bytes.
        public var identity: String
        let key: Redacted<[UInt8]>

        /// Creates a pre-shared key.
        ///
        /// - Parameters:
        ///   - identity: The identity by which the peer finds the key; 1 to 128 bytes.
        ///   - key: The secret; 1 to 256 bytes.
        public init(identity: String, key: [UInt8]) {
            self.identity = identity
            self.key = Redacted(key)
        }
    }
}
