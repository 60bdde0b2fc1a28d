import Synchronization

/// The revocation lists that certificates of peers are checked against.
final class RevocationLists: Sendable {
    /// A list and its origin, for messages.
    struct Entry: Sendable {
        let list: RevocationList
        let origin: String
    }

    /// A key that has signed a list.
    private struct Confirmation: Hashable {
        let issuer: [UInt8]
        let index: Int
        let publicKey: [UInt8]
    }

    /// The lists of each authority, by its encoded name; the newest one first.
    private let entries: [[UInt8]: [Entry]]
    /// Guards which keys have signed which lists, because verifying a signature takes longer than everything else.
    /// Only certificates that lead to a trusted authority get here, so there are few.
    private let confirmations = Mutex<Set<Confirmation>>([])

    init(_ entries: [Entry]) {
        self.entries = Dictionary(grouping: entries, by: \.list.issuer)
            .mapValues { $0.sorted { $0.list.period.isNewer(than: $1.list.period) } }
    }

    /// Why the lists do not permit a certificate of a verified chain; `nil` if they do.
    ///
    /// - Parameters:
    ///   - issuer: The next certificate of the chain.
    ///   - now: In seconds since 1970.
    func objection(
        to certificate: RevocableCertificate, issuedBy issuer: RevocableCertificate, at now: Int
    ) -> RevocationFinding.Reason? {
        guard let entries = self.entries[certificate.identifier.issuer] else { return .noList }
        guard issuer.contents.permits(.listSigning) else { return .notSignedByIssuer }
        let signed = entries.indices.filter { self.isSigned(entries[$0].list, $0, with: issuer.publicKey) }
        guard !signed.isEmpty else { return .notSignedByIssuer }
        return Self.objection(of: signed.map { entries[$0].list }, to: certificate.identifier, at: now)
    }

    /// Why the lists do not permit a certificate whose chain was verified before.
    ///
    /// Which of several keys of its issuer has signed the certificate is not known any more. So each list with the
    /// issuer's name counts: at worst, the peer has to begin a new handshake.
    func objection(
        toVerified identifier: RevocableCertificate.Identifier, at now: Int
    ) -> RevocationFinding.Reason? {
        guard let entries = self.entries[identifier.issuer] else { return .noList }
        guard !self.isRevoked(identifier, at: now) else { return .revoked }
        return Self.objection(of: entries.map(\.list), to: identifier, at: now)
    }

    /// - Parameter lists: The issuer's lists, the newest one first.
    private static func objection(
        of lists: [RevocationList], to identifier: RevocableCertificate.Identifier, at now: Int
    ) -> RevocationFinding.Reason? {
        guard let newest = lists.first(where: { $0.period.start <= now }) else {
            return .notYetValid(lists.last?.period.start ?? now)
        }
        if newest.revokes(identifier.serialNumber) { return .revoked }
        let ends = lists.map(\.period).filter { $0.start <= now }.map(\.end)
        guard let end = ends.max(), now > end else { return nil }
        return .outdated(end)
    }

    /// Whether any list with the name of the certificate's issuer contains the certificate.
    func isRevoked(_ identifier: RevocableCertificate.Identifier, at now: Int) -> Bool {
        self.entries[identifier.issuer, default: []].contains { entry in
            entry.list.period.start <= now && entry.list.revokes(identifier.serialNumber)
        }
    }

    private func isSigned(_ list: RevocationList, _ index: Int, with publicKey: [UInt8]) -> Bool {
        let confirmation = Confirmation(issuer: list.issuer, index: index, publicKey: publicKey)
        if self.confirmations.withLock({ $0.contains(confirmation) }) { return true }
        guard list.signature.isValid(for: publicKey) else { return false }
        self.confirmations.withLock { _ = $0.insert(confirmation) }
        return true
    }

    /// Warnings for the operator about lists that are not current, or soon will not be.
    func notices(at now: Int) -> [String] {
        // An outdated list does no harm beside a current one.
        self.entries.values.compactMap { entries in
            let current = entries.filter { $0.list.period.start <= now }
            return (current.isEmpty ? entries : current).max { $0.list.period.end < $1.list.period.end }?.notice(
                at: now)
        }.sorted()
    }
}

extension ValidityPeriod {
    fileprivate func isNewer(than other: Self) -> Bool { (self.start, self.end) > (other.start, other.end) }
}

extension RevocationLists.Entry {
    /// The warning, or `nil` if there is none.
    fileprivate func notice(at now: Int) -> String? {
        let period = self.list.period
        let name = "The revocation list of \(self.list.issuerName) (\(self.origin))"
        let victims = "peers with certificates of this authority are refused"
        switch period.phase(at: now) {
        case .notYetValid:
            return
                "\(name) is not valid before \(ValidityPeriod.date(period.start)): until then \(victims); check the clock of this machine."
        case .expired:
            return "\(name) was due to be replaced on \(ValidityPeriod.date(period.end)): \(victims); replace it."
        case .endsSoon(let days):
            // Many lists are valid for only a few days, and then always end soon.
            guard period.end - now < (period.end - period.start) / 4 else { return nil }
            let time = days == 0 ? "within a day" : days == 1 ? "in 1 day" : "in \(days) days"
            return "\(name) is due to be replaced \(time), on \(ValidityPeriod.date(period.end)); replace it before."
        case .valid:
            return nil
        }
    }
}
