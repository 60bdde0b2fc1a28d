import CurlewCore
import NIOSSL

/// The contents of a certificate (RFC 5280) that explain why TLS rejects it.
///
/// Only for error messages: BoringSSL alone decides whether a certificate is valid.
struct CertificateContents: Hashable, Sendable {
    /// What a key may be used for (RFC 5280 section 4.2.1.3).
    struct KeyUsage: OptionSet, Hashable, Sendable {
        let rawValue: UInt8

        static let digitalSignature = Self(rawValue: 0x80)
        static let keyEncipherment = Self(rawValue: 0x20)
        static let keyAgreement = Self(rawValue: 0x08)
        /// To sign revocation lists.
        static let listSigning = Self(rawValue: 0x02)
    }

    /// What a certificate is for (RFC 5280 section 4.2.1.12).
    struct Purposes: OptionSet, Hashable, Sendable {
        let rawValue: UInt8

        static let server = Self(rawValue: 1)
        static let client = Self(rawValue: 2)
        static let any = Self(rawValue: 4)
    }

    /// The encoded name of the holder.
    let subject: [UInt8]
    /// The encoded name of the authority that issued the certificate.
    let issuer: [UInt8]
    let key: KeyAlgorithm
    /// `nil` if the certificate does not restrict the use of its key.
    private(set) var keyUsage: KeyUsage?
    /// `nil` if the certificate is for any purpose.
    private(set) var purposes: Purposes?

    /// Whether holder and issuer have the same name.
    var isSelfIssued: Bool { self.subject == self.issuer }

    var subjectName: String { Self.text(of: self.subject) }
    var issuerName: String { Self.text(of: self.issuer) }

    func permits(_ usage: KeyUsage) -> Bool { self.keyUsage?.isSuperset(of: usage) ?? true }

    func isFor(_ purpose: Purposes) -> Bool {
        guard let purposes = self.purposes else { return true }
        return purposes.contains(purpose) || purposes.contains(.any)
    }

    init?(_ certificate: NIOSSLCertificate) {
        guard let bytes = try? certificate.toDERBytes() else { return nil }
        self.init(der: bytes)
    }

    init?(der: [UInt8]) {
        var outer = DERReader(der[...])
        guard var certificate = outer.next(DERReader.Tag.sequence)?.elements,
            var fields = certificate.next(DERReader.Tag.sequence)?.elements
        else { return nil }
        _ = fields.nextIfPresent(DERReader.Tag.context(0))  // version
        guard fields.next(DERReader.Tag.integer) != nil,  // serialNumber
            fields.next(DERReader.Tag.sequence) != nil,  // signature
            let issuer = fields.next(DERReader.Tag.sequence),
            fields.next(DERReader.Tag.sequence) != nil,  // validity
            let subject = fields.next(DERReader.Tag.sequence),
            var keyInformation = fields.next(DERReader.Tag.sequence)?.elements,
            let algorithm = keyInformation.next(),
            let key = KeyAlgorithm(identifier: algorithm)
        else { return nil }
        self.issuer = Array(issuer.encoding)
        self.subject = Array(subject.encoding)
        self.key = key
        while let field = fields.next() {
            guard field.tag == DERReader.Tag.context(3) else { continue }
            var wrapper = field.elements
            guard var extensions = wrapper.next(DERReader.Tag.sequence)?.elements else { return }
            while let element = extensions.next(DERReader.Tag.sequence) { self.read(extension: element) }
        }
    }

    private mutating func read(extension element: DERReader.Element) {
        var fields = element.elements
        guard let name = fields.next(DERReader.Tag.objectIdentifier) else { return }
        _ = fields.nextIfPresent(DERReader.Tag.boolean)  // critical
        guard var value = fields.next(DERReader.Tag.octetString)?.elements else { return }
        switch Array(name.content) {
        case [0x55, 0x1D, 0x0F]:
            guard let bits = value.next(DERReader.Tag.bitString)?.content else { return }
            // The first byte is the number of unused bits.
            self.keyUsage = KeyUsage(rawValue: bits.dropFirst().first ?? 0)
        case [0x55, 0x1D, 0x25]:
            guard var purposes = value.next(DERReader.Tag.sequence)?.elements else { return }
            var found: Purposes = []
            while let purpose = purposes.next(DERReader.Tag.objectIdentifier) {
                switch Array(purpose.content) {
                case [0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01]: found.insert(.server)
                case [0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02]: found.insert(.client)
                case [0x55, 0x1D, 0x25, 0x00]: found.insert(.any)
                default: break
                }
            }
            self.purposes = found
        default: break
        }
    }

    /// The common name; if there is none, all values of the name, separated by commas.
    static func text(of name: [UInt8]) -> String {
        var outer = DERReader(name[...])
        guard var sets = outer.next(DERReader.Tag.sequence)?.elements else { return "(no name)" }
        var values: [String] = []
        while var attributes = sets.next(DERReader.Tag.set)?.elements {
            while var attribute = attributes.next(DERReader.Tag.sequence)?.elements {
                guard let kind = attribute.next(DERReader.Tag.objectIdentifier), let value = attribute.next() else {
                    continue
                }
                let text = String(decoding: value.content.prefix(100), as: UTF8.self).printable
                if Array(kind.content) == [0x55, 0x04, 0x03] { return "\"\(text)\"" }
                values.append(text)
            }
        }
        return values.isEmpty ? "(no name)" : "\"\(values.joined(separator: ", "))\""
    }
}
