#if Tools
import CurlewCore
import CurlewTransport

/// What stands behind an option in mosquitto.conf.
struct MosquittoValue: Equatable {
    private let text: Substring

    init(_ text: Substring) { self.text = text }

    var isEmpty: Bool { self.text.isEmpty }

    /// Whether the bytes of the file are UTF-8 here.
    var isUTF8: Bool { String(self.text).keptText != nil }

    /// The words up to a comment. Mosquitto passes over whatever stands behind the last word that it needs; here only a comment may.
    var words: [Substring] {
        let words = self.text.split(whereSeparator: \.isBlank)
        return Array(words.prefix { !$0.hasPrefix("#") })
    }

    // MARK: Kinds of values

    /// All of it, spaces included.
    func wholeText() throws(Objection) -> String {
        guard !self.text.isEmpty else {
            throw Objection("it has no value; give one behind it, or remove the line.")
        }
        return String(self.text)
    }

    func word() throws(Objection) -> Substring {
        let words = self.words
        guard let word = words.first else {
            throw Objection("it has no value; give one behind it, or remove the line.")
        }
        guard words.count == 1 else {
            throw Objection("it takes one value, and \"\(words[1])\" is one too many; remove it.")
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
            throw Objection("\"\(word)\" is no number from \(range.lowerBound) to \(range.upperBound)\(unit).")
        }
        return number
    }

    /// A number, of which some mean that there is no limit.
    ///
    /// - Parameter lowest: The lowest that is taken; it and all up to 0 stand for none.
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

    /// A number and a unit: h, d, w, m or y for hours, days, weeks, months of 30 days and years of 365, as mosquitto counts.
    func period() throws(Objection) -> Duration {
        let word = try self.word()
        let hours = ["h": 1, "d": 24, "w": 7 * 24, "m": 30 * 24, "y": 365 * 24]
        guard let unit = word.last.flatMap({ hours[String($0)] }), let count = Int(word.dropLast()),
            (1...1_000_000).contains(count)
        else {
            throw Objection("\"\(word)\" is no time; give a number with h, d, w, m or y behind it, as in 14d.")
        }
        return .seconds(count * unit * 3600)
    }

    /// Cipher suites with colons between them, by names that Curlew knows.
    func cipherSuites() throws(Objection) -> [String] {
        let names = try self.word().split(separator: ":").map(String.init)
        let known = CipherSuites.names
        for name in names where !known.contains(name) {
            throw Objection(
                "\"\(name)\" is no cipher suite that can be chosen; there are \(known.joined(separator: ", ")).")
        }
        return names
    }
}
#endif
