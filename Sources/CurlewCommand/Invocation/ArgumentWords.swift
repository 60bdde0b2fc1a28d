#if Tools
import CurlewCore

/// An option as it was given, with its value if it has one, or any other argument.
struct GivenOption: Equatable {
    /// The words for the parser.
    var words: [String]
    /// The settings that it sets; a URL sets the broker and its port.
    var subjects: Set<KnownOption.Subject> = []
    /// The long names of the options in it; several for a cluster such as `-rn`.
    var names: [String] = []
    /// The unknown option in it, with its dashes.
    var unknown: String?
    /// The meaning of an argument without an option, such as "topic", if its option was added here.
    var role: String?

    /// The URL, if this argument is one.
    var url: String? {
        guard self.names.isEmpty, self.unknown == nil, let word = self.words.first, word.isURL else { return nil }
        return word
    }

    /// The value of the option, if it has one.
    var value: String? {
        guard !self.names.isEmpty, let first = self.words.first else { return nil }
        if self.words.count > 1 { return self.words[1] }
        return first.firstIndex(of: "=").map { String(first[first.index(after: $0)...]) }
    }

    /// The option as it was spelled, without its value.
    var spelling: String { String(self.words.first?.prefix { $0 != "=" } ?? "") }
}

extension String {
    /// Whether an argument is an option. No option begins with a digit: `-5` is a message.
    fileprivate var isOption: Bool {
        guard self.utf8.first == UInt8(ascii: "-"), let second = self.utf8.dropFirst().first else { return false }
        return !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(second)
    }
}

extension GivenOption {
    /// Joins the words of one property into a single argument for the parser. No word can contain it.
    static let separator = Unicode.Scalar.neverKept

    /// Splits arguments into options, and joins the words of `-D`, which the parser could not distinguish from those
    /// that follow.
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

    /// The words for the parser. Values that are text are converted to text; those that may contain any bytes keep
    /// them.
    ///
    /// - Parameter origins: The origins of options that are not on the command line, by their long names.
    /// - Throws: If a text is not UTF-8.
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
            var words = [word] + (hasValue ? [] : Self.value(of: known, &rest))
            // The parser would take the next word as the value.
            if word == name + "=", case .one = known.value { words = [String(name), ""] }
            return GivenOption(words: words, subjects: known.subjects, names: [known.long])
        }
        guard !word.hasPrefix("--") else { return GivenOption(words: [word], unknown: String(name)) }
        // Several short options after one dash, of which the last may take a value.
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
