import NIOSSL

/// A PKCS#12 bundle (RFC 7292): a private key and its certificates in one file, usually encrypted with a passphrase.
///
/// NIOSSL can read such bundles, but ends the process if one has no key, or no certificate that belongs to the key.
/// Therefore this reads the structure itself, takes the key out, and lets BoringSSL decrypt the certificates (see
/// ``PKCS12Certificates``).
struct PKCS12Bundle {
    /// Why a bundle cannot be used.
    enum Problem: Error {
        /// Its structure is not that of RFC 7292.
        case damaged
        /// A public key protects it instead of a passphrase.
        case signed
        case noKey
        case severalKeys
        case noCertificate
        /// BoringSSL cannot decrypt it, or its key is not where keys usually are.
        case unsupportedEncryption
        /// The passphrase is wrong or missing, or the encrypted part is damaged.
        case notDecrypted
        /// The key is of a kind that is not supported; `nil` if the kind is not known.
        case unsupportedKey(KeyAlgorithm?)
    }

    /// The authenticated safe: the encoded list of parts; `nil` if it is signed with a public key.
    private let safe: [UInt8]?

    /// Returns `nil` if the bytes are no PKCS#12 bundle but, for example, a certificate.
    init?(_ bytes: [UInt8]) {
        guard let bundle = DER.normalized(bytes[...]) else { return nil }
        var outer = DERReader(bundle[...])
        guard var fields = outer.next(DERReader.Tag.sequence)?.elements, fields.next(DERReader.Tag.integer) != nil,
            let part = fields.next(DERReader.Tag.sequence).flatMap(Part.init)
        else { return nil }
        switch part.kind {
        case Part.data:
            guard let safe = part.octets else { return nil }
            self.safe = safe
        case Part.signedData: self.safe = nil
        default: return nil
        }
    }

    /// Decrypts the bundle. Derives keys from the passphrase, which takes a while: do not call it on an event loop.
    ///
    /// - Parameter passphrase: Only ASCII; `nil` if there is none.
    func open(
        passphrase: String?
    ) throws(Problem) -> (key: NIOSSLPrivateKey, certificates: [NIOSSLCertificate]) {
        guard let safe else { throw .signed }
        let contents = try Contents(safe)
        guard contents.keys.count < 2 else { throw .severalKeys }
        let certificates = try contents.certificates(passphrase: passphrase ?? "")
        guard let key = contents.keys.first else { throw .noKey }
        guard !certificates.isEmpty else { throw .noCertificate }
        // If the certificates could be decrypted, the passphrase is right.
        let knowsPassphrase = contents.others.contains { $0.isEncrypted }
        return (try key.open(passphrase: passphrase ?? "", knowsPassphrase: knowsPassphrase), certificates)
    }
}

extension PKCS12Bundle {
    /// A ContentInfo (RFC 2315 section 7): a list of bags, encrypted or not.
    struct Part {
        static let data: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01]
        static let signedData: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02]
        static let encryptedData: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x06]

        /// The object identifier of the kind of content.
        let kind: [UInt8]
        let encoding: [UInt8]
        private let content: DERReader.Element

        var isEncrypted: Bool { self.kind == Self.encryptedData }

        /// The octets of unencrypted data.
        var octets: [UInt8]? {
            self.content.tag == DERReader.Tag.octetString ? Array(self.content.content) : nil
        }

        init?(_ element: DERReader.Element) {
            var fields = element.elements
            guard let kind = fields.next(DERReader.Tag.objectIdentifier),
                var wrapper = fields.next(DERReader.Tag.context(0))?.elements, let content = wrapper.next()
            else { return nil }
            self.kind = Array(kind.content)
            self.encoding = Array(element.encoding)
            self.content = content
        }

        /// Unencrypted bags.
        init?(bags: [[UInt8]]) {
            let list = DER.element(DERReader.Tag.sequence, bags.flatMap { $0 })
            let encoding = DER.element(
                DERReader.Tag.sequence, DER.element(DERReader.Tag.objectIdentifier, Self.data),
                DER.element(DERReader.Tag.context(0), DER.element(DERReader.Tag.octetString, list)))
            var reader = DERReader(encoding[...])
            guard let element = reader.next() else { return nil }
            self.init(element)
        }

        /// How encrypted data is encrypted (RFC 2315 section 13).
        var encryption: DERReader.Element? {
            var fields = self.content.elements
            guard fields.next(DERReader.Tag.integer) != nil,
                var information = fields.next(DERReader.Tag.sequence)?.elements,
                information.next(DERReader.Tag.objectIdentifier) != nil
            else { return nil }
            return information.next(DERReader.Tag.sequence)
        }
    }

    /// A private key in a bag, encrypted or not.
    struct Key {
        static let plainBag: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x0A, 0x01, 0x01]
        static let encryptedBag: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x0A, 0x01, 0x02]

        /// PKCS#8.
        private let encoding: [UInt8]
        private let isEncrypted: Bool

        /// Returns `nil` if the bag contains something else.
        init?(bag: DERReader.Element) {
            var fields = bag.elements
            guard let kind = fields.next(DERReader.Tag.objectIdentifier).map({ Array($0.content) }),
                kind == Self.plainBag || kind == Self.encryptedBag,
                var wrapper = fields.next(DERReader.Tag.context(0))?.elements, let value = wrapper.next()
            else { return nil }
            self.encoding = Array(value.encoding)
            self.isEncrypted = kind == Self.encryptedBag
        }

        func open(passphrase: String, knowsPassphrase: Bool) throws(Problem) -> NIOSSLPrivateKey {
            guard self.isEncrypted else {
                do { return try NIOSSLPrivateKey(bytes: self.encoding, format: .der) } catch {
                    guard let kind = KeyAlgorithm(privateKey: self.encoding) else { throw .damaged }
                    throw .unsupportedKey(kind)
                }
            }
            var reader = DERReader(self.encoding[...])
            var fields = reader.next(DERReader.Tag.sequence)?.elements
            guard let algorithm = fields?.next(DERReader.Tag.sequence) else { throw .damaged }
            guard PasswordEncryption.isSupported(algorithm) else { throw .unsupportedEncryption }
            do { return try NIOSSLPrivateKey(encryptedPKCS8: self.encoding, passphrase: passphrase) } catch {
                throw knowsPassphrase ? .unsupportedKey(nil) : .notDecrypted
            }
        }
    }

    /// The keys that are readable without decrypting a whole part, as is usual, and all other contents.
    private struct Contents {
        var keys: [Key] = []
        var others: [Part] = []

        init(_ safe: [UInt8]) throws(Problem) {
            for element in try Self.elements(safe) {
                guard let part = Part(element) else { throw .damaged }
                guard part.kind == Part.data else {
                    self.others.append(part)
                    continue
                }
                guard let octets = part.octets else { throw .damaged }
                var bags: [[UInt8]] = []
                for bag in try Self.elements(octets) {
                    if let key = Key(bag: bag) {
                        self.keys.append(key)
                    } else {
                        bags.append(Array(bag.encoding))
                    }
                }
                guard let rest = Part(bags: bags) else { throw .damaged }
                self.others.append(rest)
            }
        }

        func certificates(passphrase: String) throws(Problem) -> [NIOSSLCertificate] {
            do throws(Problem) {
                return try PKCS12Certificates.read(self.others, passphrase: passphrase)
            } catch .severalKeys where self.keys.isEmpty {
                // The only key is in an encrypted part, together with certificates.
                throw .unsupportedEncryption
            }
        }

        /// The elements of a list, which may be in BER even if what surrounds it is in DER.
        private static func elements(_ list: [UInt8]) throws(Problem) -> [DERReader.Element] {
            guard let list = DER.normalized(list[...]) else { throw .damaged }
            var outer = DERReader(list[...])
            guard var reader = outer.next(DERReader.Tag.sequence)?.elements else { throw .damaged }
            var elements: [DERReader.Element] = []
            while !reader.isAtEnd {
                guard let element = reader.next(DERReader.Tag.sequence) else { throw .damaged }
                elements.append(element)
            }
            return elements
        }
    }
}
