#if Tools
import ArgumentParser

/// The first words of a command line: which command it is, or which was meant.
enum CommandNames {
    /// Those of `curlew`.
    static let all = RootCommand.configuration.subcommands.compactMap { $0.configuration.commandName }
    /// Those of `curlew bench`.
    static let benchmarks = BenchCommand.configuration.subcommands.compactMap { $0.configuration.commandName }

    /// What people call the commands elsewhere.
    private static let synonyms = [
        "publish": "pub", "send": "pub", "mosquitto_pub": "pub", "subscribe": "sub", "listen": "sub",
        "mosquitto_sub": "sub", "rr": "request", "req": "request", "ask": "request", "call": "request",
        "mosquitto_rr": "request", "answer": "respond", "reply": "respond", "serve": "broker", "server": "broker",
        "mosquitto": "broker", "password": "passwd", "mosquitto_passwd": "passwd", "benchmark": "bench",
    ]

    /// What the root knows itself.
    private static let rootOptions = [
        "--help", "--version", "--generate-completion-script", "--experimental-dump-help",
    ]

    /// What the parser gets for words that do not begin with a command that has options; `nil` where they do.
    static func withoutOptions(_ words: [String]) throws -> [String]? {
        guard let first = words.first else { return words }
        if first == "-h", words.count == 1 { return ["--help"] }
        if first == "version" { return ["--version"] }
        if first == "help" {
            if words.count > 1 { try Self.check(words[1], among: Self.all) }
            if words.count > 2, words[1] == "bench" {
                try Self.check(words[2], among: Self.benchmarks, of: "bench ")
            }
            return words
        }
        guard first.hasPrefix("-") else {
            try Self.check(first, among: Self.all)
            // Benchmarks are commands of a command.
            guard first == "bench" else { return nil }
            guard words.count > 1, !words[1].hasPrefix("-") else { return Self.help(words) }
            try Self.check(words[1], among: Self.benchmarks, of: "bench ")
            return nil
        }
        // The parser's own, which a shell calls for completions, has three dashes.
        if first.hasPrefix("---") || Self.rootOptions.contains(where: first.hasPrefix) { return words }
        throw ValidationError(
            "The command comes before the options, as in 'curlew sub \(first)'; it is one of \(Self.list(Self.all))"
        )
    }

    /// The help of a command, for those who ask for it by -h and nothing else.
    static func help(_ words: [String]) -> [String] {
        words.last == "-h" ? words.dropLast() + ["--help"] : words
    }

    private static func check(_ word: String, among known: [String], of command: String = "") throws {
        guard !known.contains(word) else { return }
        let synonym = command.isEmpty ? Self.synonyms[word.lowercased()] : nil
        if let meant = synonym ?? Spelling.nearest(to: word, among: known) {
            throw ValidationError("There is no command '\(command)\(word)'; did you mean '\(command)\(meant)'?")
        }
        throw ValidationError("There is no command '\(command)\(word)'; there are \(Self.list(known))")
    }

    private static func list(_ names: [String]) -> String {
        names.dropLast().joined(separator: ", ") + " and " + (names.last ?? "")
    }
}
#endif
