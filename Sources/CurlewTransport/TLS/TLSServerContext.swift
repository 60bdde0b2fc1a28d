package import CurlewCore
import NIOSSL
import Synchronization

/// What a listener's new connections use TLS with.
final class TLSServerContext: Sendable {
    /// What was made of the settings and their files at one time.
    struct Material: Sendable {
        let context: NIOSSLContext
        /// Who is trusted for clients; `nil` where there is nobody, or those whom the system trusts.
        let authorities: [NIOSSLCertificate]?
        let preSharedKeys: [ExactText: Redacted<[UInt8]>]
        let usesPreSharedKeys: Bool
        fileprivate let notices: [CertificateNotice]

        /// Explains what goes wrong with a connection that was accepted with it.
        func diagnosis(of peer: String) -> TLSDiagnosis {
            TLSDiagnosis(
                peer: peer,
                side: .server(usesPreSharedKeys: self.usesPreSharedKeys, authorities: self.authorities ?? []))
        }
    }

    private let settings: TLSServerSettings
    /// Guards what was made of the files when they were last read.
    private let current: Mutex<Material>

    init(_ settings: TLSServerSettings) throws(TransportError) {
        self.settings = settings
        self.current = Mutex(try settings.load())
    }

    var material: Material { self.current.withLock { $0 } }

    /// What an operator should know about the certificates.
    func notices(at now: Int) -> [String] { self.material.notices.compactMap { $0.text(at: now) } }

    func reload() throws(TransportError) {
        let material = try self.settings.load()
        self.current.withLock { $0 = material }
    }
}

extension TLSServerSettings {
    /// Reads the files, and makes of them what connections are accepted with.
    fileprivate func load() throws(TransportError) -> TLSServerContext.Material {
        var configuration = TLSConfiguration.makePreSharedKeyConfiguration()
        try configuration.apply(
            minimumVersion: self.minimumVersion, applicationProtocols: self.applicationProtocols)
        configuration.maximumTLSVersion = self.maximumVersion == .tls12 ? .tlsv12 : nil
        if !self.cipherSuites.isEmpty {
            configuration.cipherSuiteValues = try CipherSuites.named(self.cipherSuites, setting: .brokerCipherSuites)
        }
        let authorities = try self.clientTrustRoots?.certificates(as: .clientAuthorities)
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
            usesPreSharedKeys: usesPreSharedKeys, notices: notices)
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
    /// Where they come from, for people.
    fileprivate var origin: String {
        switch self.source {
        case .system: "the system"
        case .directory(let path): "directory \(path)"
        case .certificates(let material): "\(material)"
        }
    }
}

/// How a listener uses TLS.
package struct TLSServerSettings: Sendable {
    /// The listener's certificate and key; not needed with pre-shared keys.
    package var certificate: TLSSettings.Identity?
    /// If set, clients may present a certificate that leads to one of these, and must unless `requiresClientCertificate` is off.
    package var clientTrustRoots: TLSSettings.TrustRoots?
    package var requiresClientCertificate = true
    /// Where certificates between the listener's own and its root are looked for that its chain lacks. Nobody is trusted for it.
    package var chainAuthorities: TLSSettings.TrustRoots?
    /// Keys by identity. If there are any, nothing else is accepted.
    package var preSharedKeys: [ExactText: Redacted<[UInt8]>] = [:]
    /// Reads the keys, at the start and at each reload, in place of ``preSharedKeys``.
    package var preSharedKeySource: (@Sendable () throws -> [ExactText: Redacted<[UInt8]>])?
    /// What clients are told to choose their key by.
    package var preSharedKeyHint: String?
    package var applicationProtocols: [String] = []
    /// Names of cipher suites up to TLS 1.2; empty for SwiftNIO's choice.
    package var cipherSuites: [String] = []
    package var minimumVersion: TLSSettings.Version = .tls12
    package var maximumVersion: TLSSettings.Version = .tls13

    package init(certificate: TLSSettings.Identity? = nil) {
        self.certificate = certificate
    }
}
