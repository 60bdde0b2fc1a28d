#if Tools
    /// A file of options, in the manner of mosquitto's commands: on each line an option, and after a space its value. Lines that
    /// begin with `#` are comments.
    struct OptionsFile {
        let path: String
        let lines: [[String]]

        /// - Parameters:
        ///   - text: What is in the file.
        ///   - needsDashes: Whether `host example.com` is an error, where `--host example.com` is meant.
        init(path: String, text: String, needsDashes: Bool) throws {
            self.path = path
            self.lines = try text.split(whereSeparator: \.isNewline).enumerated().compactMap { number, line in
                guard !line.hasPrefix("#"), let name = line.split(separator: " ").first else { return nil }
                let dashed = name.hasPrefix("-") || needsDashes ? String(name) : "--\(name)"
                guard let known = KnownOption.named(dashed[...]) else {
                    throw Failure(
                        "The file '\(path)' has an unknown option, '\(name)', in line \(number + 1); correct or remove it."
                    )
                }
                let value = line[name.endIndex...].drop { $0 == " " }
                if value.isEmpty { return [dashed] }
                // Only a property has several words; the value of all else goes to the end of the line.
                guard known.value == .property else { return [dashed, String(value)] }
                let count = value.split(separator: " ").dropFirst().first == "user-property" ? 4 : 3
                return [dashed] + value.split(separator: " ", maxSplits: count - 1).map(String.init)
            }
        }

        /// The file that is read when none is named; `nil` where nobody is at home.
        static func usualPath(of role: Role, variable: (String) -> String?) -> String? {
            if let folder = variable("XDG_CONFIG_HOME") { return "\(folder)/\(role.rawValue)" }
            return variable("HOME").map { "\($0)/.config/\(role.rawValue)" }
        }
    }
#endif
