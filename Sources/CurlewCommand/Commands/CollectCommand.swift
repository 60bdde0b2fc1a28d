#if Tools
import ArgumentParser
import Curlew
import CurlewCore

/// `curlew collect`
struct CollectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collect", _superCommandName: CommandNames.root,
        abstract: "Wait for a number of messages, print them, and exit.",
        usage: "curlew collect [<options>] [<url>] <topic>...",
        discussion: """
            curlew collect home/door
            curlew collect 'home/+/temperature' -C 5 -W 10

            Waits 5 seconds unless -W sets another time limit. Exits with code 0 if all messages arrived, and with code 27 \
            if not; it prints those that arrived. Retained messages count, unless -R leaves them out.
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
        let wanted = self.count?.count ?? 1
        // The limit is for the messages; those that came are printed.
        let limit = settings.timeLimit ?? .seconds(5)
        settings.timeLimit = nil
        let subscriptions = filters.map { TopicSubscription($0.string, SubscriptionOptions(qos: self.qos)) }
        try await Conversation.run(settings) { [settings] conversation in
            try await conversation.connect()
            var messages: [MQTTMessage] = []
            do {
                messages = try await conversation.client.collect(
                    wanted, from: subscriptions, includingRetained: !self.omitsRetained, within: limit)
            } catch let error as MQTTError where !error.messages.isEmpty {
                // What arrived before a signal is not lost.
                messages = error.messages
            }
            var writer = self.output.writer(isPlain: false, subscriptionIdentifier: settings.subscriptionIdentifier)
            var bytes: [UInt8] = []
            for message in messages { writer.write(message, to: &bytes) }
            try await Output.toleratingBrokenPipe { try Descriptor.standardOutput.writeAll(bytes) }
            guard messages.count < wanted else { return }
            throw CommandFailure(
                "Received \(messages.count) of \(wanted.counted("message")) within \(limit); set another limit with -W.",
                exitCode: CommandFailure.timeOut)
        }
    }
}
#endif
