/// Writes DER (ITU-T X.690), and converts BER to it.
enum DER {
    /// An element with the given content, which may have several parts.
    static func element(_ tag: UInt8, _ content: [UInt8]...) -> [UInt8] {
        let content = content.flatMap { $0 }
        return Self.header(tag, content.count) + content
    }

    /// The first element of `bytes` in DER: all lengths are definite, and octet strings have one part.
    ///
    /// Some programs write PKCS#12 bundles in BER. Returns `nil` if the bytes are not BER. Octets in which other
    /// elements are wrapped stay as they are.
    static func normalized(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var rest = bytes
        return Self.next(&rest, depth: 0)
    }

    /// Deeper than any bundle; limits the recursion.
    private static let maximumDepth = 32

    private static func header(_ tag: UInt8, _ length: Int) -> [UInt8] {
        guard length >= 0x80 else { return [tag, UInt8(truncatingIfNeeded: length)] }
        let bytes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) }.drop { $0 == 0 }
        return [tag, 0x80 | UInt8(truncatingIfNeeded: bytes.count)] + bytes
    }

    private static func next(_ rest: inout ArraySlice<UInt8>, depth: Int) -> [UInt8]? {
        guard depth < Self.maximumDepth, let tag = rest.popFirst(), tag & 0x1F != 0x1F, let first = rest.popFirst()
        else { return nil }
        let isConstructed = tag & 0x20 != 0
        var content: ArraySlice<UInt8>?
        if first == 0x80 {
            guard isConstructed else { return nil }
        } else {
            var length = Int(first)
            if length & 0x80 != 0 {
                let count = length & 0x7F
                guard (1...4).contains(count), rest.count >= count else { return nil }
                length = rest.prefix(count).reduce(0) { $0 << 8 | Int($1) }
                rest = rest.dropFirst(count)
            }
            guard rest.count >= length else { return nil }
            content = rest.prefix(length)
            rest = rest.dropFirst(length)
        }
        guard isConstructed else { return Self.element(tag, Array(content ?? [])) }
        let children: [[UInt8]]?
        if var inner = content {
            children = Self.children(&inner, depth: depth, endsWithMarker: false)
        } else {
            children = Self.children(&rest, depth: depth, endsWithMarker: true)
        }
        guard let children else { return nil }
        guard tag == DERReader.Tag.octetString | 0x20 else { return Self.element(tag, children.flatMap { $0 }) }
        var octets: [UInt8] = []
        for child in children {
            var reader = DERReader(child[...])
            guard let part = reader.next(DERReader.Tag.octetString) else { return nil }
            octets += part.content
        }
        return Self.element(DERReader.Tag.octetString, octets)
    }

    private static func children(
        _ rest: inout ArraySlice<UInt8>, depth: Int, endsWithMarker: Bool
    ) -> [[UInt8]]? {
        var children: [[UInt8]] = []
        while !rest.isEmpty {
            if endsWithMarker, rest.starts(with: [0, 0]) {
                rest = rest.dropFirst(2)
                return children
            }
            guard let child = Self.next(&rest, depth: depth + 1) else { return nil }
            children.append(child)
        }
        return endsWithMarker ? nil : children
    }
}
