extension String {
    /// Safe for a line of a log or terminal, whatever its source, and abbreviated if it is very long.
    package var printable: String {
        guard self.utf8.count > Self.printableLimit else { return self.printable(keepsLines: false) }
        let beginning = String(self.unicodeScalars.prefix(Self.printableLimit))
        return beginning.printable(keepsLines: false) + (beginning.utf8.count < self.utf8.count ? "…" : "")
    }

    /// Safe for a terminal, whatever its source: characters that would move the cursor, change the title, generate
    /// input, start another line or change the direction of the text are written as `\\u{1B}`. A byte that is not
    /// UTF-8, in text that keeps it, is written as `\\xFF`.
    ///
    /// - Parameter keepsLines: Whether line ends and tabs are unchanged.
    package func printable(keepsLines: Bool) -> String {
        let isPlain = self.utf8.allSatisfy { (0x20...0x7E).contains($0) }
        guard !isPlain else { return self }
        var text = ""
        for scalar in self.unicodeScalars {
            if scalar.isPrintable || keepsLines && (scalar == "\n" || scalar == "\t") {
                text.unicodeScalars.append(scalar)
            } else if let byte = scalar.keptByte {
                text += (byte < 16 ? "\\x0" : "\\x") + String(byte, radix: 16, uppercase: true)
            } else {
                text += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            }
        }
        return text
    }

    /// A sentence with one full stop: one that ends with a quotation, such as a server's reason, would otherwise
    /// have two.
    package var endingOnce: String {
        guard self.utf8.last == UInt8(ascii: "."), !self.hasSuffix("...") else { return self }
        return [".", "?", "!", "…"].contains { self.dropLast().hasSuffix($0) }
            ? String(self.dropLast()).endingOnce : self
    }

    /// In characters; longer than any sentence.
    private static let printableLimit = 2000
}

extension Unicode.Scalar {
    fileprivate var isPrintable: Bool {
        switch self.properties.generalCategory {
        // Joiners hold emoji and some scripts together.
        case .format: self == "\u{200C}" || self == "\u{200D}"
        case .control, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }
}
