#if Tools
/// An options file, in the format of mosquitto's commands: each line contains an option and, after a space, its value.
/// Lines that begin with `#` are comments.
struct OptionsFile {
    let path: String
    let lines: [[String]]

    /// - Parameters:
    ///   - text: The content of the file.
    ///   - needsDashes: Whether options must be written with dashes, as in `--host example.com`.
    init(path: String, text: String, needsDashes: Bool) throws {
        self.path = path
        // Scalars, not characters: a value may begin with a combining mark, which would join the space before it.
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        self.lines = try lines.enumerated().compactMap { number, line in
            var line = line
            while line.last == "\r" { line.removeLast() }
            guard line.first != "#", let name = line.split(separator: " ").first else { return nil }
            let word = String(name)
            let dashed = word.hasPrefix("-") || needsDashes ? word : "--\(word)"
            guard let known = KnownOption.named(dashed[...]) else {
                throw CommandFailure(Self.unknown(word, dashed, "The file '\(path)', line \(number + 1)"))
            }
            let value = line[name.endIndex...].drop { $0 == " " }
            if value.isEmpty { return [dashed] }
            // Only a property has several words; any other value extends to the end of the line.
            guard known.value == .property else { return [dashed, String(value)] }
            let count = value.split(separator: " ").dropFirst().first.map { String($0) } == "user-property" ? 4 : 3
            return [dashed] + value.split(separator: " ", maxSplits: count - 1).map { String($0) }
        }
    }

    private static func unknown(_ word: String, _ dashed: String, _ place: String) -> String {
        let names = KnownOption.all.filter { $0.table == .clients }.map { "--\($0.long)" }
        let meant = Spelling.nearest(to: dashed, among: names, beginningWith: "--")
        return "\(place): unknown option '\(word)'; "
            + (meant.map { "did you mean '\($0.dropFirst(2))'?" } ?? "correct or remove it.")
    }

    /// The default file; `nil` if there is no home folder.
    static func usualPath(of role: Role, variable: (String) -> String?) -> String? {
        if let folder = variable("XDG_CONFIG_HOME") { return "\(folder)/\(role.rawValue)" }
        return variable("HOME").map { "\($0)/.config/\(role.rawValue)" }
    }
}
#endif
