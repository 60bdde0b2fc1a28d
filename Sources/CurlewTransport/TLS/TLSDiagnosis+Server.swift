import NIOSSL

extension TLSDiagnosis {
    /// Explains a failure from the listener's point of view, for the broker's log, which already has the client's
    /// address. Client names are left out, because not everyone who reads logs may know them.
    func verdictOfServer(
        on reasons: Set<BoringSSLReason>, _ certificate: PresentedCertificate?, _ usesPreSharedKeys: Bool,
        _ authorities: [NIOSSLCertificate]
    ) -> (TransportError.Code, TLSSentence) {
        if reasons.contains(.verifyFailed) { return self.verdictOfServer(on: certificate, authorities) }
        if reasons.contains(.noCertificate) || reasons.contains(.certificateRequired) {
            return (.clientCertificateRequired, "The client presented no certificate, which this listener requires.")
        }
        if reasons.contains(.keyUsage) {
            return (
                .certificateUnsuitable,
                "The client's certificate cannot be used: its key usage does not include digitalSignature."
            )
        }
        if usesPreSharedKeys, reasons.contains(.unknownIdentity) || reasons.contains(.wrongSecret) {
            return (.preSharedKeyRejected, "The client's pre-shared key or its identity is not known here.")
        }
        if let reason = BoringSSLReason.ofRejectedCertificates.first(where: {
            reasons.contains($0.key) && !$0.key.isVague
        }) {
            return (.clientCertificateRejected, "The client did not accept the broker's certificate: \(reason.value).")
        }
        // OpenSSL answers the encrypted certificate of TLS 1.3 with an unencrypted alert, which BoringSSL cannot read.
        if !reasons.isDisjoint(with: [.certificateUnknown, .wrongSecret, .internalErrorAlert]) {
            return (
                .clientCertificateRejected,
                "The client did not accept the broker's certificate and gave no reason; does it trust the authority, and is the"
                    + " certificate for the host that it connects to?"
            )
        }
        if reasons.contains(.unsupportedProtocol) || reasons.contains(.protocolVersionAlert) {
            return (.tlsVersionMismatch, "The client has no TLS version in common with this listener.")
        }
        if !reasons.isDisjoint(with: BoringSSLReason.ofUnsupportedKeys) {
            return (
                .certificateUnsuitable,
                "The key of the client's certificate is of a kind that is not supported; it must be"
                    + " \(KeyAlgorithm.supportedKinds)."
            )
        }
        if reasons.contains(.noSharedCipher) || reasons.contains(.noCommonSignatureAlgorithm) {
            return (.tlsFailed, "The client and this listener have no cipher suite or kind of key in common.")
        }
        if !reasons.isDisjoint(with: BoringSSLReason.ofOtherProtocols) {
            return (.notTLS, "The client does not speak TLS, but this port requires it.")
        }
        if reasons.contains(.endOfFile) { return (.tlsFailed, self.closedEarly) }
        if reasons.contains(.illegalParameterAlert) {
            return (
                .clientCertificateRejected,
                "The client did not accept the broker's certificate for this use; does its key usage include digitalSignature?"
            )
        }
        if reasons.contains(.handshakeFailureAlert) {
            return (.tlsFailed, "The client refused the TLS handshake without a reason.")
        }
        return self.unknown(reasons)
    }

    private func verdictOfServer(
        on certificate: PresentedCertificate?, _ authorities: [NIOSSLCertificate]
    ) -> (TransportError.Code, TLSSentence) {
        switch certificate?.validity.phase(at: ValidityPeriod.now) {
        case .expired?:
            let date = certificate.map { " on \(ValidityPeriod.date($0.validity.end))" } ?? ""
            return (.certificateExpired, "The client's certificate expired\(date).")
        case .notYetValid?:
            let date = certificate.map { " before \(ValidityPeriod.date($0.validity.start))" } ?? " yet"
            return (.certificateNotYetValid, "The client's certificate is not valid\(date).")
        default: break
        }
        guard let contents = certificate?.contents else {
            return (.certificateNotTrusted, "The client's certificate does not lead to a trusted authority.")
        }
        guard contents.isFor(.client) else {
            return (
                .certificateUnsuitable,
                "The client's certificate is not for clients: its extended key usage does not include clientAuth."
            )
        }
        guard contents.permits(.digitalSignature) || contents.permits(.keyAgreement) else {
            return (
                .certificateUnsuitable,
                "The client's certificate cannot be used: its key usage does not include digitalSignature."
            )
        }
        if let fault = contents.fault(of: authorities, setting: .clientTrustRoots) {
            return (.certificateNotTrusted, "The client's certificate was issued by \(contents.issuerName), \(fault)")
        }
        return (
            .certificateNotTrusted,
            "The client's certificate does not lead to a trusted authority: it was issued by \(contents.issuerName)."
        )
    }

    /// The error for a client that does not finish the handshake in time.
    func handshakeTimedOut(after time: Duration) -> TransportError {
        TransportError(.timedOut, sentence: "The client did not finish the TLS handshake within \(time).", cause: nil)
    }
}
