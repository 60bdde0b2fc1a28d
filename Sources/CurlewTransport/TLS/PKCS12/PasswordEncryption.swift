/// Which encryptions with a passphrase BoringSSL can decrypt: it cannot do all that OpenSSL and Java write, and its
/// errors do not always tell.
enum PasswordEncryption {
    /// - Parameter algorithm: An AlgorithmIdentifier (RFC 5280 section 4.1.1.2).
    static func isSupported(_ algorithm: DERReader.Element) -> Bool {
        guard let (scheme, parameters) = Self.fields(of: algorithm) else { return false }
        // SHA-1 with 128-bit RC4, with triple DES, and with 40-bit RC2 (RFC 7292 appendix C).
        if [1, 3, 6].contains(where: { scheme == Self.pkcs12 + [$0] }) { return true }
        guard scheme == Self.pkcs5 + [13], var fields = parameters?.elements,
            let derivation = fields.next(DERReader.Tag.sequence).flatMap(Self.fields),
            let cipher = fields.next(DERReader.Tag.sequence).flatMap(Self.fields)
        else { return false }
        return derivation.name == Self.pkcs5 + [12] && Self.isSupported(derivation: derivation.parameters)
            && Self.ciphers.contains(cipher.name)
    }

    private static func fields(
        of algorithm: DERReader.Element
    ) -> (name: [UInt8], parameters: DERReader.Element?)? {
        var fields = algorithm.elements
        guard let name = fields.next(DERReader.Tag.objectIdentifier) else { return nil }
        return (Array(name.content), fields.next())
    }

    /// Whether PBKDF2 uses HMAC with SHA-1, the default, or SHA-256 (RFC 8018 appendix A.2).
    private static func isSupported(derivation parameters: DERReader.Element?) -> Bool {
        guard var fields = parameters?.elements, fields.next(DERReader.Tag.octetString) != nil,
            fields.next(DERReader.Tag.integer) != nil
        else { return false }
        _ = fields.nextIfPresent(DERReader.Tag.integer)  // keyLength
        guard let function = fields.nextIfPresent(DERReader.Tag.sequence).flatMap(Self.fields) else { return true }
        return function.name == Self.digests + [7] || function.name == Self.digests + [9]
    }

    private static let pkcs12: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x01]
    private static let pkcs5: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x05]
    private static let digests: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x02]

    /// RC2, triple DES, and AES with 128, 192 and 256 bits.
    private static let ciphers: [[UInt8]] = [
        [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x03, 0x02], [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x03, 0x07],
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x02],
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x16],
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2A],
    ]
}
