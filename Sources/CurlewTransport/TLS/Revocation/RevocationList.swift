/// A certificate revocation list (RFC 5280 section 5): the serial numbers of the certificates that an authority has
/// revoked.
///
/// The signature is not verified here.
struct RevocationList: Sendable {
    /// The encoded name of the authority.
    let issuer: [UInt8]
    /// From the list's creation until a newer one must exist. A list that does not say when has no end.
    let period: ValidityPeriod
    let signature: RevocationListSignature
    private let revoked: Set<[UInt8]>

    var issuerName: String { CertificateContents.text(of: self.issuer) }

    func revokes(_ serialNumber: [UInt8]) -> Bool { self.revoked.contains(serialNumber) }

    /// Reads a list in DER form.
    ///
    /// - Throws: If the bytes are not a list, or it cannot be relied on.
    init(der: ArraySlice<UInt8>) throws(Flaw) {
        var outer = DERReader(der)
        guard let list = outer.next(DERReader.Tag.sequence), outer.isAtEnd else { throw .malformed }
        var parts = list.elements
        guard let signed = parts.next(DERReader.Tag.sequence), let algorithm = parts.next(DERReader.Tag.sequence),
            let signature = parts.next(DERReader.Tag.bitString)?.content, signature.first == 0, parts.isAtEnd
        else { throw .malformed }
        var fields = signed.elements
        if let version = fields.nextIfPresent(DERReader.Tag.integer), Array(version.content) != [1] {
            throw .malformed
        }
        guard let sameAlgorithm = fields.next(DERReader.Tag.sequence),
            sameAlgorithm.encoding.elementsEqual(algorithm.encoding),
            let issuer = fields.next(DERReader.Tag.sequence),
            let start = fields.next().flatMap({ DERTime.seconds($0) })
        else { throw .malformed }
        var end = ValidityPeriod.noEnd
        if let next = fields.nextIfPresent(DERReader.Tag.utcTime) ?? fields.nextIfPresent(DERReader.Tag.generalizedTime)
        {
            guard let seconds = DERTime.seconds(next) else { throw .malformed }
            end = seconds
        }
        self.issuer = Array(issuer.encoding)
        self.period = ValidityPeriod(start: start, end: end)
        self.revoked = try Self.entries(fields.nextIfPresent(DERReader.Tag.sequence))
        if let wrapper = fields.nextIfPresent(DERReader.Tag.context(0)) { try Self.checkExtensions(wrapper) }
        guard fields.isAtEnd else { throw .malformed }
        self.signature = RevocationListSignature(
            try SignatureAlgorithm(algorithm), of: signed.encoding, Array(signature.dropFirst()))
    }

    private static func entries(_ entries: DERReader.Element?) throws(Flaw) -> Set<[UInt8]> {
        guard var rest = entries?.elements else { return [] }
        var revoked: Set<[UInt8]> = []
        while !rest.isAtEnd {
            guard var fields = rest.next(DERReader.Tag.sequence)?.elements,
                let serialNumber = fields.next(DERReader.Tag.integer), fields.next() != nil  // revocationDate
            else { throw .malformed }
            let extensions = fields.nextIfPresent(DERReader.Tag.sequence)
            guard fields.isAtEnd else { throw .malformed }
            if try extensions.map(Self.isRemoval) ?? false { continue }
            revoked.insert(serialNumber.serialNumber)
        }
        return revoked
    }

    /// Whether an entry says that the certificate is no longer revoked, which only has a meaning in a delta list.
    private static func isRemoval(_ extensions: DERReader.Element) throws(Flaw) -> Bool {
        var rest = extensions.elements
        var isRemoval = false
        while !rest.isAtEnd {
            guard let one = rest.next().flatMap({ DERExtension($0) }) else { throw .malformed }
            switch one.name {
            case DERExtension.reasonCode: isRemoval = Array(one.value) == [0x0A, 1, 8]
            case DERExtension.certificateIssuer: throw .indirect
            case DERExtension.holdInstruction, DERExtension.invalidityDate: break
            default: if one.isCritical { throw .unknownExtension(one.name.dotted) }
            }
        }
        return isRemoval
    }

    private static func checkExtensions(_ wrapper: DERReader.Element) throws(Flaw) {
        var outer = wrapper.elements
        guard var rest = outer.next(DERReader.Tag.sequence)?.elements, outer.isAtEnd else { throw .malformed }
        while !rest.isAtEnd {
            guard let one = rest.next().flatMap({ DERExtension($0) }) else { throw .malformed }
            switch one.name {
            case DERExtension.deltaIndicator: throw .delta
            case DERExtension.issuingDistributionPoint: throw Self.isIndirect(one) ? .indirect : .partial
            case DERExtension.authorityKeyIdentifier, DERExtension.issuerAlternativeName, DERExtension.listNumber: break
            default: if one.isCritical { throw .unknownExtension(one.name.dotted) }
            }
        }
    }

    /// Whether the field indirectCRL of an issuing distribution point (RFC 5280 section 5.2.5) is true.
    private static func isIndirect(_ point: DERExtension) -> Bool {
        var outer = DERReader(point.value)
        guard var fields = outer.next(DERReader.Tag.sequence)?.elements else { return false }
        while let field = fields.next() {
            if field.tag == 0x84 { return field.content.first != 0 }
        }
        return false
    }
}

extension RevocationList {
    /// Why a list is refused.
    enum Flaw: Error, Hashable {
        case malformed
        /// It states only the changes since another list.
        case delta
        /// It is about certificates of other authorities as well.
        case indirect
        /// It is about some of the authority's certificates only.
        case partial
        /// It has a critical extension with this object identifier, whose meaning is not known.
        case unknownExtension(String)
        case obsoleteSignature
        case unsupportedSignature

        /// The end of a sentence about the list.
        var problem: String {
            switch self {
            case .malformed: "is not a certificate revocation list in PEM or DER form."
            case .delta: "is a delta list, which states only changes; give the complete list."
            case .indirect:
                "is an indirect list, with certificates of several authorities; give the list of each authority."
            case .partial:
                "covers only a part of its authority's certificates (it has an issuing distribution point);"
                    + " give the complete list."
            case .unknownExtension(let name): "has a critical extension that is not supported (\(name))."
            case .obsoleteSignature: "is signed with SHA-1 or MD5, which is broken; have it issued with SHA-256."
            case .unsupportedSignature:
                "has a signature of a kind that is not supported; supported are RSA, ECDSA and Ed25519, with SHA-256,"
                    + " SHA-384 or SHA-512, and RSA-PSS only with a salt as long as the hash."
            }
        }
    }
}
