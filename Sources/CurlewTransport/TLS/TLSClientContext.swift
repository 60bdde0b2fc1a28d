import NIOCore
import NIOSSL

/// TLS as a client, ready for any number of connections.
struct TLSClientContext: Sendable {
    let context: NIOSSLContext
    let settings: TLSSettings

    /// Loads all that the settings name, which blocks: not for event loops.
    init(_ settings: TLSSettings) throws(TransportError) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        try configuration.apply(
            minimumVersion: settings.minimumVersion, applicationProtocols: settings.applicationProtocols)
        if !settings.cipherSuites.isEmpty {
            configuration.cipherSuiteValues = try CipherSuites.named(settings.cipherSuites)
        }
        if let name = settings.serverName, !HostName.isUsable(name) {
            throw .invalidConfiguration(
                "\(name) cannot be the TLS server name, which is a host name in ASCII and not an address.")
        }
        if let key = settings.preSharedKey {
            try configuration.apply(key, in: settings)
        } else {
            switch settings.verification {
            case .insecureAnyCertificate: configuration.certificateVerification = .none
            case .insecureAnyHostName: configuration.certificateVerification = .noHostnameVerification
            default: configuration.certificateVerification = .fullVerification
            }
            configuration.trustRoots = try settings.trustRoots.load(as: "The trusted authorities")
            if let pair = settings.clientCertificate { try configuration.apply(pair, named: "client") }
        }
        self.context = try NIOSSLContext(explaining: configuration, certificate: settings.clientCertificate)
        self.settings = settings
    }

    /// Finds out before any traffic whether the certificate of `host` could be verified at all.
    func check(_ host: String) throws(TransportError) {
        guard self.settings.verification == .full, self.settings.preSharedKey == nil, self.settings.serverName == nil,
            !HostName.isAddress(host), !HostName.isUsable(host)
        else { return }
        throw .invalidConfiguration(
            "\(host) cannot be in a certificate, which takes ASCII letters, digits, hyphens and dots only;"
                + " set the TLS server name to one that is.")
    }

    /// What turns a channel to `host` into a TLS channel.
    func makeHandler(for host: String) throws(TransportError) -> NIOSSLClientHandler {
        // For an address there is nothing to send; NIOSSL then verifies the certificate against the address connected to.
        let name = self.settings.serverName ?? (HostName.isAddress(host) ? nil : host)
        do {
            return try NIOSSLClientHandler(context: self.context, serverHostname: name.map(HostName.withoutRootDot))
        } catch {
            throw .invalidConfiguration("\(host) is not a host name that TLS can verify.", cause: error)
        }
    }
}

extension TLSConfiguration {
    mutating func apply(
        minimumVersion: TLSSettings.Version, applicationProtocols: [String]
    ) throws(TransportError) {
        self.minimumTLSVersion =
            switch minimumVersion {
            case .tls10: .tlsv1
            case .tls11: .tlsv11
            case .tls13: .tlsv13
            default: .tlsv12
            }
        for name in applicationProtocols where !(1...255).contains(name.utf8.count) {
            throw .invalidConfiguration("The application protocol \"\(name)\" must have 1 to 255 bytes.")
        }
        self.applicationProtocols = applicationProtocols
        // Whoever wants the peer's close_notify awaited half-closes; a close is a close.
        self.shutdownTimeout = .zero
    }

    mutating func apply(_ pair: TLSSettings.ClientCertificate, named role: String) throws(TransportError) {
        self.certificateChain = try pair.chain.certificates(as: "The \(role) certificate").map { .certificate($0) }
        self.privateKey = .privateKey(
            try pair.key.privateKey(as: "The \(role)'s private key", passphrase: pair.passphrase?.value))
    }

    fileprivate mutating func apply(
        _ preSharedKey: TLSSettings.PreSharedKey, in settings: TLSSettings
    ) throws(TransportError) {
        guard settings.clientCertificate == nil else {
            throw .invalidConfiguration(
                "A pre-shared key and a client certificate exclude each other; set one of them.")
        }
        guard settings.minimumVersion != .tls13 else {
            throw .invalidConfiguration("Pre-shared keys work with TLS 1.2 only; do not require TLS 1.3.")
        }
        let identity = preSharedKey.identity
        guard (1...128).contains(identity.utf8.count), !identity.utf8.contains(0) else {
            throw .invalidConfiguration(
                "The identity of the pre-shared key must have 1 to 128 bytes, none of them zero.")
        }
        let key = preSharedKey.key
        guard (1...256).contains(key.value.count) else {
            throw .invalidConfiguration("The pre-shared key must have 1 to 256 bytes; it has \(key.value.count).")
        }
        self.limitToPreSharedKeys()
        self.pskClientProvider = { _ in
            PSKClientIdentityResponse(key: NIOSSLSecureBytes(key.value), identity: identity)
        }
    }

    /// Only the key says who the peer is, so no cipher suite may do without it.
    mutating func limitToPreSharedKeys() {
        self.certificateVerification = .none
        self.maximumTLSVersion = .tlsv12
        self.cipherSuiteValues = [
            // TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, which NIOSSL has no name for.
            NIOTLSCipher(rawValue: 0xCCAC),
            .TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA,
            .TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA,
            .TLS_PSK_WITH_AES_256_CBC_SHA,
            .TLS_PSK_WITH_AES_128_CBC_SHA,
        ]
    }
}

extension NIOSSLSecureBytes {
    init(_ bytes: [UInt8]) {
        self.init()
        self.append(bytes)
    }
}

extension NIOSSLContext {
    convenience init(
        explaining configuration: TLSConfiguration, certificate: TLSSettings.ClientCertificate?
    ) throws(TransportError) {
        do {
            try self.init(configuration: configuration)
        } catch NIOSSLError.failedToLoadPrivateKey {
            let (key, chain) = (certificate.map { "\($0.key)" } ?? "", certificate.map { "\($0.chain)" } ?? "")
            throw .invalidConfiguration(
                "The private key (\(key)) does not belong to the first certificate (\(chain)); give the pair that belongs"
                    + " together, the host's own certificate first.",
                cause: NIOSSLError.failedToLoadPrivateKey)
        } catch BoringSSLError.unknownError(let stack) where configuration.trustRoots == .default {
            throw .invalidConfiguration(
                "The authorities that the system trusts cannot be found; install them (the package is often called"
                    + " ca-certificates), or set trust roots of your own.",
                cause: BoringSSLError.unknownError(stack))
        } catch {
            throw .invalidConfiguration("TLS cannot be set up: \(error).", cause: error)
        }
    }
}
