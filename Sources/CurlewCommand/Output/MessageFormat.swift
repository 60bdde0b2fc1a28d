#if Tools
import CurlewCore

/// A format of `-F`, in the syntax of mosquitto_sub: text with `%` for fields of the message, `@` for the time in
/// strftime codes, and `\` for escapes.
struct MessageFormat: Equatable, Sendable {
    /// A part of the format.
    enum Element: Equatable, Sendable {
        /// Bytes that are copied.
        case text([UInt8])
        case field(Field, Layout)
        /// A strftime code.
        case time(UInt8)
        case nanoseconds
    }

    /// A letter after `%`.
    enum Field: Character, Sendable {
        case percent = "%"
        case topicAlias = "A"
        case contentType = "C"
        case correlationData = "D"
        case messageExpiry = "E"
        case payloadFormat = "F"
        case isoTime = "I"
        case json = "j"
        case jsonPayload = "J"
        case length = "l"
        case packetID = "m"
        case payload = "p"
        case userProperties = "P"
        case qos = "q"
        case retain = "r"
        case responseTopic = "R"
        case subscriptionIdentifier = "S"
        case topic = "t"
        case unixTime = "U"
        case lowercaseHex = "x"
        case uppercaseHex = "X"
    }

    /// The modifiers between `%` and the letter.
    struct Layout: Equatable, Sendable {
        var isLeftAligned = false
        var padsWithZeros = false
        var width = 0
        var precision: Int?
    }

    let elements: [Element]

    /// Why a text is not a format.
    struct Problem: Error, Equatable, CustomStringConvertible {
        let message: String
        var description: String { self.message }
    }

    /// - Parameter text: The argument, with its bytes kept.
    init(_ text: String) throws(Problem) {
        var reader = Reader(text.keptBytes)
        self.elements = try reader.readAll()
    }

    /// Whether the format contains `%j` or `%J`.
    var hasJSON: Bool {
        self.elements.contains { element in
            if case .field(let field, _) = element { field == .json || field == .jsonPayload } else { false }
        }
    }

    /// The maximum width of a field, so that a typing error does not fill the disk.
    fileprivate static let widest = 65_535
}

/// Parses a format. It works on bytes, as mosquitto does.
private struct Reader {
    private var rest: ArraySlice<UInt8>
    private var elements: [MessageFormat.Element] = []
    private var text: [UInt8] = []

    init(_ bytes: [UInt8]) { self.rest = bytes[...] }

    mutating func readAll() throws(MessageFormat.Problem) -> [MessageFormat.Element] {
        while let byte = self.rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"): try self.readField()
            case UInt8(ascii: "@"): try self.readTime()
            case UInt8(ascii: "\\"): try self.readEscape()
            default: self.text.append(byte)
            }
        }
        self.endText()
        return self.elements
    }

    private mutating func endText() {
        if !self.text.isEmpty { self.elements.append(.text(self.text)) }
        self.text = []
    }

    private mutating func readField() throws(MessageFormat.Problem) {
        var layout = MessageFormat.Layout()
        layout.isLeftAligned = self.take("-")
        layout.padsWithZeros = self.take("0")
        layout.width = try self.number()
        if self.take(".") { layout.precision = try self.number() }
        let code = try self.next(after: "%")
        guard let field = MessageFormat.Field(rawValue: Character(UnicodeScalar(code))) else {
            throw MessageFormat.Problem(message: "'%\(Character(UnicodeScalar(code)))' is not a code")
        }
        self.endText()
        self.elements.append(.field(field, layout))
    }

    private mutating func readTime() throws(MessageFormat.Problem) {
        let code = try self.next(after: "@")
        if code == UInt8(ascii: "@") { return self.text.append(code) }
        self.endText()
        self.elements.append(code == UInt8(ascii: "N") ? .nanoseconds : .time(code))
    }

    private mutating func readEscape() throws(MessageFormat.Problem) {
        let code = try self.next(after: "\\")
        let escapes: [UInt8: UInt8] = [
            UInt8(ascii: "\\"): UInt8(ascii: "\\"), UInt8(ascii: "0"): 0, UInt8(ascii: "a"): 7,
            UInt8(ascii: "e"): 27, UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9,
            UInt8(ascii: "v"): 11,
        ]
        guard let byte = escapes[code] else {
            throw MessageFormat.Problem(message: "'\\\(Character(UnicodeScalar(code)))' is not an escape")
        }
        self.text.append(byte)
    }

    private mutating func next(after sign: String) throws(MessageFormat.Problem) -> UInt8 {
        guard let byte = self.rest.popFirst() else {
            throw MessageFormat.Problem(message: "the code after '\(sign)' is missing")
        }
        return byte
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard self.rest.first == UInt8(ascii: character) else { return false }
        self.rest.removeFirst()
        return true
    }

    private mutating func number() throws(MessageFormat.Problem) -> Int {
        var value = 0
        while let digit = self.rest.first, (0x30...0x39).contains(digit) {
            value = value * 10 + Int(digit - 0x30)
            guard value <= MessageFormat.widest else {
                throw MessageFormat.Problem(message: "the maximum width is \(MessageFormat.widest)")
            }
            self.rest.removeFirst()
        }
        return value
    }
}
#endif
