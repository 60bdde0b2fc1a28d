extension String {
    /// Fit for a line of a log or of a terminal, whoever wrote it: what would move the cursor, begin another line or turn
    /// the direction of the text is written as `\\u{1B}`, and what is very long is cut.
    package var printable: String {
        let isPlain = self.utf8.allSatisfy { (0x20...0x7E).contains($0) }
        guard !isPlain || self.utf8.count > Self.printableLimit else { return self }
        var text = ""
        for (count, scalar) in self.unicodeScalars.enumerated() {
            guard count < Self.printableLimit else { return text + "…" }
            if scalar.isPrintable {
                text.unicodeScalars.append(scalar)
            } else {
                text += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            }
        }
        return text
    }

    /// In characters: no sentence is as long.
    private static let printableLimit = 2000
}

extension Unicode.Scalar {
    fileprivate var isPrintable: Bool {
        switch self.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }
}
