#if Tools
import CurlewBroker
import CurlewTransport

extension MosquittoListener {
    /// Why the kind of address does not fit the address; `nil` where it does.
    var contradictionOfFamily: String? {
        guard let host, self.family != .any else { return nil }
        if host.contains(":") {
            return self.family == .ipv6 ? nil : "\(host) is none of that kind; correct one of the two."
        }
        if host.allSatisfy({ $0.isNumber || $0 == "." }) {
            return self.family == .ipv4 ? nil : "\(host) is none of that kind; correct one of the two."
        }
        return "a name stands for the first of its addresses; give the address itself behind the port."
    }
}

extension MosquittoTLS {
    /// What does not go together: the option that says it, and why.
    var contradictions: [(option: String, sentence: String)] {
        var found: [(option: String, sentence: String)] = []
        if self.certificateFile != nil, self.keyFile == nil {
            found.append(("certfile", "a certificate needs its key; give it with keyfile."))
        }
        if self.keyFile != nil, self.certificateFile == nil {
            found.append(("keyfile", "a key needs its certificate; give it with certfile."))
        }
        if self.authoritiesFile != nil, self.authoritiesFolder != nil {
            found.append(("capath", "cafile names the authorities as well; give one of the two."))
        }
        if self.preSharedKeyHint != nil { return found + self.contradictionsToKeys }
        guard self.certificateFile != nil || self.keyFile != nil else { return found + self.contradictionsToPlain }
        let hasAuthorities = self.authoritiesFile != nil || self.authoritiesFolder != nil
        if self.requiresCertificate, !hasAuthorities {
            found.append(
                (
                    "require_certificate",
                    "somebody must vouch for the certificates; name the authorities with cafile."
                ))
        }
        for (option, isOn) in self.identities where isOn && !self.requiresCertificate {
            found.append(
                (option, "only a certificate tells who a client is; give require_certificate true as well."))
        }
        return found
    }

    private var identities: [(option: String, isOn: Bool)] {
        [
            ("use_identity_as_username", self.usesCommonNameAsUsername),
            ("use_subject_as_username", self.usesSubjectAsUsername),
        ]
    }

    /// What a listener with pre-shared keys cannot have.
    private var contradictionsToKeys: [(option: String, sentence: String)] {
        var found: [(option: String, sentence: String)] = []
        let others: [(option: String, isGiven: Bool)] = [
            ("certfile", self.certificateFile != nil), ("cafile", self.authoritiesFile != nil),
            ("capath", self.authoritiesFolder != nil), ("require_certificate", self.requiresCertificate),
        ]
        for (option, isGiven) in others where isGiven {
            found.append(
                (option, "pre-shared keys take the place of certificates; use another listener for one of the two.")
            )
        }
        for (option, isOn) in self.identities where isOn {
            found.append((option, "the name of a pre-shared key cannot be the user name; use password_file."))
        }
        if self.minimumVersion == .tls13 {
            found.append(("tls_version", "pre-shared keys work with TLS 1.2; give tlsv1.2."))
        }
        if !self.cipherSuites.isEmpty {
            found.append(("ciphers", "pre-shared keys have cipher suites of their own; remove the line."))
        }
        return found
    }

    /// What means nothing on a listener without TLS.
    private var contradictionsToPlain: [(option: String, sentence: String)] {
        let others: [(option: String, isGiven: Bool)] =
            [
                ("cafile", self.authoritiesFile != nil), ("capath", self.authoritiesFolder != nil),
                ("require_certificate", self.requiresCertificate), ("tls_version", self.minimumVersion != nil),
                ("ciphers", !self.cipherSuites.isEmpty),
            ] + self.identities.map { ($0.option, $0.isOn) }
        return others.filter(\.isGiven).map {
            ($0.option, "the listener does not use TLS; give certfile and keyfile, or remove the line.")
        }
    }
}
#endif
