/// Reads the subset of DER (ITU-T X.690) that certificates and keys use. Accepts any bytes as input.
struct DERReader {
    /// A value with its tag.
    struct Element: Hashable, Sendable {
        let tag: UInt8
        let content: ArraySlice<UInt8>
        /// Tag, length and content.
        let encoding: ArraySlice<UInt8>

        /// A reader for the contents of a constructed element.
        var elements: DERReader { DERReader(self.content) }
    }

    enum Tag {
        static let integer: UInt8 = 0x02
        static let bitString: UInt8 = 0x03
        static let octetString: UInt8 = 0x04
        static let objectIdentifier: UInt8 = 0x06
        static let boolean: UInt8 = 0x01
        static let utcTime: UInt8 = 0x17
        static let generalizedTime: UInt8 = 0x18
        static let sequence: UInt8 = 0x30
        static let set: UInt8 = 0x31

        /// A constructed element with a context-specific tag, such as `[3] EXPLICIT`.
        static func context(_ number: UInt8) -> UInt8 { 0xA0 | number }
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.rest = bytes }

    /// Whether there are no more bytes. A reader that is not at the end and has no next element has met bytes that are
    /// not DER.
    var isAtEnd: Bool { self.rest.isEmpty }

    /// The next element; `nil` at the end or if the bytes are not DER.
    mutating func next() -> Element? {
        let start = self.rest
        // Certificates have no tags of several bytes.
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

    /// The next element if it has this tag. Otherwise returns `nil` and skips the element.
    mutating func next(_ tag: UInt8) -> Element? {
        guard let element = self.next(), element.tag == tag else { return nil }
        return element
    }

    /// The next element if it has this tag. Otherwise returns `nil` and reads nothing.
    mutating func nextIfPresent(_ tag: UInt8) -> Element? {
        guard self.rest.first == tag else { return nil }
        return self.next()
    }
}
