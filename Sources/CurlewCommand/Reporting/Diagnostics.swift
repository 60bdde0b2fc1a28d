#if Tools
import CurlewCore
import Synchronization

/// Writes messages to standard error, each after the name of the command that writes it.
enum Diagnostics {
    /// The command as it was called.
    struct Speaker: Sendable, Equatable {
        /// The prefix of each message, for example `curlew pub`.
        var name = "curlew"
        /// The command whose `--help` lists the options; a benchmark has its own.
        var helpName = "curlew"
    }

    private struct State {
        var speaker = Speaker()
        var isQuiet = false
    }

    /// Guards who speaks and whether `--quiet` was given.
    private static let state = Mutex(State())

    static func speak(as speaker: Speaker) { self.state.withLock { $0.speaker = speaker } }

    static func beQuiet() { self.state.withLock { $0.isQuiet = true } }

    static func say(_ message: String) {
        let (name, isQuiet) = self.state.withLock { ($0.speaker.name, $0.isQuiet) }
        guard !isQuiet else { return }
        var message = message.printable
        // The message ends with a quoted sentence that has its own full stop.
        if message.hasSuffix(".."), !message.hasSuffix("...") { message.removeLast() }
        self.write("\(name): \(message)\n")
    }

    /// Says what is wrong with the arguments, on one line, and which help lists the options.
    static func say(usage message: String) {
        // The parser lists an option's possible values on lines that begin with a dash.
        var text = ""
        for line in message.split(whereSeparator: \.isNewline) {
            let words = line.drop { $0 == " " }
            let separator = text.isEmpty ? "" : words.hasPrefix("- ") && !text.hasSuffix(":") ? ", " : " "
            text += separator + (words.hasPrefix("- ") ? words.dropFirst(2) : words)
        }
        while text.hasSuffix(".") { text.removeLast() }
        let helpName = self.state.withLock { $0.speaker.helpName }
        self.say(text + (text.hasSuffix("?") ? " See" : "; see") + " '\(helpName) --help'.")
    }

    /// Writes a line of the packet trace, which may quote what the broker has sent.
    static func trace(_ line: String) {
        self.write("\(line.printable)\n")
    }

    private static func write(_ text: String) {
        // If standard error cannot be written, there is no other place to report that.
        try? Descriptor.standardError.writeAll(Array(text.utf8))
    }
}
#endif
