/// Reads DER (ITU-T X.690) as far as certificates and keys use it. Any bytes are legal input.
struct DERReader {
    /// A value with its tag.
    struct Element: Hashable, Sendable {
        let tag: UInt8
        let content: ArraySlice<UInt8>
        /// Tag, length and content.
        let encoding: ArraySlice<UInt8>

        /// Reads what a constructed element contains.
        var elements: DERReader { DERReader(self.content) }
    }

    enum Tag {
        static let integer: UInt8 = 0x02
        static let bitString: UInt8 = 0x03
        static let octetString: UInt8 = 0x04
        static let objectIdentifier: UInt8 = 0x06
        static let boolean: UInt8 = 0x01
        static let sequence: UInt8 = 0x30
        static let set: UInt8 = 0x31

        /// A constructed element of the context, such as `[3] EXPLICIT`.
        static func context(_ number: UInt8) -> UInt8 { 0xA0 | number }
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.rest = bytes }

    /// The next element, or `nil` at the end and where the bytes are no DER.
    mutating func next() -> Element? {
        let start = self.rest
        // Tags of several bytes are in no certificate.
        guard let tag = self.rest.popFirst(), tag & 0x1F != 0x1F, var length = self.rest.popFirst().map(Int.init) else {
            return nil
        }
        if length & 0x80 != 0 {
            let count = length & 0x7F
            guard (1...3).contains(count), self.rest.count >= count else { return nil }
            length = self.rest.prefix(count).reduce(0) { $0 << 8 | Int($1) }
            self.rest = self.rest.dropFirst(count)
        }
        guard self.rest.count >= length else { return nil }
        let content = self.rest.prefix(length)
        self.rest = self.rest.dropFirst(length)
        return Element(tag: tag, content: content, encoding: start[..<content.endIndex])
    }

    /// The next element if it has this tag.
    mutating func next(_ tag: UInt8) -> Element? {
        guard let element = self.next(), element.tag == tag else { return nil }
        return element
    }

    /// The next element if it has this tag; otherwise nothing is read.
    mutating func nextIfPresent(_ tag: UInt8) -> Element? {
        guard self.rest.first == tag else { return nil }
        return self.next()
    }
}
