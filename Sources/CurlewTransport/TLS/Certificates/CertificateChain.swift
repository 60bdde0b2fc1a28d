import NIOSSL

/// Puts certificates in the order in which TLS sends them: the holder's own, then the issuer of each one.
enum CertificateChain {
    /// The indices of `certificates`, starting with `leaf`, each followed by its issuer. Certificates that are not part
    /// of this path come last, in their original order.
    static func order(_ certificates: [CertificateContents?], leaf: Int) -> [Int] {
        var order = [leaf]
        var rest = certificates.indices.filter { $0 != leaf && certificates[$0] != certificates[leaf] }
        var last = leaf
        while let current = certificates[last], !current.isSelfIssued,
            let position = rest.firstIndex(where: { certificates[$0]?.subject == current.issuer })
        {
            last = rest.remove(at: position)
            order.append(last)
        }
        return order + rest
    }

    /// The index of the certificate that looks like the holder's own: the first one that issued none of the others.
    static func likelyLeaf(_ certificates: [CertificateContents?]) -> Int {
        certificates.indices.first { index in
            guard let subject = certificates[index]?.subject else { return false }
            return !certificates.indices.contains { $0 != index && certificates[$0]?.issuer == subject }
        } ?? 0
    }

    /// Appends the missing issuers between the end of `chain` and a root, if `authorities` contains them. The root
    /// itself is left out; the peer has it.
    static func complete(
        _ chain: [NIOSSLCertificate], from authorities: [NIOSSLCertificate]
    ) -> [NIOSSLCertificate] {
        guard !authorities.isEmpty else { return chain }
        var chain = chain
        var candidates = authorities.compactMap { certificate in
            CertificateContents(certificate).flatMap {
                $0.isSelfIssued ? nil : (contents: $0, certificate: certificate)
            }
        }
        // The chain may end with certificates that are not part of the path.
        var last = chain.compactMap { CertificateContents($0) }.path.last
        while let current = last, !current.isSelfIssued,
            let position = candidates.firstIndex(where: { $0.contents.subject == current.issuer })
        {
            let found = candidates.remove(at: position)
            if !chain.contains(found.certificate) { chain.append(found.certificate) }
            last = found.contents
        }
        return chain
    }
}

extension [CertificateContents] {
    /// The initial certificates, each issued by the next one.
    fileprivate var path: ArraySlice<CertificateContents> {
        var end = Swift.min(1, self.count)
        while end < self.count, self[end - 1].issuer == self[end].subject { end += 1 }
        return self[..<end]
    }
}
