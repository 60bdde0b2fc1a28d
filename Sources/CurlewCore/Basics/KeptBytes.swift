// Arguments, environment variables, file names and lines of files are bytes. Usually they are UTF-8, and a
// `String` is convenient; but decoding would replace every invalid byte by U+FFFD irreversibly.

extension String {
    /// A text from which ``keptBytes`` restores exactly these bytes.
    ///
    /// UTF-8 is unchanged. Each byte that is not part of it becomes a private character: U+10FE00 plus the byte. If
    /// the input contains one of these 256 characters, its four bytes are treated in the same way; so different
    /// bytes never result in the same text.
    ///
    /// - Parameter bytes: Any bytes.
    package init(keeping bytes: some Collection<UInt8>) {
        // All these private characters begin with this byte, which hardly any text contains.
        if !bytes.contains(0xF4), let text = String(validating: bytes, as: UTF8.self) {
            self = text
            return
        }
        self = ""
        var parser = Unicode.UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        var rest = bytes[...]
        while true {
            switch parser.parseScalar(from: &iterator) {
            case .valid(let encoded):
                let scalar = Unicode.UTF8.decode(encoded)
                if scalar.keptByte == nil {
                    self.unicodeScalars.append(scalar)
                } else {
                    for byte in encoded { self.unicodeScalars.append(.keeping(byte)) }
                }
                rest = rest.dropFirst(encoded.count)
            case .error(let length):
                for byte in rest.prefix(length) { self.unicodeScalars.append(.keeping(byte)) }
                rest = rest.dropFirst(length)
            case .emptyInput: return
            }
        }
    }

    /// The bytes of a text created by ``init(keeping:)``.
    package var keptBytes: [UInt8] {
        guard self.utf8.contains(0xF4) else { return Array(self.utf8) }
        var bytes: [UInt8] = []
        for scalar in self.unicodeScalars {
            if let byte = scalar.keptByte { bytes.append(byte) } else { bytes += Array(UTF8.encode(scalar) ?? .init()) }
        }
        return bytes
    }

    /// The UTF-8 text of the bytes of a text created by ``init(keeping:)``; `nil` if they are not UTF-8.
    package var keptText: String? {
        guard self.utf8.contains(0xF4) else { return self }
        return String(validating: self.keptBytes, as: UTF8.self)
    }
}

extension Unicode.Scalar {
    private static let firstKept: UInt32 = 0x10_FE00

    /// A character that no text made by ``Swift/String/init(keeping:)`` contains: bytes below 0x80 are always UTF-8.
    package static let neverKept = keeping(0)

    fileprivate static func keeping(_ byte: UInt8) -> Self {
        Self(Self.firstKept + UInt32(byte)) ?? "\u{FFFD}"
    }

    /// The byte that the character represents in a text created by ``Swift/String/init(keeping:)``.
    package var keptByte: UInt8? {
        guard self.value >= Self.firstKept else { return nil }
        return UInt8(exactly: self.value - Self.firstKept)
    }
}
