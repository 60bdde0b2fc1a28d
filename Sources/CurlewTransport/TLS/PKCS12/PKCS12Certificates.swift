import NIOSSL

/// Reads the certificates of a PKCS#12 bundle through NIOSSL.
///
/// NIOSSL ends the process unless a bundle has a key and a certificate that belongs to it. So this makes another bundle
/// of the parts without their key, a fixed key, and a certificate for that key. The fixed key protects nothing: it is
/// the first test key of RFC 8032 section 7.1.
enum PKCS12Certificates {
    /// - Parameters:
    ///   - parts: Contents of the bundle without keys. Those that are encrypted may hide one; then this fails.
    ///   - passphrase: Only ASCII; empty for none.
    static func read(
        _ parts: [PKCS12Bundle.Part], passphrase: String
    ) throws(PKCS12Bundle.Problem) -> [NIOSSLCertificate] {
        for part in parts where part.isEncrypted {
            guard let encryption = part.encryption else { throw .damaged }
            guard PasswordEncryption.isSupported(encryption) else { throw .unsupportedEncryption }
        }
        // Programs disagree on whether an empty passphrase ends with a zero, which is part of the encryption's key.
        let encoded: [UInt8] = Array(passphrase.utf8.map { [0, $0] }.joined()) + [0, 0]
        for encoded in passphrase.isEmpty ? [encoded, []] : [encoded] {
            do {
                let bundle = try NIOSSLPKCS12Bundle(
                    buffer: Self.bundle(of: parts, passphrase: encoded), passphrase: Array(passphrase.utf8))
                // The first is the one of the fixed key.
                return Array(bundle.certificateChain.dropFirst())
            } catch {
                if BoringSSLReason.all(in: error).contains(.severalKeys) { throw .severalKeys }
            }
        }
        throw parts.contains { $0.isEncrypted } ? .notDecrypted : .damaged
    }

    private static func bundle(of parts: [PKCS12Bundle.Part], passphrase: [UInt8]) -> [UInt8] {
        let safe = DER.element(DERReader.Tag.sequence, parts.flatMap { $0.encoding } + Self.fixedPart)
        let salt = [UInt8](repeating: 0, count: 8)
        let code = BundleChecksum.authenticationCode(of: safe, key: Self.key(of: passphrase, salt: salt))
        return DER.element(
            DERReader.Tag.sequence, DER.element(DERReader.Tag.integer, [3]),
            DER.element(
                DERReader.Tag.sequence, DER.element(DERReader.Tag.objectIdentifier, PKCS12Bundle.Part.data),
                DER.element(DERReader.Tag.context(0), DER.element(DERReader.Tag.octetString, safe))),
            DER.element(
                DERReader.Tag.sequence,
                DER.element(
                    DERReader.Tag.sequence, DER.element(DERReader.Tag.sequence, Self.sha256, [0x05, 0x00]),
                    DER.element(DERReader.Tag.octetString, code)),
                DER.element(DERReader.Tag.octetString, salt)))
    }

    /// The key of the bundle's checksum (RFC 7292 appendix B.2) with one iteration.
    private static func key(of passphrase: [UInt8], salt: [UInt8]) -> [UInt8] {
        func filling(_ bytes: [UInt8]) -> [UInt8] {
            let count = (bytes.count + 63) / 64 * 64
            return (0..<count).map { bytes[$0 % bytes.count] }
        }
        return BundleChecksum.hash([UInt8](repeating: 3, count: 64) + filling(salt) + filling(passphrase))
    }

    /// 2.16.840.1.101.3.4.2.1
    private static let sha256 = DER.element(
        DERReader.Tag.objectIdentifier, [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01])

    // MARK: The fixed key and its certificate

    private static let ed25519 = DER.element(
        DERReader.Tag.sequence, DER.element(DERReader.Tag.objectIdentifier, [0x2B, 0x65, 0x70]))

    private static let privateKey: [UInt8] = [
        0x9D, 0x61, 0xB1, 0x9D, 0xEF, 0xFD, 0x5A, 0x60, 0xBA, 0x84, 0x4A, 0xF4, 0x92, 0xEC, 0x2C, 0xC4,
        0x44, 0x49, 0xC5, 0x69, 0x7B, 0x32, 0x69, 0x19, 0x70, 0x3B, 0xAC, 0x03, 0x1C, 0xAE, 0x7F, 0x60,
    ]

    private static let publicKey: [UInt8] = [
        0xD7, 0x5A, 0x98, 0x01, 0x82, 0xB1, 0x0A, 0xB7, 0xD5, 0x4B, 0xFE, 0xD3, 0xC9, 0x64, 0x07, 0x3A,
        0x0E, 0xE1, 0x72, 0xF3, 0xDA, 0xA6, 0x23, 0x25, 0xAF, 0x02, 0x1A, 0x68, 0xF7, 0x07, 0x51, 0x1A,
    ]

    /// A bag with the key, and one with a certificate whose signature nobody verifies.
    private static let fixedPart: [UInt8] = {
        let name = DER.element(DERReader.Tag.sequence)
        let time = DER.element(0x17, Array("700101000000Z".utf8))
        let certificate = DER.element(
            DERReader.Tag.sequence,
            DER.element(
                DERReader.Tag.sequence, DER.element(DERReader.Tag.integer, [1]), ed25519, name,
                DER.element(DERReader.Tag.sequence, time, time), name,
                DER.element(
                    DERReader.Tag.sequence, ed25519, DER.element(DERReader.Tag.bitString, [0], publicKey))),
            ed25519, DER.element(DERReader.Tag.bitString, [UInt8](repeating: 0, count: 65)))
        let key = DER.element(
            DERReader.Tag.sequence, DER.element(DERReader.Tag.integer, [0]), ed25519,
            DER.element(DERReader.Tag.octetString, DER.element(DERReader.Tag.octetString, privateKey)))
        let certificateValue = DER.element(
            DERReader.Tag.sequence, DER.element(DERReader.Tag.objectIdentifier, x509Certificate),
            DER.element(DERReader.Tag.context(0), DER.element(DERReader.Tag.octetString, certificate)))
        let part = PKCS12Bundle.Part(bags: [
            bag(PKCS12Bundle.Key.plainBag, key), bag(certificateBag, certificateValue),
        ])
        return part?.encoding ?? []
    }()

    private static let certificateBag: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x0A, 0x01, 0x03]
    private static let x509Certificate: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x16, 0x01]

    private static func bag(_ kind: [UInt8], _ value: [UInt8]) -> [UInt8] {
        DER.element(
            DERReader.Tag.sequence, DER.element(DERReader.Tag.objectIdentifier, kind),
            DER.element(DERReader.Tag.context(0), value))
    }
}
