import NIOSSL

/// A warning about a certificate of the broker, for its operator, before clients are affected.
struct CertificateNotice: Sendable, Equatable {
    enum Role: Sendable {
        /// The broker's own certificate.
        case broker
        /// A certificate between the broker's own and a root.
        case chain
        /// An authority that is trusted to issue client certificates.
        case clientAuthority
    }

    let role: Role
    let name: String
    let validity: ValidityPeriod
    /// What a broker needs and the certificate does not permit.
    private let defect: String?

    init(_ certificate: NIOSSLCertificate, of role: Role, from origin: String) {
        let contents = CertificateContents(certificate)
        self.init(
            role: role, subject: contents?.subjectName ?? "", origin: origin, validity: ValidityPeriod(certificate),
            defect: role == .broker ? contents?.defectOfBroker : nil)
    }

    init(role: Role, subject: String, origin: String, validity: ValidityPeriod, defect: String? = nil) {
        self.role = role
        self.name =
            switch role {
            case .broker: "The broker's certificate \(subject) (\(origin))"
            case .chain: "The certificate \(subject), which the broker sends with its own (\(origin)),"
            case .clientAuthority:
                "The certificate of the authority \(subject), which is trusted for clients (\(origin)),"
            }
        self.validity = validity
        self.defect = defect
    }

    /// The warning, or `nil` if there is none.
    ///
    /// - Parameter now: In seconds since 1970.
    func text(at now: Int) -> String? {
        let victims =
            self.role == .clientAuthority ? "clients with certificates of it are refused" : "clients refuse it"
        switch self.validity.phase(at: now) {
        case .expired:
            return "\(self.name) expired on \(ValidityPeriod.date(self.validity.end)): \(victims); replace it."
        case .notYetValid:
            return
                "\(self.name) is not valid before \(ValidityPeriod.date(self.validity.start)): until then \(victims);"
                + " check the clock of this machine."
        case .endsSoon(let days):
            let time = days == 0 ? "within a day" : days == 1 ? "in 1 day" : "in \(days) days"
            return "\(self.name) expires \(time), on \(ValidityPeriod.date(self.validity.end)); replace it before."
        case .valid:
            return self.defect.map { "\(self.name) \($0)" }
        }
    }
}

extension CertificateContents {
    fileprivate var defectOfBroker: String? {
        if !self.isFor(.server) {
            return
                "is not for servers: its extended key usage does not include serverAuth, so clients refuse it; replace it."
        }
        guard !self.permits(.digitalSignature) else { return nil }
        return "does not permit signatures: its key usage does not include digitalSignature, so some clients refuse it;"
            + " replace it by one with keyUsage=digitalSignature,keyEncipherment."
    }
}
