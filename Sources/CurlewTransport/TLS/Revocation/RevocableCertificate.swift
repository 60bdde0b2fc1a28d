import NIOSSL

/// What a revocation check needs to know about a certificate. Reads all of it, or nothing.
struct RevocableCertificate: Sendable {
    /// The name by which revocation lists know a certificate.
    struct Identifier: Hashable, Sendable {
        /// The encoded name of the authority.
        let issuer: [UInt8]
        let serialNumber: [UInt8]
    }

    let identifier: Identifier
    let contents: CertificateContents
    /// SubjectPublicKeyInfo.
    let publicKey: [UInt8]
    /// Whether the holder may issue certificates.
    private(set) var isAuthority = false
    private(set) var hasPolicyConstraints = false

    init?(_ certificate: NIOSSLCertificate) {
        guard let bytes = try? certificate.toDERBytes() else { return nil }
        self.init(der: bytes)
    }

    init?(der: [UInt8]) {
        var outer = DERReader(der[...])
        guard let contents = CertificateContents(der: der),
            var certificate = outer.next(DERReader.Tag.sequence)?.elements,
            var fields = certificate.next(DERReader.Tag.sequence)?.elements
        else { return nil }
        _ = fields.nextIfPresent(DERReader.Tag.context(0))  // version
        guard let serialNumber = fields.next(DERReader.Tag.integer),
            fields.next(DERReader.Tag.sequence) != nil,  // signature
            fields.next(DERReader.Tag.sequence) != nil,  // issuer
            fields.next(DERReader.Tag.sequence) != nil,  // validity
            fields.next(DERReader.Tag.sequence) != nil,  // subject
            let publicKey = fields.next(DERReader.Tag.sequence)
        else { return nil }
        self.identifier = Identifier(issuer: contents.issuer, serialNumber: serialNumber.serialNumber)
        self.contents = contents
        self.publicKey = Array(publicKey.encoding)
        while !fields.isAtEnd {
            guard let field = fields.next() else { return nil }
            guard field.tag == DERReader.Tag.context(3) else { continue }
            var wrapper = field.elements
            guard var extensions = wrapper.next(DERReader.Tag.sequence)?.elements else { return nil }
            while !extensions.isAtEnd {
                guard let one = extensions.next().flatMap({ DERExtension($0) }) else { return nil }
                switch one.name {
                case DERExtension.basicConstraints:
                    var value = DERReader(one.value)
                    guard var constraints = value.next(DERReader.Tag.sequence)?.elements else { return nil }
                    let flag = constraints.nextIfPresent(DERReader.Tag.boolean)
                    self.isAuthority = flag.map { $0.content.first != 0 } ?? false
                case DERExtension.policyConstraints: self.hasPolicyConstraints = true
                default: break
                }
            }
        }
    }
}
