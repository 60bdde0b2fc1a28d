#if Tools
/// Where something stands in a file.
struct FilePlace: Hashable, CustomStringConvertible {
    let file: String
    /// Counted from 1.
    let line: Int

    var description: String { "\(self.file):\(self.line)" }
}

/// What is wrong in a file, in one sentence, and where.
struct FileProblem: Error, Hashable, CustomStringConvertible {
    let place: FilePlace
    let sentence: String

    var description: String { "\(self.place): \(self.sentence)" }
}

/// A line of a file in mosquitto.conf's syntax: an option, and after a space its value.
struct MosquittoLine: Equatable {
    let place: FilePlace
    let option: String
    let value: MosquittoValue

    /// The lines of a file that say something: comments and empty lines are left out.
    static func lines(of text: String, file: String) -> [Self] {
        var text = Substring(text)
        // Some editors mark UTF-8 by it.
        if text.first == "\u{FEFF}" { text.removeFirst() }
        return text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
            .enumerated()
            .compactMap { index, line in
                let line = line.trimmed
                guard !line.isEmpty, !line.hasPrefix("#") else { return nil }
                let option = line.prefix { !$0.isBlank }
                return Self(
                    place: FilePlace(file: file, line: index + 1), option: String(option),
                    value: MosquittoValue(line[option.endIndex...].trimmed))
            }
    }
}

extension Character {
    /// What separates words within a line.
    var isBlank: Bool { self == " " || self == "\t" }
}

extension Substring {
    /// Without blanks at both ends; a carriage return at the end is one, too.
    var trimmed: Substring {
        var text = self.drop(while: \.isBlank)
        while let last = text.last, last.isBlank || last == "\r" { text.removeLast() }
        return text
    }
}
#endif
