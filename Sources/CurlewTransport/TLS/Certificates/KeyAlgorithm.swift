/// The type of a public or private key, from the identifiers of its algorithm and curve.
struct KeyAlgorithm: Hashable, Sendable, CustomStringConvertible {
    /// The common name, for example "P-256".
    let description: String
    /// Whether our TLS can sign and verify with such keys.
    let isSupported: Bool

    static let rsa = Self("RSA", isSupported: true)
    static let p256 = Self("P-256", isSupported: true)
    static let p384 = Self("P-384", isSupported: true)
    static let p521 = Self("P-521", isSupported: true)
    static let ed25519 = Self("Ed25519", isSupported: true)
    static let rsaPSS = Self("RSA-PSS", isSupported: false)
    static let dsa = Self("DSA", isSupported: false)

    /// The supported types, for error messages.
    static let supportedKinds = "RSA, P-256, P-384, P-521 or Ed25519"

    private init(_ description: String, isSupported: Bool) {
        self.description = description
        self.isSupported = isSupported
    }

    /// Reads an AlgorithmIdentifier (RFC 5280 section 4.1.1.2).
    init?(identifier: DERReader.Element) {
        var fields = identifier.elements
        guard identifier.tag == DERReader.Tag.sequence, let algorithm = fields.next(DERReader.Tag.objectIdentifier)
        else {
            return nil
        }
        self = Self.named(algorithm.content, parameters: fields.next())
    }

    /// Reads the identifier of a curve, or the parameters that describe one (RFC 5480 section 2.1.1).
    init(curve: DERReader.Element?) {
        guard let curve, curve.tag == DERReader.Tag.objectIdentifier else {
            self.init("elliptic-curve key without the name of its curve", isSupported: false)
            return
        }
        self = Self.curves[Array(curve.content)] ?? Self("elliptic curve \(curve.content.dotted)", isSupported: false)
    }

    private static func named(_ name: ArraySlice<UInt8>, parameters: DERReader.Element?) -> Self {
        switch Array(name) {
        case [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]: .rsa
        case [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A]: .rsaPSS
        case [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01]: Self(curve: parameters)
        case [0x2A, 0x86, 0x48, 0xCE, 0x38, 0x04, 0x01]: .dsa
        case [0x2B, 0x65, 0x70]: .ed25519
        case [0x2B, 0x65, 0x71]: Self("Ed448", isSupported: false)
        case [0x2B, 0x65, 0x6E]: Self("X25519", isSupported: false)
        default: Self("algorithm \(name.dotted)", isSupported: false)
        }
    }

    private static let curves: [[UInt8]: Self] = [
        [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]: .p256,
        [0x2B, 0x81, 0x04, 0x00, 0x22]: .p384,
        [0x2B, 0x81, 0x04, 0x00, 0x23]: .p521,
        [0x2B, 0x81, 0x04, 0x00, 0x21]: Self("P-224", isSupported: false),
        [0x2B, 0x81, 0x04, 0x00, 0x0A]: Self("secp256k1", isSupported: false),
        [0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07]: Self("brainpoolP256r1", isSupported: false),
        [0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0B]: Self("brainpoolP384r1", isSupported: false),
        [0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0D]: Self("brainpoolP512r1", isSupported: false),
    ]
}

extension KeyAlgorithm {
    /// The type of an unencrypted private key in PEM or DER (PKCS#8, SEC1 or OpenSSL's own format for DSA).
    init?(privateKey bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let begin = text.range(of: "-----BEGIN ", endingWith: "PRIVATE KEY-----") else {
            self.init(der: bytes[...])
            return
        }
        guard let body = text[begin.end...].split(separator: "-----END", maxSplits: 1).first,
            let der = Base64.decode(String(body))
        else { return nil }
        if begin.label.hasPrefix("DSA") {
            self = .dsa
        } else {
            self.init(der: der[...])
        }
    }

    private init?(der: ArraySlice<UInt8>) {
        var outer = DERReader(der)
        guard var fields = outer.next(DERReader.Tag.sequence)?.elements, fields.next(DERReader.Tag.integer) != nil,
            let second = fields.next()
        else { return nil }
        switch second.tag {
        case DERReader.Tag.sequence:
            self.init(identifier: second)
        case DERReader.Tag.octetString:
            // SEC1: the key, then the curve.
            guard var curve = fields.next(DERReader.Tag.context(0))?.elements else { return nil }
            self.init(curve: curve.next())
        default:
            return nil
        }
    }
}

extension String {
    /// Finds the first line that begins with `start` and ends with `end`. Returns the text between them, and the end of
    /// the line.
    fileprivate func range(of start: String, endingWith end: String) -> (label: Substring, end: Index)? {
        for line in self.split(whereSeparator: \.isNewline) {
            let line = line.trimmingSuffix { $0 == " " || $0 == "\t" }
            guard line.hasPrefix(start), line.hasSuffix(end) else { continue }
            return (line.dropFirst(start.count), line.endIndex)
        }
        return nil
    }
}

extension Substring {
    fileprivate func trimmingSuffix(while isTrimmed: (Character) -> Bool) -> Substring {
        var text = self
        while let last = text.last, isTrimmed(last) { text.removeLast() }
        return text
    }
}

extension ArraySlice<UInt8> {
    /// The object identifier in dotted form, for example 1.2.840.10045.2.1.
    var dotted: String {
        var numbers: [UInt64] = []
        var number: UInt64 = 0
        for byte in self.prefix(64) {
            guard number < 1 << 56 else { return "(unknown)" }
            number = number << 7 | UInt64(byte & 0x7F)
            guard byte & 0x80 == 0 else { continue }
            if numbers.isEmpty {
                let first = Swift.min(number / 40, 2)
                numbers = [first, number - first * 40]
            } else {
                numbers.append(number)
            }
            number = 0
        }
        return numbers.map(String.init).joined(separator: ".")
    }
}
