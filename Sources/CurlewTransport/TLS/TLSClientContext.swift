import CurlewCore
import NIOCore
import NIOSSL

/// TLS as a client, for any number of connections.
struct TLSClientContext: Sendable {
    let context: NIOSSLContext
    let settings: TLSSettings
    /// The client's certificate, to explain why a peer rejects it.
    let ownCertificate: TLSDiagnosis.OwnCertificate?
    /// The trusted authorities; empty if the system decides.
    let authorities: [NIOSSLCertificate]
    let revocationLists: RevocationLists?
    /// For brokers whose RSA certificate permits only key encipherment, not signatures: TLS 1.2 in which the client
    /// encrypts the secret with the certificate's key (RFC 5246 section 7.4.7.1). `nil` if the settings permit no such
    /// cipher suite.
    private let keyTransport: TLSConfiguration?

    /// Loads the files that the settings name, which blocks: do not call it on an event loop.
    init(_ settings: TLSSettings) throws(TransportError) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        try configuration.apply(
            minimumVersion: settings.minimumVersion, applicationProtocols: settings.applicationProtocols)
        if !settings.cipherSuites.isEmpty {
            configuration.cipherSuiteValues = try CipherSuites.named(settings.cipherSuites, setting: .cipherSuites)
        }
        if let name = settings.serverName, !HostName.isUsable(name) {
            throw .invalidConfiguration(
                "\(name) cannot be the TLS server name (\(.serverName)): it must be a host name in ASCII, not an address."
            )
        }
        self.settings = settings
        try settings.checkUseOfRevocationLists()
        guard settings.preSharedKey == nil else {
            try configuration.applyPreSharedKey(of: settings)
            self.context = try NIOSSLContext(explaining: configuration)
            self.keyTransport = nil
            self.ownCertificate = nil
            self.authorities = []
            self.revocationLists = nil
            return
        }
        switch settings.verification {
        case .insecureAnyCertificate: configuration.certificateVerification = .none
        case .insecureAnyHostName: configuration.certificateVerification = .noHostnameVerification
        default: configuration.certificateVerification = .fullVerification
        }
        let authorities = try settings.trustRoots.certificates(as: .trustedAuthorities)
        configuration.trustRoots = authorities.map { .certificates($0) } ?? .default
        self.authorities = authorities ?? []
        self.ownCertificate = try settings.clientCertificate.map { pair throws(TransportError) in
            try configuration.apply(pair, as: .client, completedBy: authorities ?? [])
        }
        self.revocationLists = try settings.revocationLists.revocationLists(
            as: .revocationLists, authorities: authorities)
        self.context = try NIOSSLContext(explaining: configuration)
        self.keyTransport = Self.keyTransport(configuration, settings)
    }

    private static func keyTransport(_ configuration: TLSConfiguration, _ settings: TLSSettings) -> TLSConfiguration? {
        let suites = CipherSuites.ofKeyTransport.filter {
            settings.cipherSuites.isEmpty || configuration.cipherSuiteValues.contains($0)
        }
        guard settings.minimumVersion != .tls13, !suites.isEmpty else { return nil }
        var configuration = configuration
        configuration.maximumTLSVersion = .tlsv12
        configuration.cipherSuiteValues = suites
        return configuration
    }

    /// A context for key transport, if the settings permit it. Created when needed, because it rarely is.
    func makeKeyTransportContext() async -> NIOSSLContext? {
        guard let keyTransport else { return nil }
        // Detached: the system's authorities are read from files, which must not block the caller's event loop.
        return await Task.detached { try? NIOSSLContext(configuration: keyTransport) }.value
    }

    /// Checks before any traffic whether a certificate can be for `host` at all.
    func check(_ host: String) throws(TransportError) {
        guard self.settings.verification == .full, self.settings.preSharedKey == nil, self.settings.serverName == nil,
            !HostName.isAddress(host), !HostName.isUsable(host)
        else { return }
        throw .invalidConfiguration(
            "\(host) cannot be in a certificate, which permits only ASCII letters, digits, hyphens and dots;"
                + " set \(.serverName) to a name that is in it.")
    }

    /// Checks before any traffic that our own certificate is valid. Called at each attempt, because time passes and
    /// certificates are renewed.
    ///
    /// - Parameter now: In seconds since 1970.
    func checkOwnCertificate(at now: Int) throws(TransportError) {
        guard let own = self.ownCertificate, let material = self.settings.clientCertificate?.chain else { return }
        let name = own.contents.map { " \($0.subjectName)" } ?? ""
        let subject: TLSSentence = "The client certificate\(name) (\(.clientCertificate)), \(material),"
        switch own.validity.phase(at: now) {
        case .expired:
            throw TransportError(
                .clientCertificateExpired,
                sentence:
                    "\(subject) expired on \(ValidityPeriod.moment(own.validity.end)); renew it, unless the clock of"
                    + " this machine is wrong.")
        case .notYetValid:
            throw TransportError(
                .clientCertificateNotYetValid,
                sentence:
                    "\(subject) is not valid before \(ValidityPeriod.moment(own.validity.start)); check the clock of"
                    + " this machine.")
        case .valid, .endsSoon: break
        }
    }

    /// Creates the handler that turns a channel to `host` into a TLS channel.
    ///
    /// - Parameters:
    ///   - context: ``context``, or one for key transport.
    ///   - revocation: Checks the peer's certificates against revocation lists, if there are lists.
    func makeHandler(
        for host: String, _ context: NIOSSLContext, _ revocation: RevocationCheck? = nil
    ) throws(TransportError) -> NIOSSLClientHandler {
        // For an address there is no name to send; NIOSSL then verifies the certificate against the address of the
        // connection.
        let name = self.settings.serverName ?? (HostName.isAddress(host) ? nil : host)
        do {
            return try NIOSSLClientHandler.checking(
                context, name: name.map(HostName.withoutRootDot), with: revocation)
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
        for name in applicationProtocols
        where !(1...255).contains(name.utf8.count) || !name.utf8.allSatisfy({ $0 < 0x80 }) {
            throw .invalidConfiguration(
                "The application protocol \"\(name)\" (\(.applicationProtocols)) must have 1 to 255 characters of ASCII."
            )
        }
        self.applicationProtocols = applicationProtocols
        // Callers that want to wait for the peer's close_notify half-close; a full close is immediate.
        self.shutdownTimeout = .zero
        // BoringSSL supports more than it offers by default.
        self.verifySignatureAlgorithms = [
            .ecdsaSecp256R1Sha256, .rsaPssRsaeSha256, .rsaPkcs1Sha256, .ed25519,
            .ecdsaSecp384R1Sha384, .rsaPssRsaeSha384, .rsaPkcs1Sha384,
            .ecdsaSecp521R1Sha512, .rsaPssRsaeSha512, .rsaPkcs1Sha512, .rsaPkcs1Sha1,
        ]
        self.curves = [.x25519_MLKEM768, .x25519, .secp256r1, .secp384r1, .secp521r1]
    }

    /// Sets the certificate to present to the peer.
    ///
    /// - Parameter authorities: Where to look for certificates that are missing in the chain, as OpenSSL does.
    /// - Returns: The certificate that belongs to the key.
    @discardableResult
    mutating func apply(
        _ pair: TLSSettings.Identity, as role: CertificateRole, completedBy authorities: [NIOSSLCertificate]
    ) throws(TransportError) -> TLSDiagnosis.OwnCertificate {
        let (certificates, key) = try pair.load(as: role)
        let chain = try role.chain(of: certificates, for: key, in: pair)
        self.certificateChain = CertificateChain.complete(chain, from: authorities).map { .certificate($0) }
        self.privateKey = .privateKey(key)
        return TLSDiagnosis.OwnCertificate(
            contents: CertificateContents(chain[0]), validity: ValidityPeriod(chain[0]))
    }

    fileprivate mutating func applyPreSharedKey(of settings: TLSSettings) throws(TransportError) {
        guard let preSharedKey = settings.preSharedKey else { return }
        guard settings.clientCertificate == nil else {
            throw .invalidConfiguration(
                "A pre-shared key (\(.preSharedKey)) and a client certificate (\(.clientCertificate)) exclude each other;"
                    + " set one of them.")
        }
        guard settings.minimumVersion != .tls13 else {
            throw .invalidConfiguration(
                "Pre-shared keys (\(.preSharedKey)) work only with TLS 1.2; do not require TLS 1.3 (\(.minimumVersion))."
            )
        }
        let identity = preSharedKey.identity
        guard (1...128).contains(identity.utf8.count), !identity.utf8.contains(0) else {
            throw .invalidConfiguration(
                "The identity of the pre-shared key (\(.preSharedKey)) must have 1 to 128 bytes, none of them zero.")
        }
        let key = preSharedKey.key
        guard (1...256).contains(key.value.count) else {
            throw .invalidConfiguration(
                "The pre-shared key (\(.preSharedKey)) must have 1 to 256 bytes; it has \(key.value.count).")
        }
        self.limitToPreSharedKeys()
        self.pskClientProvider = { _ in
            PSKClientIdentityResponse(key: NIOSSLSecureBytes(key.value), identity: identity)
        }
    }

    /// Only the key identifies the peer, so every permitted cipher suite must use it.
    mutating func limitToPreSharedKeys() {
        self.certificateVerification = .none
        self.maximumTLSVersion = .tlsv12
        self.cipherSuiteValues = [
            // TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, for which NIOSSL has no name.
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
    convenience init(explaining configuration: TLSConfiguration) throws(TransportError) {
        do {
            try self.init(configuration: configuration)
        } catch BoringSSLError.unknownError(let stack) where configuration.trustRoots == .default {
            throw .invalidConfiguration(
                "The system's trusted authorities cannot be found; install them (the package is often called"
                    + " ca-certificates), or set \(.trustRoots).",
                cause: BoringSSLError.unknownError(stack))
        } catch {
            throw .invalidConfiguration("TLS cannot be set up: \(String(describing: error)).", cause: error)
        }
    }
}
