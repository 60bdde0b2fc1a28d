#if Tools
/// A place in a file.
struct FilePlace: Hashable, CustomStringConvertible {
    let file: String
    /// Counted from 1.
    let line: Int

    var description: String { "\(self.file):\(self.line)" }
}

/// An error in a file: one sentence, and the place.
struct FileProblem: Error, Hashable, CustomStringConvertible {
    let place: FilePlace
    let sentence: String

    var description: String { "\(self.place): \(self.sentence)" }
}

/// A line of a file in mosquitto.conf syntax: an option and, after a space, its value.
struct MosquittoLine: Equatable {
    let place: FilePlace
    let option: String
    let value: MosquittoValue

    /// The lines of a file, without comments and empty lines.
    static func lines(of text: String, file: String) -> [Self] {
        var text = Substring(text)
        // A byte order mark, which some editors write.
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
    /// Whether it separates words within a line.
    var isBlank: Bool { self == " " || self == "\t" }
}

extension Substring {
    /// Without spaces and tabs at both ends, and without a carriage return at the end.
    var trimmed: Substring {
        var text = self.drop(while: \.isBlank)
        while let last = text.last, last.isBlank || last == "\r" { text.removeLast() }
        return text
    }
}
#endif
