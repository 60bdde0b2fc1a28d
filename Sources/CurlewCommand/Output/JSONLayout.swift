#if Tools
/// Writes JSON over several lines without changing a value: a number keeps its digits, and an object the order of its
/// members.
enum JSONLayout {
    /// The text with line breaks and indentation, or unchanged if it is not an object or an array.
    static func formatted(_ bytes: [UInt8]) -> [UInt8] {
        let first = bytes.first { $0 > 32 }
        guard first == UInt8(ascii: "{") || first == UInt8(ascii: "["), JSONText(parsing: bytes) != nil else {
            return bytes
        }
        var writer = Writer(bytes)
        return writer.whole()
    }

    static func formatted(_ text: String) -> String {
        String(decoding: Self.formatted(Array(text.utf8)), as: UTF8.self)
    }

    private struct Writer {
        /// The rest of a valid text.
        private var rest: ArraySlice<UInt8>
        private var written: [UInt8] = []
        private var depth = 0

        init(_ bytes: [UInt8]) { self.rest = bytes[...] }

        mutating func whole() -> [UInt8] {
            while let byte = self.rest.popFirst() {
                switch byte {
                case UInt8(ascii: "\""): self.string()
                case UInt8(ascii: "{"), UInt8(ascii: "["): self.open(byte)
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    self.depth -= 1
                    self.breakLine()
                    self.written.append(byte)
                case UInt8(ascii: ","):
                    self.written.append(byte)
                    self.breakLine()
                case UInt8(ascii: ":"): self.written += [byte, UInt8(ascii: " ")]
                case ...32: break
                default: self.written.append(byte)
                }
            }
            return self.written
        }

        /// An empty object or array stays on its line.
        private mutating func open(_ byte: UInt8) {
            self.written.append(byte)
            self.rest = self.rest.drop { $0 <= 32 }
            if let end = self.rest.first, end == UInt8(ascii: "}") || end == UInt8(ascii: "]") {
                self.rest.removeFirst()
                self.written.append(end)
            } else {
                self.depth += 1
                self.breakLine()
            }
        }

        private mutating func string() {
            self.written.append(UInt8(ascii: "\""))
            while let byte = self.rest.popFirst() {
                self.written.append(byte)
                if byte == UInt8(ascii: "\"") { return }
                if byte == UInt8(ascii: "\\"), let escaped = self.rest.popFirst() { self.written.append(escaped) }
            }
        }

        /// Deep nesting, which a peer may send, is not indented further: the text would be a thousand times as large.
        private mutating func breakLine() {
            self.written.append(UInt8(ascii: "\n"))
            self.written += repeatElement(UInt8(ascii: " "), count: 2 * min(self.depth, 40))
        }
    }
}
#endif
