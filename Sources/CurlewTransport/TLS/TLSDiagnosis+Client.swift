extension TLSDiagnosis {
    /// Explains a failure from the client's point of view.
    func verdict(
        of client: ClientSide, on reasons: Set<BoringSSLReason>, _ certificate: PresentedCertificate?
    ) -> (TransportError.Code, TLSSentence) {
        let peer = self.peer
        if reasons.contains(.verifyFailed) { return self.verdict(of: client, on: certificate) }
        if reasons.contains(.keyUsage) { return self.lackOfSignatures(certificate) }
        if reasons.contains(.noApplicationProtocol) { return self.lackOfApplicationProtocol(client) }
        if client.hasPreSharedKey, !reasons.isDisjoint(with: BoringSSLReason.ofPreSharedKeys) {
            return (
                .preSharedKeyRejected,
                "\(peer) did not accept the pre-shared key (\(.preSharedKey)); check that it knows the identity and that the"
                    + " keys are the same."
            )
        }
        if reasons.contains(.certificateRequired)
            || client.ownCertificate == nil && certificate != nil
                && !reasons.isDisjoint(with: BoringSSLReason.ofMissingCertificates)
        {
            return (
                .clientCertificateRequired,
                "\(peer) requires a client certificate; set \(.clientCertificate) and \(.clientKey)."
            )
        }
        if let own = client.ownCertificate,
            let reason = BoringSSLReason.ofRejectedCertificates.first(where: { reasons.contains($0.key) })
        {
            return (
                .clientCertificateRejected,
                "\(peer) did not accept our client certificate (\(.clientCertificate)): \(own.fault ?? reason.value)."
            )
        }
        // Some peers detect the problem before they verify the certificate, and send no more specific alert.
        if let fault = client.ownCertificate?.fault, certificate != nil,
            reasons.contains(.illegalParameterAlert) || reasons.contains(.endOfFile)
        {
            return (
                .clientCertificateRejected,
                "\(peer) did not accept our client certificate (\(.clientCertificate)): \(fault)."
            )
        }
        if reasons.contains(.protocolVersionAlert) || reasons.contains(.unsupportedProtocol) {
            return (
                .tlsVersionMismatch,
                "\(peer) has no TLS version in common with us; we require at least \(client.minimumVersion);"
                    + " update it, or lower \(.minimumVersion) if you accept the risk."
            )
        }
        if !reasons.isDisjoint(with: BoringSSLReason.ofUnsupportedKeys) {
            return (
                .certificateUnsuitable,
                "The key of \(peer)'s certificate\(certificate?.contents.map { " \($0.subjectName)" } ?? "") is of a kind that is"
                    + " not supported\(certificate?.contents.map { " (\($0.key))" } ?? ""); the broker needs a certificate whose"
                    + " key is \(KeyAlgorithm.supportedKinds)."
            )
        }
        if certificate == nil, !reasons.isDisjoint(with: BoringSSLReason.ofOtherProtocols) {
            return (.notTLS, "\(peer) did not answer in TLS; is this the port for plain connections?")
        }
        if reasons.contains(.endOfFile) { return (.tlsFailed, self.closedEarly) }
        if reasons.contains(.handshakeFailureAlert) {
            return (
                .tlsFailed,
                "\(peer) refused the TLS handshake without a reason: it requires a client certificate (\(.clientCertificate)),"
                    + " or has no cipher suite (\(.cipherSuites)) or kind of key in common with us; we support"
                    + " \(KeyAlgorithm.supportedKinds)."
            )
        }
        return self.unknown(reasons)
    }

    func unknown(_ reasons: Set<BoringSSLReason>) -> (TransportError.Code, TLSSentence) {
        let names = reasons.map(\.name).sorted().joined(separator: ", ")
        return (.tlsFailed, "TLS with \(self.peer) failed\(names.isEmpty ? "" : ": \(names)").")
    }

    private func lackOfApplicationProtocol(_ client: ClientSide) -> (TransportError.Code, TLSSentence) {
        guard !client.applicationProtocols.isEmpty else {
            return (
                .tlsFailed,
                "\(self.peer) requires an application protocol (ALPN); set \(.applicationProtocols), for example to mqtt."
            )
        }
        return (
            .tlsFailed,
            "\(self.peer) supports none of the application protocols that we offer (\(.applicationProtocols)):"
                + " \(client.applicationProtocols.joined(separator: ", ")); offer one that it supports, or none."
        )
    }

    private func lackOfSignatures(_ certificate: PresentedCertificate?) -> (TransportError.Code, TLSSentence) {
        let name = certificate?.contents.map { " \($0.subjectName)" } ?? ""
        return (
            .certificateUnsuitable,
            "The certificate of \(self.peer)\(name) does not permit what TLS uses it for: its key usage does not include"
                + " digitalSignature; the broker needs one with keyUsage=digitalSignature."
        )
    }

    private func verdict(
        of client: ClientSide, on certificate: PresentedCertificate?
    ) -> (TransportError.Code, TLSSentence) {
        let peer = self.peer
        switch certificate?.validity.phase(at: ValidityPeriod.now) {
        case .expired?:
            let date = certificate.map { " on \(ValidityPeriod.date($0.validity.end))" } ?? ""
            return (
                .certificateExpired,
                "The certificate of \(peer) has expired\(date); the peer needs a new one, unless our clock is wrong."
            )
        case .notYetValid?:
            let date = certificate.map { " (only from \(ValidityPeriod.date($0.validity.start)))" } ?? ""
            return (
                .certificateNotYetValid,
                "The certificate of \(peer) is not valid yet\(date); check the clocks of both ends."
            )
        default: break
        }
        guard let contents = certificate?.contents else {
            return (
                .certificateNotTrusted,
                "The certificate of \(peer) was not issued by a trusted authority; if it is your own, give its authority with"
                    + " \(.trustRoots)."
            )
        }
        guard contents.isFor(.server) else {
            return (
                .certificateUnsuitable,
                "The certificate of \(peer), \(contents.subjectName), is not for servers: its extended key usage does not"
                    + " include serverAuth; the broker needs another one."
            )
        }
        guard !contents.isSelfIssued else {
            return (
                .certificateNotTrusted,
                "The certificate of \(peer), \(contents.subjectName), is self-signed and not trusted; if it is your own,"
                    + " give it with \(.trustRoots)."
            )
        }
        if let fault = contents.fault(of: client.authorities, setting: .trustRoots) {
            return (
                .certificateNotTrusted,
                "The certificate of \(peer), \(contents.subjectName), was issued by \(contents.issuerName), \(fault)"
            )
        }
        return (
            .certificateNotTrusted,
            "The certificate of \(peer), \(contents.subjectName), does not lead to a trusted authority: it was issued by"
                + " \(contents.issuerName); if that is your own authority, give it with \(.trustRoots); if it is an intermediate one,"
                + " the broker must send its certificate as well, and all certificates up to the root must be valid."
        )
    }
}

extension TLSDiagnosis.OwnCertificate {
    /// Why a peer may reject the certificate, if its contents show it.
    fileprivate var fault: String? {
        switch self.validity.phase(at: ValidityPeriod.now) {
        case .expired: return "it expired on \(ValidityPeriod.date(self.validity.end))"
        case .notYetValid: return "it is not valid before \(ValidityPeriod.date(self.validity.start))"
        case .valid, .endsSoon: break
        }
        guard let contents = self.contents else { return nil }
        if !contents.isFor(.client) {
            return "it is not for clients, as its extended key usage does not include clientAuth"
        }
        if !contents.permits(.digitalSignature) {
            return "its key usage does not include digitalSignature"
        }
        return nil
    }
}
