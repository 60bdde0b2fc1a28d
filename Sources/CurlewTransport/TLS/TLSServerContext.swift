package import CurlewCore
import NIOSSL
import Synchronization

/// The TLS settings and files that a listener uses for new connections.
final class TLSServerContext: Sendable {
    /// A snapshot of the settings and the loaded files.
    struct Material: Sendable {
        let context: NIOSSLContext
        /// The authorities trusted for client certificates; `nil` if there are none, or if the system decides.
        let authorities: [NIOSSLCertificate]?
        let preSharedKeys: [ExactText: Redacted<[UInt8]>]
        let usesPreSharedKeys: Bool
        let revocationLists: RevocationLists?
        fileprivate let notices: [CertificateNotice]

        /// Explains failures of a connection that was accepted with this material.
        func diagnosis(of peer: String, _ revocation: RevocationCheck? = nil) -> TLSDiagnosis {
            TLSDiagnosis(
                peer: peer,
                side: .server(usesPreSharedKeys: self.usesPreSharedKeys, authorities: self.authorities ?? []),
                revocation: revocation)
        }
    }

    private let settings: TLSServerSettings
    /// Guards the files as they were last loaded.
    private let current: Mutex<Material>

    init(_ settings: TLSServerSettings) throws(TransportError) {
        self.settings = settings
        self.current = Mutex(try settings.load())
    }

    var material: Material { self.current.withLock { $0 } }

    /// Warnings about the certificates and revocation lists, for the operator.
    func notices(at now: Int) -> [String] {
        let material = self.material
        return material.notices.compactMap { $0.text(at: now) } + (material.revocationLists?.notices(at: now) ?? [])
    }

    func reload() throws(TransportError) {
        let material = try self.settings.load()
        self.current.withLock { $0 = material }
    }
}

extension TLSServerSettings {
    /// Loads the files and creates what is needed to accept connections.
    fileprivate func load() throws(TransportError) -> TLSServerContext.Material {
        var configuration = TLSConfiguration.makePreSharedKeyConfiguration()
        try configuration.apply(
            minimumVersion: self.minimumVersion, applicationProtocols: self.applicationProtocols)
        configuration.maximumTLSVersion = self.maximumVersion == .tls12 ? .tlsv12 : nil
        if !self.cipherSuites.isEmpty {
            configuration.cipherSuiteValues = try CipherSuites.named(self.cipherSuites, setting: .brokerCipherSuites)
        }
        let authorities = try self.clientTrustRoots?.certificates(as: .clientTrustRoots)
        let others = try self.chainAuthorities?.certificates(as: .chainAuthorities)
        var notices: [CertificateNotice] = []
        if let pair = self.certificate {
            try configuration.apply(pair, as: .broker, completedBy: (authorities ?? []) + (others ?? []))
            notices += configuration.ownCertificates.enumerated().map { index, certificate in
                CertificateNotice(certificate, of: index == 0 ? .broker : .chain, from: "\(pair.chain)")
            }
        }
        if let clientTrustRoots {
            configuration.trustRoots = authorities.map { .certificates($0) } ?? .default
            configuration.certificateVerification =
                self.requiresClientCertificate ? .noHostnameVerification : .optionalVerification
            notices += (authorities ?? []).map {
                CertificateNotice($0, of: .clientAuthority, from: clientTrustRoots.origin)
            }
        }
        let keys = try self.loadPreSharedKeys()
        let usesPreSharedKeys = !keys.isEmpty || self.preSharedKeySource != nil
        if usesPreSharedKeys {
            configuration.limitToPreSharedKeys()
            configuration.pskHint = self.preSharedKeyHint
            configuration.pskServerProvider = { context in
                let identity = ExactText(context.clientIdentity)
                guard let key = keys[identity] else { throw NIOSSLError.noCertificateToValidate }
                HandshakeWatch.noteIdentity(identity)
                return PSKServerIdentityResponse(key: NIOSSLSecureBytes(key.value))
            }
        }
        return TLSServerContext.Material(
            context: try NIOSSLContext(explaining: configuration), authorities: authorities, preSharedKeys: keys,
            usesPreSharedKeys: usesPreSharedKeys,
            revocationLists: try self.loadRevocationLists(authorities, usesPreSharedKeys: usesPreSharedKeys),
            notices: notices)
    }

    private func loadRevocationLists(
        _ authorities: [NIOSSLCertificate]?, usesPreSharedKeys: Bool
    ) throws(TransportError) -> RevocationLists? {
        guard !self.revocationLists.isEmpty else { return nil }
        guard !usesPreSharedKeys else {
            throw .invalidConfiguration(
                "Revocation lists (\(.clientRevocationLists)) are about certificates, which pre-shared keys replace; leave one"
                    + " of the two out.")
        }
        guard self.clientTrustRoots != nil else {
            throw .invalidConfiguration(
                "Revocation lists (\(.clientRevocationLists)) have no effect without client certificates; set"
                    + " \(.clientTrustRoots).")
        }
        return try self.revocationLists.revocationLists(as: .clientRevocationLists, authorities: authorities)
    }

    private func loadPreSharedKeys() throws(TransportError) -> [ExactText: Redacted<[UInt8]>] {
        guard let source = self.preSharedKeySource else { return self.preSharedKeys }
        do { return try source() } catch { throw .invalidConfiguration("\("\(error)")", cause: error) }
    }
}

extension TLSConfiguration {
    fileprivate var ownCertificates: [NIOSSLCertificate] {
        self.certificateChain.compactMap { if case .certificate(let certificate) = $0 { certificate } else { nil } }
    }
}

extension TLSSettings.TrustRoots {
    /// The source of the trust roots, for people.
    fileprivate var origin: String {
        switch self.source {
        case .system: "the system"
        case .directory(let path): "directory \(path)"
        case .certificates(let material): "\(material)"
        }
    }
}

/// The TLS settings of a listener.
package struct TLSServerSettings: Sendable {
    /// The listener's certificate and key; not needed with pre-shared keys.
    package var certificate: TLSSettings.Identity?
    /// If set, clients may present a certificate issued by one of these; with `requiresClientCertificate`, they must.
    package var clientTrustRoots: TLSSettings.TrustRoots?
    package var requiresClientCertificate = true
    /// The revocation lists for client certificates. If there are any, each client's certificate must be covered by a
    /// current one of its issuer.
    package var revocationLists: [TLSSettings.Material] = []
    /// Where to look for certificates that are missing in the listener's chain. These authorities are not trusted for
    /// client certificates.
    package var chainAuthorities: TLSSettings.TrustRoots?
    /// Keys by identity. If there are any, nothing else is accepted.
    package var preSharedKeys: [ExactText: Redacted<[UInt8]>] = [:]
    /// Reads the keys at the start and at each reload; replaces ``preSharedKeys``.
    package var preSharedKeySource: (@Sendable () throws -> [ExactText: Redacted<[UInt8]>])?
    /// A hint by which clients choose their key (RFC 4279 section 5.2).
    package var preSharedKeyHint: String?
    package var applicationProtocols: [String] = []
    /// The names of the permitted cipher suites up to TLS 1.2; empty for SwiftNIO's default.
    package var cipherSuites: [String] = []
    package var minimumVersion: TLSSettings.Version = .tls12
    package var maximumVersion: TLSSettings.Version = .tls13

    package init(certificate: TLSSettings.Identity? = nil) {
        self.certificate = certificate
    }
}
