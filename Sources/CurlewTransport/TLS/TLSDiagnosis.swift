import NIOCore
import NIOSSL

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Finds out what a failure of TLS means.
///
/// NIOSSL says little more than "handshake failed" with the reason that BoringSSL gives, and BoringSSL's reason for every bad
/// certificate is "certificate verify failed". So the verdict is BoringSSL's, and the certificate is looked at afterwards, only to
/// name the cause.
struct TLSDiagnosis: Sendable {
    let peer: String
    /// Whom the certificate must be for: a host name, or an address.
    let host: String
    let verifiesHostName: Bool
    let hasClientCertificate: Bool
    let hasPreSharedKey: Bool
    let minimumVersion: TLSSettings.Version

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
            return self.mismatch(certificate, cause: error)
        default:
            let (code, sentence) = self.verdict(on: Reason.all(in: error), certificate: certificate)
            return TransportError(code: code, message: sentence, cause: error)
        }
    }

    /// What it means when the connection breaks in the middle of the handshake: brokers do that on ports for plain MQTT.
    func brokenHandshake(cause: any Error) -> TransportError {
        TransportError(code: .tlsFailed, message: self.closedEarly, cause: cause)
    }

    private var closedEarly: String {
        "\(self.peer) closed the connection during the TLS handshake; is this the port for TLS, and does the peer accept us?"
    }

    /// An error if the certificate was accepted for its address where it should have been for its name.
    ///
    /// NIOSSL accepts a certificate for the address that a host name resolved to. Authorities do give certificates for addresses
    /// to whoever holds them; so with it, whoever can forge an answer of DNS could pose as any host.
    func nameMismatch(address: SocketAddress?, certificate: NIOSSLCertificate?) -> TransportError? {
        guard self.verifiesHostName, !HostName.isAddress(self.host) else { return nil }
        guard let certificate, let address = address?.ipAddress, certificate.addresses.contains(address) else {
            return nil
        }
        guard !certificate.hostNames.contains(where: { HostName.matches($0, host: self.host) }) else { return nil }
        return self.mismatch(certificate, cause: nil)
    }

    private func mismatch(_ certificate: NIOSSLCertificate?, cause: (any Error)?) -> TransportError {
        let presented = certificate.map { $0.hostNames + $0.addresses } ?? []
        let names = presented.isEmpty ? "names no host" : "is for \(presented.joined(separator: ", "))"
        return TransportError(
            code: .hostNameMismatch,
            message: "The certificate of \(self.peer) \(names), not for \(self.host);"
                + " connect by a name that it is for, or set that name as the TLS server name.",
            cause: cause)
    }

    private func verdict(
        on reasons: Set<Reason>, certificate: NIOSSLCertificate?
    ) -> (TransportError.Code, String) {
        let peer = self.peer
        if reasons.contains(.verifyFailed) { return self.verdict(on: certificate) }
        if self.hasPreSharedKey, !reasons.isDisjoint(with: Reason.ofPreSharedKeys) {
            return (
                .preSharedKeyRejected,
                "\(peer) did not accept the pre-shared key; check that it knows the identity and that the keys are the same."
            )
        }
        if reasons.contains(.certificateRequired)
            || !self.hasClientCertificate && certificate != nil
                && !reasons.isDisjoint(with: Reason.ofMissingCertificates)
        {
            return (
                .clientCertificateRequired, "\(peer) requires a client certificate; set one, with its private key."
            )
        }
        if self.hasClientCertificate,
            let reason = Reason.ofRejectedCertificates.first(where: { reasons.contains($0.key) })
        {
            return (.clientCertificateRejected, "\(peer) did not accept our client certificate: \(reason.value).")
        }
        if reasons.contains(.protocolVersionAlert) || reasons.contains(.unsupportedProtocol) {
            return (
                .tlsVersionMismatch,
                "\(peer) has no TLS version in common with us, who require at least \(self.minimumVersion);"
                    + " update it, or lower the minimum version if you accept the risk."
            )
        }
        if certificate == nil, !reasons.isDisjoint(with: Reason.ofOtherProtocols) {
            return (.notTLS, "\(peer) did not answer in TLS; is this the port for plain connections?")
        }
        if reasons.contains(.endOfFile) { return (.tlsFailed, self.closedEarly) }
        if reasons.contains(.handshakeFailureAlert) {
            return (
                .tlsFailed,
                "\(peer) refused the TLS handshake: no cipher suite in common, or it requires a client certificate."
            )
        }
        let names = reasons.map(\.name).sorted().joined(separator: ", ")
        return (.tlsFailed, "TLS with \(peer) failed" + (names.isEmpty ? "." : ": \(names)."))
    }

    private func verdict(on certificate: NIOSSLCertificate?) -> (TransportError.Code, String) {
        let now = time(nil)
        if let certificate, certificate.notValidAfter < now {
            return (
                .certificateExpired, "The certificate of \(self.peer) has expired; the peer needs a new one."
            )
        }
        if let certificate, certificate.notValidBefore > now {
            return (
                .certificateNotYetValid,
                "The certificate of \(self.peer) is not valid yet; check the clocks of both ends."
            )
        }
        return (
            .certificateNotTrusted,
            "The certificate of \(self.peer) was not made by a trusted authority (or one on the way to it is not valid);"
                + " if it is your own, set its authority as a trust root."
        )
    }
}

extension TLSDiagnosis {
    /// What BoringSSL says went wrong. NIOSSL gives it in the description of an error and nowhere else.
    struct Reason: Hashable {
        let name: String

        init(_ name: String) { self.name = name }

        static let verifyFailed = Self("CERTIFICATE_VERIFY_FAILED")
        static let endOfFile = Self("EOF")
        static let unsupportedProtocol = Self("UNSUPPORTED_PROTOCOL")
        static let protocolVersionAlert = Self("TLSV1_ALERT_PROTOCOL_VERSION")
        static let handshakeFailureAlert = Self("SSLV3_ALERT_HANDSHAKE_FAILURE")
        static let certificateRequired = Self("TLSV1_ALERT_CERTIFICATE_REQUIRED")

        /// What peers answer to a key or an identity that they do not know.
        static let ofPreSharedKeys: Set<Self> = [
            Self("TLSV1_ALERT_UNKNOWN_PSK_IDENTITY"), Self("SSLV3_ALERT_BAD_RECORD_MAC"),
            Self("TLSV1_ALERT_DECRYPT_ERROR"),
            Self("DECRYPTION_FAILED_OR_BAD_RECORD_MAC"), Self("DIGEST_CHECK_FAILED"), .handshakeFailureAlert,
        ]

        /// What peers that know no better (all before TLS 1.3) answer when they miss a client certificate, after they have
        /// presented their own.
        static let ofMissingCertificates: Set<Self> = [
            .handshakeFailureAlert, Self("SSLV3_ALERT_BAD_CERTIFICATE"), Self("SSLV3_ALERT_NO_CERTIFICATE"),
        ]

        static let ofRejectedCertificates: [Self: String] = [
            Self("SSLV3_ALERT_BAD_CERTIFICATE"): "it is damaged or not fit for clients",
            Self("SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"): "it is of a kind that the peer does not support",
            Self("SSLV3_ALERT_CERTIFICATE_REVOKED"): "it was revoked",
            Self("SSLV3_ALERT_CERTIFICATE_EXPIRED"): "it has expired",
            Self("SSLV3_ALERT_CERTIFICATE_UNKNOWN"): "the peer gives no reason",
            Self("TLSV1_ALERT_UNKNOWN_CA"): "the peer does not know the authority that made it",
            Self("TLSV1_ALERT_ACCESS_DENIED"): "its holder has no access",
            Self("TLSV1_ALERT_DECRYPT_ERROR"): "its signature does not verify",
            .handshakeFailureAlert: "the peer gives no reason",
        ]

        /// What the first bytes of another protocol look like to TLS.
        static let ofOtherProtocols: Set<Self> = [
            Self("WRONG_VERSION_NUMBER"), Self("HTTP_REQUEST"), Self("HTTPS_PROXY_REQUEST"),
            Self("INVALID_OUTER_RECORD_TYPE"),
            Self("UNEXPECTED_RECORD"), Self("UNEXPECTED_MESSAGE"), Self("RECORD_TOO_LARGE"),
            Self("ENCRYPTED_LENGTH_TOO_LONG"),
        ]

        static func all(in error: any Error) -> Set<Self> {
            switch error {
            case NIOSSLError.handshakeFailed(let underlying): Self.all(in: underlying)
            case BoringSSLError.sslError(let stack), BoringSSLError.unknownError(let stack):
                Set(
                    stack.map { entry in
                        if entry == .eofDuringHandshake { return Self.endOfFile }
                        // "Error: 268435581 error:1000007d:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED at …"
                        let fields = entry.description.split(separator: ":", maxSplits: 5)
                        return Self(String(fields.last?.prefix { $0 != " " } ?? ""))
                    })
            default: []
            }
        }
    }
}
