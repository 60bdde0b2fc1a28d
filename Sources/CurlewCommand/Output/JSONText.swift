#if Tools
/// A JSON value. Strings are bytes, because a peer may send invalid UTF-8. The members of an object keep their order
/// and may have the same name.
indirect enum JSONText: Equatable, Sendable {
    case null
    case boolean(Bool)
    case number(Double)
    case string([UInt8])
    case array([JSONText])
    case object([Member])

    struct Member: Equatable, Sendable {
        let name: [UInt8]
        let value: JSONText
    }

    static func string(_ text: String) -> Self { .string(Array(text.utf8)) }
}

// MARK: - Writing

extension JSONText {
    /// Appends the value in the format of cJSON, which mosquitto_sub uses: on one line, or pretty-printed with tabs.
    func write(to bytes: inout [UInt8], isPretty: Bool, depth: Int = 1) {
        switch self {
        case .null: bytes += Array("null".utf8)
        case .boolean(let value): bytes += Array((value ? "true" : "false").utf8)
        case .number(let value): bytes += value.json
        case .string(let value): Self.write(value, to: &bytes)
        case .array(let values):
            bytes.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { bytes += Array((isPretty ? ", " : ",").utf8) }
                value.write(to: &bytes, isPretty: isPretty, depth: depth + 1)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            if isPretty { bytes.append(UInt8(ascii: "\n")) }
            for (index, member) in members.enumerated() {
                if isPretty { bytes += repeatElement(UInt8(ascii: "\t"), count: depth) }
                Self.write(member.name, to: &bytes)
                bytes += Array((isPretty ? ":\t" : ":").utf8)
                member.value.write(to: &bytes, isPretty: isPretty, depth: depth + 1)
                if index < members.count - 1 { bytes.append(UInt8(ascii: ",")) }
                if isPretty { bytes.append(UInt8(ascii: "\n")) }
            }
            if isPretty { bytes += repeatElement(UInt8(ascii: "\t"), count: depth - 1) }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private static func write(_ string: [UInt8], to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in string {
            switch byte {
            case UInt8(ascii: "\""): bytes += Array(#"\""#.utf8)
            case UInt8(ascii: "\\"): bytes += Array(#"\\"#.utf8)
            case 8: bytes += Array(#"\b"#.utf8)
            case 9: bytes += Array(#"\t"#.utf8)
            case 10: bytes += Array(#"\n"#.utf8)
            case 12: bytes += Array(#"\f"#.utf8)
            case 13: bytes += Array(#"\r"#.utf8)
            case ..<16: bytes += Array("\\u000\(String(byte, radix: 16))".utf8)
            case ..<32: bytes += Array("\\u00\(String(byte, radix: 16))".utf8)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

extension Double {
    /// With 15 digits if that is precise enough, otherwise with 17; `null` if it is not finite.
    fileprivate var json: [UInt8] {
        guard self.isFinite else { return Array("null".utf8) }
        let short = self.formatted(digits: 15)
        let read = Double.read(short)
        let scale = max(read.magnitude, self.magnitude)
        return (read - self).magnitude <= scale * .ulpOfOne ? short : self.formatted(digits: 17)
    }
}
#endif
