#if Tools
import ArgumentParser

/// The first words of a command line: which command is called, or was probably meant.
enum CommandNames {
    /// Subcommands know it, so that they can be parsed without the root command.
    static let root = "curlew"

    /// The subcommands of `curlew`.
    static let all: [String] = {
        #if Accounts
        ["pub", "sub", "request", "respond", "collect", "call", "serve", "bench", "broker", "passwd", "demo"]
        #else
        ["pub", "sub", "request", "respond", "collect", "call", "serve", "bench", "broker", "demo"]
        #endif
    }()

    /// The subcommands of `curlew bench`.
    static let benchmarks = ["pub", "sub", "rtt", "conn"]

    /// What people call the commands elsewhere.
    private static let synonyms = [
        "publish": "pub", "send": "pub", "mosquitto_pub": "pub", "subscribe": "sub", "listen": "sub",
        "mosquitto_sub": "sub", "rr": "request", "req": "request", "ask": "request", "rpc": "call", "invoke": "call",
        "mosquitto_rr": "request", "answer": "respond", "reply": "respond", "server": "broker", "wait": "collect",
        "mosquitto": "broker", "password": "passwd", "mosquitto_passwd": "passwd", "benchmark": "bench",
    ]

    private static let rootOptions = [
        "--help", "--version", "--generate-completion-script", "--experimental-dump-help",
    ]

    /// The command that is called by these words, which begin with the program's path.
    static func speaker(of arguments: [String]) -> Diagnostics.Speaker {
        let role = Role(path: arguments.first ?? "")
        guard role == .curlew else { return .init(name: role.rawValue, helpName: role.rawValue) }
        guard arguments.count > 1, Self.all.contains(arguments[1]) else { return .init() }
        let name = "\(Self.root) \(arguments[1])"
        guard arguments[1] == "bench", arguments.count > 2, Self.benchmarks.contains(arguments[2]) else {
            return .init(name: name, helpName: name)
        }
        return .init(name: name, helpName: "\(name) \(arguments[2])")
    }

    /// The arguments for the parser if the words do not begin with a command that has options, such as a call for help;
    /// `nil` if they do.
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
            // Benchmarks are subcommands of a subcommand.
            guard first == "bench" else { return nil }
            guard words.count > 1, !words[1].hasPrefix("-") else { return Self.help(words) }
            try Self.check(words[1], among: Self.benchmarks, of: "bench ")
            return nil
        }
        // The parser's own options, which shells use for completions, begin with three dashes.
        if first.hasPrefix("---") || Self.rootOptions.contains(where: first.hasPrefix) { return words }
        throw ValidationError(
            "The command comes before the options, as in 'curlew sub \(first)'; it is one of \(Self.list(Self.all))"
        )
    }

    /// Replaces a lone `-h` by `--help`.
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
