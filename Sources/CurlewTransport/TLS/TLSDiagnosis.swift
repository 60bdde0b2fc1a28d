import NIOCore
import NIOSSL

/// Finds out what a failure of TLS means.
///
/// NIOSSL says little more than "handshake failed" with the reason that BoringSSL gives, and BoringSSL's reason for every bad
/// certificate is "certificate verify failed". So the verdict is BoringSSL's, and the certificate is looked at afterwards, only to
/// name the cause.
struct TLSDiagnosis: Sendable {
    /// Which end we are.
    enum Side: Sendable {
        case client(ClientSide)
        /// A listener, with the authorities that it trusts for clients.
        case server(usesPreSharedKeys: Bool, authorities: [NIOSSLCertificate])
    }

    /// What a client asks of its peer, and presents to it.
    struct ClientSide: Sendable {
        /// Whom the certificate must be for: a host name, or an address.
        let host: String
        let verifiesHostName: Bool
        let ownCertificate: OwnCertificate?
        let hasPreSharedKey: Bool
        let minimumVersion: TLSSettings.Version
        /// Whom we trust; empty where it is the system that says so.
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

    /// Whether `error` is of TLS, rather than of the socket below it.
    static func covers(_ error: any Error) -> Bool {
        error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError
            || error is NIOSSLCloseTimedOutError
    }

    /// What `error` means, or `nil` if it is no more than an unceremonious close.
    ///
    /// - Parameter certificate: What the peer presented, if it came that far.
    func explain(_ error: any Error, certificate: NIOSSLCertificate?) -> TransportError? {
        switch error {
        // MQTT tells by itself when a packet is cut off, and many a broker closes without saying goodbye in TLS.
        case NIOSSLError.uncleanShutdown, NIOSSLError.shutdownFailed, is NIOSSLCloseTimedOutError:
            return nil
        case let error as NIOSSLExtraError where error == .failedToValidateHostname,
            let error as NIOSSLExtraError where error == .serverHostnameImpossibleToMatch:
            guard case .client(let client) = self.side else { return nil }
            return self.mismatch(client.host, certificate, cause: error)
        default:
            let presented = certificate.map { PresentedCertificate($0) }
            let reasons = Reason.all(in: error)
            let (code, sentence) =
                switch self.side {
                case .client(let client): self.verdict(of: client, on: reasons, presented)
                case .server(let usesPreSharedKeys, let authorities):
                    self.verdictOfServer(on: reasons, presented, usesPreSharedKeys, authorities)
                }
            return TransportError(code, sentence: sentence, cause: error)
        }
    }

    /// What it means when the connection breaks in the middle of the handshake: brokers do that on ports for plain MQTT.
    func brokenHandshake(cause: any Error) -> TransportError {
        TransportError(.tlsFailed, sentence: self.closedEarly, cause: cause)
    }

    /// Whether a handshake failed because the peer's certificate does not permit signatures.
    static func isLackOfSignatures(_ error: TransportError) -> Bool {
        error.cause.map { Reason.all(in: $0).contains(.keyUsage) } ?? false
    }

    /// An error if the peer was accepted although its certificate is not what it should be.
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
        return self.nameMismatch(address: address, certificate: certificate)
    }

    /// An error if the certificate was accepted for its address where it should have been for its name.
    ///
    /// NIOSSL accepts a certificate for the address that a host name resolved to. Authorities do give certificates for addresses
    /// to whoever holds them; so with it, whoever can forge an answer of DNS could pose as any host.
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
    /// What is wrong with the authority of this certificate, if one of that name is trusted: in words that follow "by" and its name.
    ///
    /// - Parameter setting: Where the authorities come from.
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
