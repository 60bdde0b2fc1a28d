#if Tools
import ArgumentParser
import Curlew

/// How messages are printed: byte for byte as mosquitto's commands do, except on a terminal.
struct OutputOptions: ParsableArguments {
    @Flag(
        name: [.customShort("v"), .customLong("verbose")],
        help: "Print the topic before each message, unless -F or --output json is given.")
    var isVerbose = false

    @Flag(
        name: [.customShort("N"), .customLong("no-newline")], help: "Print no line break after each message.")
    var omitsEndOfLine = false

    @Option(
        name: [.customShort("F"), .customLong("format")], parsing: .unconditional,
        help: ArgumentHelp(
            """
            Output format, with the codes of mosquitto_sub: %t topic, %p payload, %x payload in hexadecimal, %l payload \
            length, %q QoS, %r retained, %P user properties, %j and %J JSON, %I, %U and @Y-@m-@d time, \\t tab, and so on.
            """,
            valueName: "format"),
        transform: { try MessageFormat($0) })
    var format: MessageFormat?

    @Option(
        name: .customLong("output"),
        help: ArgumentHelp("Output format; json prints one object per message.", valueName: "text|json"))
    var kind: Kind?

    @Flag(
        name: .customLong("pretty"),
        help: "Format JSON over several lines: payloads, the objects of --output json, and %j and %J of -F.")
    var isPretty = false

    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case text, json
    }

    func validate() throws {
        guard self.kind == .json else { return }
        let others = [("-F", self.format != nil), ("-N", self.omitsEndOfLine)]
        if let other = others.first(where: \.1)?.0 {
            throw ValidationError("--output json prints an object for each message; leave out \(other)")
        }
    }

    /// - Parameters:
    ///   - isPlain: Whether to omit columns and colours even on a terminal.
    ///   - subscriptionIdentifier: The subscription identifier to show.
    func writer(isPlain: Bool, subscriptionIdentifier: UInt32?) -> MessageWriter {
        let form: MessageWriter.Form =
            if self.kind == .json { .json } else if let format { .format(format) } else {
                .plain(withTopic: self.isVerbose)
            }
        var writer = MessageWriter(
            form: form, endsLines: !self.omitsEndOfLine, isPretty: self.isPretty,
            subscriptionIdentifier: subscriptionIdentifier)
        // Mosquitto's commands format only %j and %J.
        writer.formatsPayloads = self.isPretty && !isPlain
        if Descriptor.standardOutput.isTerminal {
            let hasColour =
                !isPlain && environmentVariable("NO_COLOR") == nil && environmentVariable("TERM") != "dumb"
            writer.terminal = .init(hasColour: hasColour, isAligned: !isPlain)
        }
        return writer
    }
}
#endif
