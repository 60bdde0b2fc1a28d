#if Accounts
import Crypto
import CryptoExtras
#endif

/// The signature of a revocation list, with what is needed to verify it once its issuer's key is known.
struct RevocationListSignature: Sendable {
    #if Accounts
    /// What was signed: only the hash, because a list may be large, except where the algorithm needs all bytes.
    private enum Signed: Sendable {
        case sha256(SHA256Digest)
        case sha384(SHA384Digest)
        case sha512(SHA512Digest)
        case bytes([UInt8])
    }

    private let algorithm: SignatureAlgorithm
    private let signed: Signed
    private let signature: [UInt8]

    init(_ algorithm: SignatureAlgorithm, of bytes: ArraySlice<UInt8>, _ signature: [UInt8]) {
        self.algorithm = algorithm
        self.signature = signature
        self.signed =
            switch algorithm {
            case .rsa(.sha256), .rsaPSS(.sha256), .ecdsa(.sha256): .sha256(SHA256.hash(data: bytes))
            case .rsa(.sha384), .rsaPSS(.sha384), .ecdsa(.sha384): .sha384(SHA384.hash(data: bytes))
            case .rsa(.sha512), .rsaPSS(.sha512), .ecdsa(.sha512): .sha512(SHA512.hash(data: bytes))
            case .ed25519: .bytes(Array(bytes))
            }
    }

    /// Whether the owner of a key has signed the list.
    ///
    /// - Parameter publicKey: The key as SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7).
    func isValid(for publicKey: [UInt8]) -> Bool {
        switch self.signed {
        case .sha256(let digest): self.isValid(digest, publicKey)
        case .sha384(let digest): self.isValid(digest, publicKey)
        case .sha512(let digest): self.isValid(digest, publicKey)
        case .bytes(let bytes): self.isValid(bytes, publicKey)
        }
    }

    private func isValid(_ digest: some Digest, _ publicKey: [UInt8]) -> Bool {
        switch self.algorithm {
        case .rsa: self.isValidRSA(digest, publicKey, .insecurePKCS1v1_5)
        case .rsaPSS: self.isValidRSA(digest, publicKey, .PSS)
        case .ecdsa: self.isValidECDSA(digest, publicKey)
        case .ed25519: false
        }
    }

    private func isValidRSA(_ digest: some Digest, _ publicKey: [UInt8], _ padding: _RSA.Signing.Padding) -> Bool {
        // TLS accepts the same sizes.
        guard let key = try? _RSA.Signing.PublicKey(unsafeDERRepresentation: publicKey) else { return false }
        let signature = _RSA.Signing.RSASignature(rawRepresentation: self.signature)
        return key.isValidSignature(signature, for: digest, padding: padding)
    }

    private func isValidECDSA(_ digest: some Digest, _ publicKey: [UInt8]) -> Bool {
        if let key = try? P256.Signing.PublicKey(derRepresentation: publicKey) {
            guard let signature = try? P256.Signing.ECDSASignature(derRepresentation: self.signature) else {
                return false
            }
            return key.isValidSignature(signature, for: digest)
        }
        if let key = try? P384.Signing.PublicKey(derRepresentation: publicKey) {
            guard let signature = try? P384.Signing.ECDSASignature(derRepresentation: self.signature) else {
                return false
            }
            return key.isValidSignature(signature, for: digest)
        }
        guard let key = try? P521.Signing.PublicKey(derRepresentation: publicKey),
            let signature = try? P521.Signing.ECDSASignature(derRepresentation: self.signature)
        else { return false }
        return key.isValidSignature(signature, for: digest)
    }

    private func isValid(_ bytes: [UInt8], _ publicKey: [UInt8]) -> Bool {
        var outer = DERReader(publicKey[...])
        guard var fields = outer.next(DERReader.Tag.sequence)?.elements,
            fields.next().flatMap({ KeyAlgorithm(identifier: $0) }) == .ed25519,
            let raw = fields.next(DERReader.Tag.bitString)?.content, raw.first == 0,
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: Array(raw.dropFirst()))
        else { return false }
        return key.isValidSignature(self.signature, for: bytes)
    }
    #else
    init(_ algorithm: SignatureAlgorithm, of bytes: ArraySlice<UInt8>, _ signature: [UInt8]) {}

    func isValid(for publicKey: [UInt8]) -> Bool { false }
    #endif
}
