extension TLSDiagnosis {
    /// Explains why revocation lists do not permit a certificate.
    func refusal(_ finding: RevocationFinding, cause: (any Error)?) -> TransportError {
        let setting: TLSSetting
        let holder: TLSSentence
        var remedy: TLSSentence = ""
        switch self.side {
        case .client:
            setting = .revocationLists
            holder =
                finding.isOfAuthority
                ? "The certificate \(finding.subjectName), on which that of \(self.peer) depends,"
                : "The certificate of \(self.peer), \(finding.subjectName),"
            remedy = "; the broker needs another one"
        case .server:
            setting = .clientRevocationLists
            holder =
                finding.isOfAuthority
                ? "The certificate \(finding.subjectName), on which the client's depends," : "The client's certificate"
        }
        let issuer = finding.issuerName
        let sentence: TLSSentence =
            switch finding.reason {
            case .revoked: "\(holder) was revoked by its issuer, \(issuer)\(remedy)."
            case .noList:
                "\(holder) cannot be checked: there is no revocation list of its issuer, \(issuer); add it to \(setting)."
            case .outdated(let end):
                "\(holder) cannot be checked: the revocation list of its issuer, \(issuer), was due to be replaced on"
                    + " \(ValidityPeriod.date(end)); give the current one (\(setting))."
            case .notYetValid(let start):
                "\(holder) cannot be checked: the revocation list of its issuer, \(issuer) (\(setting)), is not valid before"
                    + " \(ValidityPeriod.date(start)); check the clock."
            case .notSignedByIssuer:
                "\(holder) cannot be checked: the revocation list with the name of its issuer, \(issuer), was not signed by"
                    + " it, or it may not sign lists; give that issuer's list (\(setting))."
            case .policyConstraints:
                "\(holder) has policy constraints, which are not supported together with revocation lists (\(setting))."
            case .unreadable: "\(holder) cannot be read, and so not be checked against revocation lists (\(setting))."
            }
        return TransportError(
            finding.reason == .revoked ? .certificateRevoked : .revocationUnknown, sentence: sentence, cause: cause)
    }
}
