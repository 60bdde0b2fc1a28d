#if Tools
import ArgumentParser
import Curlew
import CurlewCore

/// `curlew collect`
struct CollectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collect", _superCommandName: CommandNames.root,
        abstract: "Print a number of messages and exit.",
        usage: "curlew collect [<options>] [<url>] <topic>...",
        discussion: """
            curlew collect home/door
            curlew collect 'home/+/temperature' -C 5 -W 10

            Prints each message as it arrives. Retained messages count, unless -R leaves them out. Ends after 5 seconds, or the \
            time limit of -W, if fewer messages arrive. With -c, messages at QoS 1 and 2 that were not printed stay at the \
            broker for the next run.

            Exit codes: 0 if all messages arrived, or the reader of the output has exited; 27 if the time limit expired; 130 or \
            143 if a signal ended the command before; 1 for any other error.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(
        name: [.customShort("t"), .customLong("topic")], parsing: .unconditionalSingleValue,
        help: "Topic, or a filter with + and #. May be given several times.")
    var topics: [String] = []

    @Option(
        name: [.customShort("q"), .customLong("qos")], parsing: .unconditional,
        help: ArgumentHelp("Maximum QoS of the messages to receive. (default: 2)", valueName: "0|1|2"),
        completion: .list(["0", "1", "2"]), transform: QoS.read)
    var qos: QoS = .exactlyOnce

    @Option(
        name: [.customShort("C"), .customLong("count")], parsing: .unconditional,
        help: "Number of messages to wait for. (default: 1)",
        transform: CountArgument.read)
    var count: CountArgument?

    @Flag(name: [.customShort("R"), .customLong("no-retained")], help: "Leave out retained messages.")
    var omitsRetained = false

    @OptionGroup var output: OutputOptions
    @OptionGroup var will: WillOptions
    @OptionGroup var tls: TLSOptions

    func run() async throws {
        var settings = try CommandSettings(
            self.connection, self.tls, self.will, environment: CommandEnvironment(variable: environmentVariable))
        let filters = try Topics.someFilters(settings.topics + self.topics)
        settings.timeLimit = settings.timeLimit ?? Self.usualLimit
        try await Conversation.run(settings) { [settings] conversation in
            let messages = try await conversation.subscribe(to: filters, SubscriptionOptions(qos: self.qos))
            try await self.write(messages, conversation, settings)
            // The subscription is released last: messages that were not written stay unacknowledged.
            await conversation.disconnect(drain: .zero)
            withExtendedLifetime(messages) {}
        }
    }

    private static let usualLimit = Duration.seconds(5)

    private func write(_ messages: Messages, _ conversation: Conversation, _ settings: CommandSettings) async throws {
        let output = Output(.standardOutput, of: messages)
        var writer = self.output.writer(isPlain: false, subscriptionIdentifier: settings.subscriptionIdentifier)
        messages.holdReading(above: Output.heldBytes)
        let wanted = self.count?.count ?? 1
        try await output.untilReaderCloses {
            await conversation.disconnect(drain: .zero)
        } _: {
            var arrived = 0
            while arrived < wanted, !Task.isCancelled, let message = try await messages.next() {
                if self.omitsRetained, message.isRetained {
                    messages.subscription.acknowledge(own: message)
                    continue
                }
                arrived += 1
                try await output.append(message) { writer.write(message, to: &$0) }
            }
            try await output.finish()
            try output.requireNothingUnwritten(beside: messages)
            guard arrived < wanted else { return }
            let advice = conversation.isTimeOver ? "; set another limit with -W" : ""
            throw CommandFailure("\(arrived) of \(wanted.counted("message")) received\(advice).")
        }
    }
}
#endif
