import NIOCore
import NIOSSL

/// Explains TLS failures.
///
/// NIOSSL reports little more than "handshake failed" with BoringSSL's reason, which is "certificate verify failed" for
/// every bad certificate. BoringSSL's decision stands; this only inspects the certificate afterwards to name the cause.
struct TLSDiagnosis: Sendable {
    /// Which end we are.
    enum Side: Sendable {
        case client(ClientSide)
        /// A listener, with the authorities that it trusts to issue client certificates.
        case server(usesPreSharedKeys: Bool, authorities: [NIOSSLCertificate])
    }

    /// What a client requires of its peer, and presents to it.
    struct ClientSide: Sendable {
        /// The host name or address that the certificate must be for.
        let host: String
        let verifiesHostName: Bool
        let ownCertificate: OwnCertificate?
        let hasPreSharedKey: Bool
        let minimumVersion: TLSSettings.Version
        /// Those that the client offers.
        let applicationProtocols: [String]
        /// The trusted authorities; empty if the system decides.
        let authorities: [NIOSSLCertificate]
        /// Whether the peer's certificate must be one that permits no signatures.
        let expectsNoSignatures: Bool
    }

    /// The certificate that we present.
    struct OwnCertificate: Sendable {
        let contents: CertificateContents?
        let validity: ValidityPeriod
    }

    let peer: String
    let side: Side
    /// The check of the peer's certificates against revocation lists, if there are lists.
    var revocation: RevocationCheck?

    /// Whether `error` comes from TLS, not from the socket below it.
    static func covers(_ error: any Error) -> Bool {
        error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError
            || error is NIOSSLCloseTimedOutError
    }

    /// Explains `error`; returns `nil` if the peer only closed the connection without ending TLS first.
    ///
    /// - Parameter certificate: The peer's certificate, if it has presented one.
    func explain(_ error: any Error, certificate: NIOSSLCertificate?) -> TransportError? {
        switch error {
        // MQTT detects truncated packets itself, and many brokers close without a TLS close_notify.
        case NIOSSLError.uncleanShutdown, NIOSSLError.shutdownFailed, is NIOSSLCloseTimedOutError:
            return nil
        case let error as NIOSSLExtraError where error == .failedToValidateHostname,
            let error as NIOSSLExtraError where error == .serverHostnameImpossibleToMatch:
            guard case .client(let client) = self.side else { return nil }
            return self.mismatch(client.host, certificate, cause: error)
        default:
            if let finding = self.revocation?.refusal { return self.refusal(finding, cause: error) }
            let presented = certificate.map { PresentedCertificate($0) }
            let reasons = BoringSSLReason.all(in: error)
            let (code, sentence) =
                switch self.side {
                case .client(let client): self.verdict(of: client, on: reasons, presented)
                case .server(let usesPreSharedKeys, let authorities):
                    self.verdictOfServer(on: reasons, presented, usesPreSharedKeys, authorities)
                }
            return TransportError(code, sentence: sentence, cause: error)
        }
    }

    /// The error for a connection that breaks during the handshake. Brokers close connections like that on ports for
    /// plain MQTT.
    func brokenHandshake(cause: any Error) -> TransportError {
        TransportError(.tlsFailed, sentence: self.closedEarly, cause: cause)
    }

    /// Whether a handshake failed because the peer's certificate does not permit signatures.
    static func isLackOfSignatures(_ error: TransportError) -> Bool {
        error.cause.map { BoringSSLReason.all(in: $0).contains(.keyUsage) } ?? false
    }

    /// An error if TLS accepted the peer although its certificate is not acceptable.
    func objection(address: SocketAddress?, certificate: NIOSSLCertificate?) -> TransportError? {
        if case .client(let client) = self.side, client.expectsNoSignatures,
            certificate.flatMap({ CertificateContents($0) })?.permits(.digitalSignature) != false
        {
            return TransportError(
                .tlsFailed,
                sentence:
                    "\(self.peer) presented two different certificates; somebody on the way may want to weaken the connection.",
                cause: nil)
        }
        if let finding = self.revocation?.conclude(certificate) { return self.refusal(finding, cause: nil) }
        return self.nameMismatch(address: address, certificate: certificate)
    }

    /// An error if the certificate was accepted for the host's address although it must be for its name.
    ///
    /// NIOSSL accepts a certificate for the address that a host name resolved to. Authorities issue certificates for
    /// addresses to their holders, so that an attacker who can forge DNS answers could impersonate any host.
    private func nameMismatch(address: SocketAddress?, certificate: NIOSSLCertificate?) -> TransportError? {
        guard case .client(let client) = self.side, client.verifiesHostName, !HostName.isAddress(client.host) else {
            return nil
        }
        guard let certificate, let address = address?.ipAddress, certificate.addresses.contains(address) else {
            return nil
        }
        guard !certificate.hostNames.contains(where: { HostName.matches($0, host: client.host) }) else { return nil }
        return self.mismatch(client.host, certificate, cause: nil)
    }

    var closedEarly: TLSSentence {
        switch self.side {
        case .client:
            "\(self.peer) closed the connection during the TLS handshake; is this the port for TLS, and does the peer accept us?"
        case .server: "The client closed the connection during the TLS handshake."
        }
    }

    private func mismatch(_ host: String, _ certificate: NIOSSLCertificate?, cause: (any Error)?) -> TransportError {
        let presented = certificate.map { $0.hostNames + $0.addresses } ?? []
        let holder = certificate.flatMap { CertificateContents($0) }.map { " and is that of \($0.subjectName)" } ?? ""
        let names = presented.isEmpty ? "names no host\(holder)" : "is for \(presented.joined(separator: ", "))"
        return TransportError(
            .hostNameMismatch,
            sentence: "The certificate of \(self.peer) \(names), not for \(host);"
                + " connect by a name that it is for, or set that name with \(.serverName).",
            cause: cause)
    }
}

/// A certificate that a peer presented.
struct PresentedCertificate: Sendable {
    let contents: CertificateContents?
    let validity: ValidityPeriod

    init(_ certificate: NIOSSLCertificate) {
        self.contents = CertificateContents(certificate)
        self.validity = ValidityPeriod(certificate)
    }
}

extension CertificateContents {
    /// What is wrong with the trusted authority that has the name of this certificate's issuer, as words that follow
    /// "issued by" and the name; `nil` if there is no such authority.
    ///
    /// - Parameter setting: The setting that the authorities come from.
    func fault(of authorities: [NIOSSLCertificate], setting: TLSSetting) -> TLSSentence? {
        let namesakes = authorities.filter { CertificateContents($0)?.subject == self.issuer }
        guard !namesakes.isEmpty else { return nil }
        let periods = namesakes.map { ValidityPeriod($0) }
        let phases = periods.map { $0.phase(at: ValidityPeriod.now) }
        if phases.allSatisfy({ $0 == .expired }), let end = periods.map(\.end).max() {
            return "whose certificate among those of \(setting) expired on \(ValidityPeriod.date(end)); replace it."
        }
        if phases.allSatisfy({ $0 == .notYetValid }), let start = periods.map(\.start).min() {
            return
                "whose certificate among those of \(setting) is not valid before \(ValidityPeriod.date(start)); check the clock."
        }
        return """
            but the certificate of that name among those of \(setting) does not confirm it: it has another key or may not issue \
            certificates; give the authority's current certificate.
            """
    }
}
