import CurlewCore
import NIOSSL

extension [TLSSettings.Material] {
    /// Reads the lists; `nil` if there are none.
    ///
    /// - Parameter authorities: The trusted authorities; `nil` for those of the system.
    func revocationLists(
        as role: TLSMaterialRole, authorities: [NIOSSLCertificate]?
    ) throws(TransportError) -> RevocationLists? {
        guard !self.isEmpty else { return nil }
        #if !Accounts
        throw .invalidConfiguration(
            "Revocation lists (\(role.setting)) need the trait Accounts of this package; enable it where your package"
                + " depends on it.")
        #else
        #if canImport(Darwin)
        // There, the system verifies the certificates, and nothing tells us which ones.
        guard authorities != nil else {
            throw .invalidConfiguration(
                "Revocation lists (\(role.setting)) do not work with the system's trusted authorities on this platform; give"
                    + " the authorities themselves.")
        }
        #endif
        var entries: [RevocationLists.Entry] = []
        for material in self {
            for list in try material.revocationLists(as: role) {
                try material.checkSignature(of: list, as: role, authorities ?? [])
                entries.append(RevocationLists.Entry(list: list, origin: "\(material)"))
            }
        }
        return RevocationLists(entries)
        #endif
    }
}

extension TLSSettings {
    /// Refuses revocation lists beside settings that make them useless: someone who gives lists relies on them.
    func checkUseOfRevocationLists() throws(TransportError) {
        guard !self.revocationLists.isEmpty else { return }
        guard self.preSharedKey == nil else {
            throw .invalidConfiguration(
                "Revocation lists (\(.revocationLists)) are about certificates, which the pre-shared key (\(.preSharedKey))"
                    + " replaces; leave one of the two out.")
        }
        guard self.verification != .insecureAnyCertificate else {
            throw .invalidConfiguration(
                "Revocation lists (\(.revocationLists)) are useless while any certificate is accepted; leave them out, or"
                    + " verify the certificate.")
        }
    }
}

extension TLSSettings.Material {
    fileprivate func revocationLists(as role: TLSMaterialRole) throws(TransportError) -> [RevocationList] {
        let bytes = try self.load(as: role)
        do throws(RevocationList.Flaw) {
            // DER begins with a byte that is `0` in text.
            if let list = try? RevocationList(der: bytes[...]) { return [list] }
            guard let blocks = PEM.blocks("X509 CRL", in: bytes) else { throw .malformed }
            // Reports what is wrong with a list in DER.
            guard !blocks.isEmpty else { return [try RevocationList(der: bytes[...])] }
            var lists: [RevocationList] = []
            for block in blocks { lists.append(try RevocationList(der: block[...])) }
            return lists
        } catch {
            throw .invalidConfiguration("\(role.subject), \(self), \(error.problem)")
        }
    }

    /// Reports a list of another authority with the same name at once, instead of refusing all peers later. The issuer
    /// of a list need not be a trusted authority itself; then the signature is verified when a peer presents it.
    fileprivate func checkSignature(
        of list: RevocationList, as role: TLSMaterialRole, _ authorities: [NIOSSLCertificate]
    ) throws(TransportError) {
        let namesakes = authorities.compactMap { RevocableCertificate($0) }
            .filter { $0.contents.subject == list.issuer }
        guard !namesakes.isEmpty else { return }
        let signers = namesakes.filter { list.signature.isValid(for: $0.publicKey) }
        guard !signers.isEmpty else {
            throw .invalidConfiguration(
                "\(role.subject), \(self), was not signed by the trusted authority \(list.issuerName); give the list of"
                    + " that authority, or trust its current certificate as well.")
        }
        guard signers.contains(where: { $0.contents.permits(.listSigning) }) else {
            throw .invalidConfiguration(
                "\(role.subject), \(self), cannot be used: the key usage of its authority \(list.issuerName) does not include"
                    + " cRLSign; have the authority's certificate reissued.")
        }
    }
}
