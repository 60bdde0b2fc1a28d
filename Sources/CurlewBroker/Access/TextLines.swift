/// The lines of a settings file, for formats with one setting per line.
struct TextLines: Sequence {
    /// A line without its end and trailing blanks.
    struct Line: Equatable {
        /// Beginning with 1.
        let number: Int
        let text: Substring.UTF8View

        static func == (left: Self, right: Self) -> Bool {
            left.number == right.number && left.text.elementsEqual(right.text)
        }
    }

    /// The name of the lines in errors, such as `The password file 'users'`.
    let name: String
    private let text: String

    init(_ text: String, name: String) {
        self.text = text
        self.name = name
    }

    func makeIterator() -> AnyIterator<Line> {
        var rest = self.text.utf8[...]
        var number = 0
        return AnyIterator {
            guard !rest.isEmpty else { return nil }
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            let line = rest[..<end]
            rest = end == rest.endIndex ? rest[end...] : rest[rest.index(after: end)...]
            number += 1
            return Line(number: number, text: line.trimmingBlanksAtEnd())
        }
    }

    /// An error about a line.
    ///
    /// - Parameter problem: What is wrong and what to do, as the rest of a sentence.
    func error(_ line: Line, _ problem: String) -> MQTTBrokerError {
        MQTTBrokerError(.invalidConfiguration, "\(self.name), line \(line.number): \(problem)")
    }
}

extension Substring.UTF8View {
    func trimmingBlanksAtEnd() -> Self {
        var rest = self
        while let last = rest.last, last.isBlank { rest.removeLast() }
        return rest
    }

    func trimmingBlanks() -> Self { self.trimmingBlanksAtEnd().drop(while: \.isBlank) }

    /// Removes the first word and the blanks around it; returns an empty word if there is none.
    mutating func takeWord() -> String {
        self = self.drop(while: \.isBlank)
        let word = self.prefix { !$0.isBlank }
        self = self.dropFirst(word.count).drop(while: \.isBlank)
        return String(Substring(word))
    }
}

extension UInt8 {
    /// Space, tabulator and the other characters of C's `isspace`.
    var isBlank: Bool { self == 0x20 || (0x09...0x0D).contains(self) }
}
