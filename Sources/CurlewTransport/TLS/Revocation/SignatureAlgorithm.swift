/// How a revocation list is signed (RFC 3279, 4055, 5758 and 8410).
enum SignatureAlgorithm: Hashable, Sendable {
    case rsa(Hash)
    /// With a salt that is as long as the hash.
    case rsaPSS(Hash)
    case ecdsa(Hash)
    case ed25519

    enum Hash: UInt8, Sendable {
        case sha256 = 1
        case sha384 = 2
        case sha512 = 3

        fileprivate var byteCount: UInt8 {
            switch self {
            case .sha256: 32
            case .sha384: 48
            case .sha512: 64
            }
        }
    }

    /// Reads an AlgorithmIdentifier.
    init(_ identifier: DERReader.Element) throws(RevocationList.Flaw) {
        var fields = identifier.elements
        guard let name = fields.next(DERReader.Tag.objectIdentifier)?.content else { throw .malformed }
        let bytes = Array(name)
        switch bytes {
        case Self.rsaPrefix + [0x0B]: self = .rsa(.sha256)
        case Self.rsaPrefix + [0x0C]: self = .rsa(.sha384)
        case Self.rsaPrefix + [0x0D]: self = .rsa(.sha512)
        case Self.rsaPrefix + [0x0A]: self = .rsaPSS(try Self.hash(ofPSS: fields.next()))
        case Self.ecdsaPrefix + [0x03, 0x02]: self = .ecdsa(.sha256)
        case Self.ecdsaPrefix + [0x03, 0x03]: self = .ecdsa(.sha384)
        case Self.ecdsaPrefix + [0x03, 0x04]: self = .ecdsa(.sha512)
        case [0x2B, 0x65, 0x70]: self = .ed25519
        case Self.rsaPrefix + [0x04], Self.rsaPrefix + [0x05], Self.ecdsaPrefix + [0x01]: throw .obsoleteSignature
        default: throw .unsupportedSignature
        }
    }

    private static let rsaPrefix: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01]
    private static let ecdsaPrefix: [UInt8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04]
    private static let hashPrefix: [UInt8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02]

    /// Reads RSASSA-PSS-params (RFC 4055 section 3.1).
    private static func hash(ofPSS parameters: DERReader.Element?) throws(RevocationList.Flaw) -> Hash {
        guard let parameters, parameters.tag == DERReader.Tag.sequence else { throw .malformed }
        var fields = parameters.elements
        // Everything that is left out means SHA-1.
        guard var digest = fields.nextIfPresent(DERReader.Tag.context(0))?.elements,
            var mask = fields.nextIfPresent(DERReader.Tag.context(1))?.elements
        else { throw .obsoleteSignature }
        guard let hash = Self.hash(digest.next()),
            var generator = mask.next(DERReader.Tag.sequence)?.elements,
            let name = generator.next(DERReader.Tag.objectIdentifier)?.content,
            Array(name) == Self.rsaPrefix + [0x08], Self.hash(generator.next()) == hash,
            var salt = fields.next(DERReader.Tag.context(2))?.elements,
            let saltLength = salt.next(DERReader.Tag.integer)?.content, Array(saltLength) == [hash.byteCount],
            fields.isAtEnd
        else { throw .unsupportedSignature }
        return hash
    }

    private static func hash(_ identifier: DERReader.Element?) -> Hash? {
        guard let identifier, identifier.tag == DERReader.Tag.sequence else { return nil }
        var fields = identifier.elements
        guard let name = fields.next(DERReader.Tag.objectIdentifier)?.content, name.starts(with: Self.hashPrefix),
            name.count == Self.hashPrefix.count + 1
        else { return nil }
        return name.last.flatMap(Hash.init(rawValue:))
    }
}
