#if Tools
import ArgumentParser
import CurlewCore
import Synchronization

/// What goes to standard error: sentences for a person, each beginning with who says it.
enum Diagnostics {
    /// `curlew pub`, as far as the arguments tell.
    private static let name: String = {
        let arguments = processArguments
        let role = Role(path: arguments.first ?? "")
        guard role == .curlew else { return role.rawValue }
        guard arguments.count > 1, CommandNames.all.contains(arguments[1]) else { return "curlew" }
        return "curlew \(arguments[1])"
    }()

    /// Whose help has the options: that of a benchmark, for it is a command of a command.
    private static let helpName: String = {
        let arguments = processArguments
        guard Diagnostics.name == "curlew bench", arguments.count > 2,
            CommandNames.benchmarks.contains(arguments[2])
        else {
            return Diagnostics.name
        }
        return "curlew bench \(arguments[2])"
    }()

    /// Whether somebody has asked for silence.
    private static let isQuiet = Atomic(false)

    static func beQuiet() { self.isQuiet.store(true, ordering: .relaxed) }

    static func say(_ message: String) {
        guard !self.isQuiet.load(ordering: .relaxed) else { return }
        var message = message.printable
        // A sentence that ends with one of somebody else.
        if message.hasSuffix(".."), !message.hasSuffix("...") { message.removeLast() }
        self.write("\(self.name): \(message)\n")
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
        self.say(text + (text.hasSuffix("?") ? " See" : "; see") + " '\(self.helpName) --help'.")
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
