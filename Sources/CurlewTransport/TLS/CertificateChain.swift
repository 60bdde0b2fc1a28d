import NIOSSL

/// Puts certificates in the order in which TLS sends them: the holder's own, then each one's authority.
enum CertificateChain {
    /// The order of `certificates` that begins with `leaf`. Those that do not lead from it to an authority come last, as they were.
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

    /// The certificate that looks like the holder's own: the first one that issued none of the others.
    static func likelyLeaf(_ certificates: [CertificateContents?]) -> Int {
        certificates.indices.first { index in
            guard let subject = certificates[index]?.subject else { return false }
            return !certificates.indices.contains { $0 != index && certificates[$0]?.issuer == subject }
        } ?? 0
    }

    /// Adds the authorities between the end of `chain` and a root, as far as they are among `authorities`; the peer has the root.
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
        // Certificates that belong to nothing may stand at the end.
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
    /// The beginning in which each certificate was issued by the next one.
    fileprivate var path: ArraySlice<CertificateContents> {
        var end = Swift.min(1, self.count)
        while end < self.count, self[end - 1].issuer == self[end].subject { end += 1 }
        return self[..<end]
    }
}
