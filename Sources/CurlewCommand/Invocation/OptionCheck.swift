#if Tools
import ArgumentParser

/// Checks the names of options, before their values are parsed.
enum OptionCheck {
    /// Names of options in other programs, and their names here.
    private static let synonyms = [
        "--json": "--output json", "--user": "-u", "--login": "-u", "--pass": "-P", "--passwd": "-P",
        "--client-id": "-i", "--clientid": "-i", "--client": "-i", "--payload": "-m", "--msg": "-m", "--body": "-m",
        "--retained": "-r", "--tls": "--tls-use-os-certs", "--ssl": "--tls-use-os-certs", "--ca": "--cafile",
        "--ca-file": "--cafile", "--cacert": "--cafile", "--crl": "--crlfile", "--cert-file": "--cert",
        "--key-file": "--key",
        "--will": "--will-topic", "--wait": "-W", "--limit": "-C", "--server": "-h", "--broker": "-h",
    ]

    /// The options that every command has.
    private static let ofParser: Set = ["--help", "--help-hidden", "--version"]

    /// Throws if an option of the command line is unknown, misplaced or incomplete.
    static func check(_ options: [GivenOption], of subcommand: Subcommand) throws {
        for option in options {
            if let name = option.unknown, !Self.ofParser.contains(name) {
                throw ValidationError(Self.unknown(name, option.words[0], subcommand))
            }
            for name in option.names {
                guard let known = KnownOption.named("--\(name)", in: subcommand.table), !known.isOf(subcommand)
                else {
                    continue
                }
                let commands = Subcommand.allCases.filter(known.subcommands.contains).map {
                    "'curlew \($0.rawValue)'"
                }
                throw ValidationError(
                    "'\(option.spelling)' is not an option of this command, but of \(commands.joined(separator: ", "))")
            }
        }
        if let last = options.last, last.words == ["-h"] {
            throw ValidationError("-h needs the host of the broker")
        }
        try Self.checkMessages(options)
        try Self.checkCalls(options, subcommand)
        try Self.checkForm(options)
    }

    /// Throws if --pretty has nothing to format.
    private static func checkForm(_ options: [GivenOption]) throws {
        guard options.contains(where: { $0.names.contains("pretty") }),
            let text = options.last(where: { $0.names.last == "format" })?.value,
            let format = try? MessageFormat(text), !format.hasJSON
        else { return }
        throw ValidationError("--pretty formats %j and %J, but -F contains neither; leave out one of the two options")
    }

    /// Throws if an option gives a second message. For most other options the last one counts, as in mosquitto's
    /// commands: a script may append to given options.
    static func checkMessages(_ options: [GivenOption]) throws {
        let messages = options.filter { $0.subjects.contains(.message) }
        try Self.checkOnce(messages) { _ in "but there is only one message; give it once" }
    }

    /// Throws if an option says a second time what is called.
    private static func checkCalls(_ options: [GivenOption], _ subcommand: Subcommand) throws {
        var reasons = [
            "devices": "but there is only one file; name more devices with --device",
            "method": "but there is only one method; give it once",
            "params": "but a method gets only one value; give it once",
        ]
        if subcommand == .serve { reasons["device"] = "but there is only one device; run the command once for each" }
        try Self.checkOnce(options.filter { $0.names.last.flatMap { reasons[$0] } != nil }) { reasons[$0] ?? "" }
    }

    private static func checkOnce(_ options: [GivenOption], reason: (String) -> String) throws {
        var seen: Set<String> = []
        for option in options {
            guard let name = option.names.last, option.value != nil else { continue }
            guard seen.insert(name).inserted else {
                throw ValidationError("\(option.spelling) is given twice, \(reason(name))")
            }
        }
    }

    private static func unknown(_ name: String, _ word: String, _ subcommand: Subcommand) -> String {
        let shown = word.hasPrefix("--") ? word.prefix { $0 != "=" } : word[...]
        var message = "Unknown option '\(name)'" + (name == shown ? "" : " in '\(shown)'")
        let known = subcommand.optionNames
        let synonym = Self.synonyms[name].flatMap { meant in
            KnownOption.named(meant.prefix { $0 != " " }, in: subcommand.table)?.isOf(subcommand) == true
                ? meant : nil
        }
        if let meant = synonym
            ?? (name.hasPrefix("--") ? Spelling.nearest(to: name, among: known, beginningWith: "--") : nil)
        {
            message += "; did you mean '\(meant)'?"
        } else if !word.hasPrefix("--"), let first = word.dropFirst().first,
            let option = KnownOption.named("-\(first)", in: subcommand.table), option.value == .one
        {
            message += "; separate the value, as in '-\(first) \(word.dropFirst(2))'"
        }
        return message
    }
}

extension KnownOption {
    /// Whether a command has it.
    func isOf(_ subcommand: Subcommand) -> Bool {
        self.subcommands.contains(subcommand) || subcommand == .bench && self.subcommands == Subcommand.clients
    }
}
#endif
