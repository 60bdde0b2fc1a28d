extension String {
    /// The text in a URL's path: everything but letters, digits and `-._~/` is percent-encoded (RFC 3986 section 2.1).
    package var percentEncodedPath: String { self.utf8.percentEncoded(keeping: "/") }

    /// The bytes of percent-encoded text; `nil` if a `%` has no two hexadecimal digits.
    package var percentDecodedBytes: [UInt8]? {
        var bytes: [UInt8] = []
        var rest = self.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst()?.hexadecimalDigit, let low = rest.popFirst()?.hexadecimalDigit else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    /// The percent-decoded text; `nil` if it is malformed or not UTF-8.
    package var percentDecoded: String? {
        self.percentDecodedBytes.flatMap { String(validating: $0, as: UTF8.self) }
    }
}

extension Sequence<UInt8> {
    /// The bytes as percent-encoded text: everything but letters, digits, `-._~` and the characters to keep (RFC 3986
    /// section 2.3).
    ///
    /// - Parameter kept: Other characters of ASCII that are not encoded. Default: none.
    package func percentEncoded(keeping kept: String = "") -> String {
        var text = ""
        for byte in self {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            case _ where kept.utf8.contains(byte): text.unicodeScalars.append(Unicode.Scalar(byte))
            default: text += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }
}

extension UInt8 {
    fileprivate var hexadecimalDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
