#if Tools
    import ArgumentParser
    import CurlewCore
    import Synchronization

    /// What goes to standard error: sentences for a person, each beginning with who says it.
    enum Diagnostics {
        /// `curlew pub`, as far as the arguments tell.
        private static let name: String = {
            let role = Role(path: CommandLine.arguments.first ?? "")
            guard role == .curlew else { return role.rawValue }
            let names = RootCommand.configuration.subcommands.compactMap { $0.configuration.commandName }
            guard let first = CommandLine.arguments.dropFirst().first, names.contains(first) else { return "curlew" }
            return "curlew \(first)"
        }()

        /// Whether somebody has asked for silence.
        private static let isQuiet = Atomic(false)

        static func beQuiet() { self.isQuiet.store(true, ordering: .relaxed) }

        static func say(_ message: String) {
            guard !self.isQuiet.load(ordering: .relaxed) else { return }
            self.write("\(self.name): \(message.printable)\n")
        }

        /// What is wrong with the arguments, on one line, and where to look up what is right.
        static func say(usage message: String) {
            // The parser lists what an option can be, each on a line that begins with a dash.
            var text = ""
            for line in message.split(whereSeparator: \.isNewline) {
                let words = line.drop { $0 == " " }
                let separator = text.isEmpty ? "" : words.hasPrefix("- ") && !text.hasSuffix(":") ? ", " : " "
                text += separator + (words.hasPrefix("- ") ? words.dropFirst(2) : words)
            }
            while text.hasSuffix(".") { text.removeLast() }
            self.say(text + (text.hasSuffix("?") ? " See" : "; see") + " '\(self.name) --help'.")
        }

        /// A line of the protocol log, which may quote what a server has sent.
        static func trace(_ line: String) {
            self.write("\(line.printable)\n")
        }

        private static func write(_ text: String) {
            // Where standard error cannot be written there is nobody to tell.
            try? Descriptor.standardError.writeAll(Array(text.utf8))
        }
    }
#endif
