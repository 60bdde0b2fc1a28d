/// The identifier of a call, as a dialect writes it.
struct CallID: Sendable, Hashable, Codable {
    /// The identifier as text. Two identifiers are equal if their texts are: some devices answer with the number as a
    /// string.
    let text: String
    /// Whether it is written as a number.
    let isNumber: Bool

    init(_ text: String) {
        self.text = text
        self.isNumber = false
    }

    init(_ number: Int64) {
        self.text = String(number)
        self.isNumber = true
    }

    /// An identifier that nobody can guess; `nil` for a dialect without identifiers.
    init?(random form: MQTTDialect.Identifiers) {
        switch form {
        case .absent: return nil
        case .number(let bits): self.init(Int64.random(in: 1..<(1 << bits)))
        case .text:
            func half() -> String {
                let digits = String(UInt64.random(in: .min ... .max), radix: 16)
                return String(repeating: "0", count: 16 - digits.count) + digits
            }
            self.init(half() + half())
        }
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int64.self) {
            self.init(number)
        } else {
            self.init(try container.decode(String.self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if self.isNumber, let number = Int64(self.text) {
            try container.encode(number)
        } else {
            try container.encode(self.text)
        }
    }

    static func == (left: Self, right: Self) -> Bool { left.text == right.text }

    func hash(into hasher: inout Hasher) { hasher.combine(self.text) }
}
