/// Reads the text form of DER (RFC 7468).
enum PEM {
    /// The contents of all blocks with a label, such as `X509 CRL`. Other blocks, and text between blocks, are ignored.
    ///
    /// - Returns: `nil` if a block with the label is not complete or not Base64.
    static func blocks(_ label: String, in text: [UInt8]) -> [[UInt8]]? {
        let (begin, end) = (Array("-----BEGIN \(label)-----".utf8), Array("-----END \(label)-----".utf8))
        var blocks: [[UInt8]] = []
        /// The lines of the current block.
        var body: [UInt8]?
        for line in text.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
            let line = line.trimmingSpaces
            if line.elementsEqual(begin) {
                guard body == nil else { return nil }
                body = []
            } else if line.elementsEqual(end) {
                guard let text = body, let block = Base64.decode(String(decoding: text, as: UTF8.self)) else {
                    return nil
                }
                blocks.append(block)
                body = nil
            } else {
                body?.append(contentsOf: line)
            }
        }
        return body == nil ? blocks : nil
    }
}

extension ArraySlice<UInt8> {
    /// Without spaces and tabs at the end, which RFC 7468 section 2 asks to accept.
    fileprivate var trimmingSpaces: Self {
        var line = self
        while let last = line.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") { line = line.dropLast() }
        return line
    }
}
