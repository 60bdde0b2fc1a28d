#if Accounts
import SwiftASN1
import X509

/// The subject of a certificate as text by RFC 2253, byte for byte as OpenSSL and with it mosquitto print it: the last
/// part first, and everything that is not ASCII as `\` and two hexadecimal digits for each byte.
struct DistinguishedNameText {
    let text: String

    init(_ name: DistinguishedName) {
        self.text = name.reversed().map { part in
            part.reversed().map(Self.text).joined(separator: "+")
        }.joined(separator: ",")
    }

    /// OpenSSL's abbreviations of attribute types.
    private static let names: [String: String] = [
        "2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L",
        "2.5.4.8": "ST", "2.5.4.9": "street", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title",
        "2.5.4.13": "description",
        "2.5.4.15": "businessCategory", "2.5.4.17": "postalCode", "2.5.4.20": "telephoneNumber", "2.5.4.41": "name",
        "2.5.4.42": "GN", "2.5.4.43": "initials", "2.5.4.44": "generationQualifier",
        "2.5.4.45": "x500UniqueIdentifier", "2.5.4.46": "dnQualifier", "2.5.4.65": "pseudonym", "2.5.4.72": "role",
        "2.5.4.97": "organizationIdentifier", "1.2.840.113549.1.9.1": "emailAddress",
        "0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
    ]

    private static func text(_ attribute: RelativeDistinguishedName.Attribute) -> String {
        let kind = "\(attribute.type)"
        if let name = Self.names[kind], let value = String(attribute.value) {
            return "\(name)=\(Self.escaped(value))"
        }
        // An attribute without a name or text is written as its encoded bytes.
        var encoder = DER.Serializer()
        guard (try? encoder.serialize(ASN1Any(attribute.value))) != nil else { return "\(kind)=#" }
        return "\(Self.names[kind] ?? kind)=#" + encoder.serializedBytes.map(Self.hexadecimal).joined()
    }

    /// The text with special characters escaped by `\`.
    private static func escaped(_ value: String) -> String {
        let bytes = Array(value.utf8)
        var text = ""
        for (place, byte) in bytes.enumerated() {
            let character = String(UnicodeScalar(byte))
            switch byte {
            case UInt8(ascii: " ") where place == 0 || place == bytes.count - 1,
                UInt8(ascii: "#") where place == 0:
                text += "\\" + character
            case _ where ",+\"\\<>;".utf8.contains(byte): text += "\\" + character
            case 0x20..<0x7F: text += character
            default: text += "\\" + Self.hexadecimal(byte)
            }
        }
        return text
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        let digits = Array("0123456789ABCDEF")
        return String([digits[Int(byte >> 4)], digits[Int(byte & 15)]])
    }
}
#endif
