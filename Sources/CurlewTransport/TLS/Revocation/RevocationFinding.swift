/// Why revocation lists do not permit a certificate of a peer.
struct RevocationFinding: Hashable, Sendable {
    enum Reason: Hashable, Sendable {
        case revoked
        /// There is no list of the certificate's issuer.
        case noList
        /// The newest list of the issuer should have been replaced at this time, in seconds since 1970.
        case outdated(Int)
        /// No list of the issuer is valid before this time, in seconds since 1970.
        case notYetValid(Int)
        /// The lists with the issuer's name were not signed by it, or it may not sign lists.
        case notSignedByIssuer
        /// A certificate of the chain has policy constraints.
        case policyConstraints
        /// The certificate cannot be read.
        case unreadable
    }

    let reason: Reason
    /// The holder of the certificate.
    let subjectName: String
    let issuerName: String
    /// Whether it is the certificate of an authority in the chain, not the peer's own.
    var isOfAuthority = false

    init(_ reason: Reason, _ contents: CertificateContents?, isOfAuthority: Bool = false) {
        self.reason = reason
        self.subjectName = contents?.subjectName ?? "(no name)"
        self.issuerName = contents?.issuerName ?? "(no name)"
        self.isOfAuthority = isOfAuthority
    }
}
