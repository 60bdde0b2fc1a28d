#if Tools
import CurlewCore

/// An option as it was given, with its value if it has one, or anything else that the parser will judge.
struct GivenOption: Equatable {
    /// For the parser.
    var words: [String]
    /// What it is about; a URL is about the server and its port.
    var subjects: Set<KnownOption.Subject> = []
    /// The long names of the options in it.
    var names: [String] = []
    /// The option in it that the table does not know, with its dashes.
    var unknown: String?
    /// What an argument without an option stands for, if the option was put before it here.
    var role: String?

    /// The URL, if it is one and no option.
    var url: String? {
        guard self.names.isEmpty, self.unknown == nil, let word = self.words.first, word.isURL else { return nil }
        return word
    }

    /// Its value, if it is an option that has one.
    var value: String? {
        guard !self.names.isEmpty, let first = self.words.first else { return nil }
        if self.words.count > 1 { return self.words[1] }
        return first.firstIndex(of: "=").map { String(first[first.index(after: $0)...]) }
    }

    /// The option as it was written, without its value.
    var spelling: String { String(self.words.first?.prefix { $0 != "=" } ?? "") }
}

extension String {
    /// Whether an argument is an option: no option begins with a digit, and a reading may be below zero.
    fileprivate var isOption: Bool {
        guard self.utf8.first == UInt8(ascii: "-"), let second = self.utf8.dropFirst().first else { return false }
        return !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(second)
    }
}

extension GivenOption {
    /// What keeps the words of one property together on their way through the parser: no word can contain it.
    static let separator = Unicode.Scalar.neverKept

    /// Takes arguments apart, and puts together the words of `-D`, which no parser could tell from what follows them.
    static func read(_ arguments: [String], table: KnownOption.Table = .clients) -> [GivenOption] {
        var rest = arguments[...]
        var options: [GivenOption] = []
        while let word = rest.popFirst() {
            if word == "--" {
                options.append(GivenOption(words: [word] + rest))
                break
            }
            options.append(Self.option(word, &rest, table))
        }
        return options
    }

    /// The words for the parser: all but the values that may be any bytes as the text that they are.
    ///
    /// - Parameter origins: Where options come from that are not on the command line, by their long names.
    /// - Throws: Where there are other bytes than UTF-8.
    func readable(in table: KnownOption.Table, _ origins: [String: String]) throws -> [String] {
        if let name = self.names.last, KnownOption.named("--\(name)", in: table)?.takesBytes == true {
            return self.words
        }
        return try self.words.map { word in
            if let text = word.keptText { return text }
            let origin = self.names.last.flatMap { origins[$0] }.map { " (this comes from \($0))" } ?? ""
            guard self.role == nil, !self.names.isEmpty, let value else {
                throw CommandFailure("The \(self.role ?? "argument") '\(word)' is not UTF-8 text; give it in UTF-8.")
            }
            throw CommandFailure(
                "The value '\(value)' of \(self.spelling) is not UTF-8 text; give it in UTF-8\(origin).")
        }
    }

    private static func option(
        _ word: String, _ rest: inout ArraySlice<String>, _ table: KnownOption.Table
    ) -> GivenOption {
        guard word.isOption else {
            guard word.isURL else { return GivenOption(words: [word]) }
            let topic: Set<KnownOption.Subject> = word.hasTopic ? [.itself("topic")] : []
            return GivenOption(words: [word], subjects: topic.union([.server, .port]))
        }
        let name = word.prefix { $0 != "=" }
        if let known = KnownOption.named(name, in: table) {
            let hasValue = name.count < word.count
            return GivenOption(
                words: [word] + (hasValue ? [] : Self.value(of: known, &rest)), subjects: known.subjects,
                names: [known.long])
        }
        guard !word.hasPrefix("--") else { return GivenOption(words: [word], unknown: String(name)) }
        // Several short ones after one dash; the last of them may take a value.
        let letters = word.dropFirst()
        let cluster = letters.map { KnownOption.named("-\($0)", in: table) }
        var option = GivenOption(words: [word])
        option.unknown = zip(letters, cluster).first { $1 == nil }.map { "-\($0.0)" }
        for case let known? in cluster {
            option.subjects.formUnion(known.subjects)
            option.names.append(known.long)
        }
        if let last = cluster.last ?? nil, cluster.allSatisfy({ $0 != nil }) {
            option.words += Self.value(of: last, &rest)
        }
        return option
    }

    private static func value(of option: KnownOption, _ rest: inout ArraySlice<String>) -> [String] {
        switch option.value {
        case .none: return []
        case .one: return rest.popFirst().map { [$0] } ?? []
        case .property:
            let count = rest.dropFirst().first == "user-property" ? 4 : 3
            let words = rest.prefix(count)
            rest = rest.dropFirst(count)
            return words.isEmpty ? [] : [words.joined(separator: String(Character(Self.separator)))]
        }
    }
}
#endif
