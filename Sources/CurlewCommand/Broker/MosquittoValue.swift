#if Tools
import CurlewCore
import CurlewTransport

/// The value of an option in mosquitto.conf.
struct MosquittoValue: Equatable {
    private let text: Substring

    init(_ text: Substring) { self.text = text }

    var isEmpty: Bool { self.text.isEmpty }

    /// Whether the value is UTF-8.
    var isUTF8: Bool { String(self.text).keptText != nil }

    /// The words before a comment. Mosquitto ignores surplus words; here, only a comment may follow the value.
    var words: [Substring] {
        let words = self.text.split(whereSeparator: \.isBlank)
        return Array(words.prefix { !$0.hasPrefix("#") })
    }

    // MARK: Kinds of values

    /// The whole text, including spaces.
    func wholeText() throws(Objection) -> String {
        guard !self.text.isEmpty else {
            throw Objection("it has no value; give one, or remove the line.")
        }
        return String(self.text)
    }

    func word() throws(Objection) -> Substring {
        let words = self.words
        guard let word = words.first else {
            throw Objection("it has no value; give one, or remove the line.")
        }
        guard words.count == 1 else {
            throw Objection("it takes only one value; remove \"\(words[1])\".")
        }
        return word
    }

    func boolean() throws(Objection) -> Bool {
        switch try self.word() {
        case "true", "1": return true
        case "false", "0": return false
        case let word: throw Objection("\"\(word)\" is neither true nor false.")
        }
    }

    func number(in range: ClosedRange<Int>, unit: String = "") throws(Objection) -> Int {
        let word = try self.word()
        guard let number = Int(word), range.contains(number) else {
            throw Objection("\"\(word)\" is not a number from \(range.lowerBound) to \(range.upperBound)\(unit).")
        }
        return number
    }

    /// A limit; `nil` for the numbers that mean no limit.
    ///
    /// - Parameter lowest: The lowest permitted number. Numbers up to 0 mean no limit.
    func limit(lowest: Int = 0, highest: Int = .max) throws(Objection) -> Int? {
        let number = try self.number(in: lowest...highest)
        return number <= 0 ? nil : number
    }

    func oneOf<Choice>(_ choices: [(name: String, choice: Choice)]) throws(Objection) -> Choice {
        let word = try self.word()
        guard let choice = choices.first(where: { $0.name == word })?.choice else {
            throw Objection("\"\(word)\" is not one of \(choices.map(\.name).joined(separator: ", ")).")
        }
        return choice
    }

    /// A number and a unit: h, d, w, m or y for hours, days, weeks, months of 30 days and years of 365, as mosquitto
    /// counts.
    func period() throws(Objection) -> Duration {
        let word = try self.word()
        let hours = ["h": 1, "d": 24, "w": 7 * 24, "m": 30 * 24, "y": 365 * 24]
        guard let unit = word.last.flatMap({ hours[String($0)] }), let count = Int(word.dropLast()),
            (1...1_000_000).contains(count)
        else {
            throw Objection("\"\(word)\" is not a period; give a number followed by h, d, w, m or y, as in 14d.")
        }
        return .seconds(count * unit * 3600)
    }

    /// Names of cipher suites, separated by colons.
    func cipherSuites() throws(Objection) -> [String] {
        let names = CipherSuites.names(in: String(try self.word()))
        for name in names {
            if let objection = CipherSuites.objection(to: name) { throw Objection("\"\(name)\" \(objection)") }
        }
        return names
    }
}
#endif
