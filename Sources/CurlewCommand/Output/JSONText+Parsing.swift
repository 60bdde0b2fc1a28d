#if Tools
extension JSONText {
    /// Parses a text that is one JSON value, as leniently as cJSON, which mosquitto_sub uses for `%J`; `nil` for any
    /// other text.
    init?(parsing text: [UInt8]) {
        var parser = JSONParser(text)
        guard let value = parser.whole() else { return nil }
        self = value
    }
}

/// Parses JSON from untrusted bytes, in linear time and with bounded stack depth.
private struct JSONParser {
    /// The maximum nesting depth.
    private static let deepest = 1000

    private var rest: ArraySlice<UInt8>
    private var depth = 0

    init(_ text: [UInt8]) { self.rest = text[...] }

    mutating func whole() -> JSONText? {
        // A byte order mark before UTF-8.
        if self.rest.starts(with: [0xEF, 0xBB, 0xBF]) { self.rest = self.rest.dropFirst(3) }
        guard let value = self.value() else { return nil }
        self.skipSpace()
        return self.rest.isEmpty ? value : nil
    }

    private mutating func value() -> JSONText? {
        self.skipSpace()
        switch self.rest.first {
        case UInt8(ascii: "n")?: return self.take("null") ? .null : nil
        case UInt8(ascii: "t")?: return self.take("true") ? .boolean(true) : nil
        case UInt8(ascii: "f")?: return self.take("false") ? .boolean(false) : nil
        case UInt8(ascii: "\"")?: return self.string().map { .string($0) }
        case UInt8(ascii: "[")?: return self.nested { $0.array() }
        case UInt8(ascii: "{")?: return self.nested { $0.object() }
        default: return self.number()
        }
    }

    private mutating func nested(_ read: (inout Self) -> JSONText?) -> JSONText? {
        guard self.depth < Self.deepest else { return nil }
        self.depth += 1
        defer { self.depth -= 1 }
        self.rest.removeFirst()
        return read(&self)
    }

    private mutating func array() -> JSONText? {
        self.skipSpace()
        if self.take("]") { return .array([]) }
        var values: [JSONText] = []
        repeat {
            guard let value = self.value() else { return nil }
            values.append(value)
            self.skipSpace()
        } while self.take(",")
        return self.take("]") ? .array(values) : nil
    }

    private mutating func object() -> JSONText? {
        self.skipSpace()
        if self.take("}") { return .object([]) }
        var members: [JSONText.Member] = []
        repeat {
            self.skipSpace()
            guard let name = self.string() else { return nil }
            self.skipSpace()
            guard self.take(":"), let value = self.value() else { return nil }
            members.append(.init(name: name, value: value))
            self.skipSpace()
        } while self.take(",")
        return self.take("}") ? .object(members) : nil
    }

    private mutating func number() -> JSONText? {
        guard let first = self.rest.first, first == UInt8(ascii: "-") || (0x30...0x39).contains(first) else {
            return nil
        }
        let text = self.rest.prefix(63).prefix { (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }
        guard let (value, length) = Double.readPrefix(Array(text)) else { return nil }
        self.rest = self.rest.dropFirst(length)
        return .number(value)
    }

    private mutating func string() -> [UInt8]? {
        guard self.take("\"") else { return nil }
        var bytes: [UInt8] = []
        while let byte = self.rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""):
                // C strings end at a zero byte.
                return Array(bytes.prefix { $0 != 0 })
            case UInt8(ascii: "\\"):
                guard let escaped = self.escape() else { return nil }
                bytes += escaped
            default: bytes.append(byte)
            }
        }
        return nil
    }

    private mutating func escape() -> [UInt8]? {
        switch self.rest.popFirst() {
        case UInt8(ascii: "\"")?: return [UInt8(ascii: "\"")]
        case UInt8(ascii: "\\")?: return [UInt8(ascii: "\\")]
        case UInt8(ascii: "/")?: return [UInt8(ascii: "/")]
        case UInt8(ascii: "b")?: return [8]
        case UInt8(ascii: "f")?: return [12]
        case UInt8(ascii: "n")?: return [10]
        case UInt8(ascii: "r")?: return [13]
        case UInt8(ascii: "t")?: return [9]
        case UInt8(ascii: "u")?: return self.scalar().map { Array(String(Character($0)).utf8) }
        default: return nil
        }
    }

    private mutating func scalar() -> Unicode.Scalar? {
        guard let first = self.fourDigits() else { return nil }
        guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) }
        guard self.take("\\u"), let second = self.fourDigits(), (0xDC00..<0xE000).contains(second) else {
            return nil
        }
        return Unicode.Scalar(0x10000 + (first & 0x3FF) << 10 | second & 0x3FF)
    }

    private mutating func fourDigits() -> UInt32? {
        let digits = self.rest.prefix(4)
        guard digits.count == 4, digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) else { return nil }
        self.rest = self.rest.dropFirst(4)
        return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    }

    private mutating func skipSpace() { self.rest = self.rest.drop { $0 <= 32 } }

    private mutating func take(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { expected in
            guard self.rest.starts(with: expected) else { return false }
            self.rest = self.rest.dropFirst(expected.count)
            return true
        }
    }
}
#endif
