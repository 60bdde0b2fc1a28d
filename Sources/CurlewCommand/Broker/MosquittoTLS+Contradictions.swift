#if Tools
import CurlewBroker
import CurlewTransport

extension MosquittoListener {
    /// Options that do not match what carries the connections: the option to report, and the reason.
    var contradictionsOfTransport: [(option: String, sentence: String)] {
        var found: [(option: String, sentence: String)] = []
        if self.socketFile != nil {
            let others: [(String, Bool)] = [
                ("protocol", self.isWebSocket), ("certfile", self.tls.certificateFile != nil),
                ("keyfile", self.tls.keyFile != nil), ("psk_hint", self.tls.preSharedKeyHint != nil),
            ]
            for (option, isGiven) in others where isGiven {
                found.append((option, "a Unix domain socket has neither TLS nor WebSocket; remove the line."))
            }
        }
        if self.socketFile != nil, self.family != .any {
            found.append(("socket_domain", "a Unix domain socket has no address family; remove the line."))
        }
        guard !self.isWebSocket else { return found }
        for (option, isGiven) in [
            ("websockets_headers_size", self.headerSize != nil), ("websockets_origin", !self.origins.isEmpty),
            ("http_dir", self.staticFiles != nil),
        ] where isGiven {
            found.append((option, "the listener does not use WebSocket; set protocol websockets, or remove the line."))
        }
        return found
    }

    /// Why `socket_domain` does not match the address; `nil` if it does.
    var contradictionOfFamily: String? {
        guard let host, self.family != .any else { return nil }
        if host.contains(":") {
            return self.family == .ipv6 ? nil : "\(host) is not an IPv4 address; correct one of the two."
        }
        if host.allSatisfy({ $0.isNumber || $0 == "." }) {
            return self.family == .ipv4 ? nil : "\(host) is not an IPv6 address; correct one of the two."
        }
        return "a host name means the first of its addresses; give the address itself after the port."
    }
}

extension MosquittoTLS {
    /// Options that are missing or exclude each other: the option to report, and the reason.
    var contradictions: [(option: String, sentence: String)] {
        var found: [(option: String, sentence: String)] = []
        if let file = self.certificateFile, self.keyFile == nil, !file.isNameOfBundle {
            found.append(
                (
                    "certfile",
                    "a certificate needs its private key; set keyfile, or give a PKCS#12 bundle (.p12 or .pfx)."
                ))
        }
        if self.keyFile != nil, self.certificateFile == nil {
            found.append(("keyfile", "a private key needs its certificate; set certfile."))
        }
        if self.authoritiesFile != nil, self.authoritiesFolder != nil {
            found.append(("capath", "cafile is set as well; give one of the two."))
        }
        if self.preSharedKeyHint != nil { return found + self.contradictionsToKeys }
        guard self.certificateFile != nil || self.keyFile != nil else { return found + self.contradictionsToPlain }
        let hasAuthorities = self.authoritiesFile != nil || self.authoritiesFolder != nil
        if self.requiresCertificate, !hasAuthorities {
            found.append(
                (
                    "require_certificate",
                    "the CAs of client certificates are not set; set cafile or capath."
                ))
        }
        let ofClients = [("crlfile", self.revocationFile != nil)] + self.identities.map { ($0.option, $0.isOn) }
        for (option, isGiven) in ofClients where isGiven && !self.requiresCertificate {
            found.append(
                (option, "it needs client certificates; set require_certificate true as well."))
        }
        return found
    }

    private var identities: [(option: String, isOn: Bool)] {
        [
            ("use_identity_as_username", self.usesCommonNameAsUsername),
            ("use_subject_as_username", self.usesSubjectAsUsername),
        ]
    }

    /// Options that a listener with pre-shared keys cannot have.
    private var contradictionsToKeys: [(option: String, sentence: String)] {
        var found: [(option: String, sentence: String)] = []
        let others: [(option: String, isGiven: Bool)] = [
            ("certfile", self.certificateFile != nil), ("cafile", self.authoritiesFile != nil),
            ("capath", self.authoritiesFolder != nil), ("require_certificate", self.requiresCertificate),
            ("crlfile", self.revocationFile != nil),
        ]
        for (option, isGiven) in others where isGiven {
            found.append(
                (option, "pre-shared keys replace certificates; use separate listeners for the two.")
            )
        }
        for (option, isOn) in self.identities where isOn {
            found.append((option, "the name of a pre-shared key cannot be the user name; use password_file."))
        }
        if self.minimumVersion == .tls13 {
            found.append(("tls_version", "pre-shared keys work only with TLS 1.2; set tlsv1.2."))
        }
        if !self.cipherSuites.isEmpty {
            found.append(("ciphers", "pre-shared keys have their own cipher suites; remove the line."))
        }
        return found
    }

    /// Options that have no effect on a listener without TLS.
    private var contradictionsToPlain: [(option: String, sentence: String)] {
        let others: [(option: String, isGiven: Bool)] =
            [
                ("cafile", self.authoritiesFile != nil), ("capath", self.authoritiesFolder != nil),
                ("require_certificate", self.requiresCertificate), ("tls_version", self.minimumVersion != nil),
                ("ciphers", !self.cipherSuites.isEmpty), ("crlfile", self.revocationFile != nil),
            ] + self.identities.map { ($0.option, $0.isOn) }
        return others.filter(\.isGiven).map {
            ($0.option, "the listener does not use TLS; set certfile and keyfile, or remove the line.")
        }
    }
}

extension String {
    /// Whether a file of that name is usually a PKCS#12 bundle, which contains its private key.
    fileprivate var isNameOfBundle: Bool { [".p12", ".pfx"].contains { self.lowercased().hasSuffix($0) } }
}
#endif
