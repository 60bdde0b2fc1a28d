#if Tools
import ArgumentParser
import Curlew
import CurlewCore

/// `curlew sub`
struct SubscribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sub", _superCommandName: CommandNames.root,
        abstract: "Subscribe to topics and print the messages, one per line.",
        usage: "curlew sub [<options>] [<url>] <topic>...",
        discussion: """
            curlew sub 'home/#' -v
            curlew sub mqtts://me@broker.example.com/alarm -C 1 -W 60

            Runs until interrupted, until -C, -E or -W ends it, or until the reader of its output exits, as in \
            'curlew sub t | head -1'. Reconnects automatically, within about a second of the broker's return, unless the \
            broker refuses the user name or password. Messages at QoS 1 and 2 are acknowledged after they have been printed. \
            With -c, messages for topic filters of earlier runs are printed as well.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(
        name: [.customShort("t"), .customLong("topic")], parsing: .unconditionalSingleValue,
        help: "Topic, or a filter with + and #. May be given several times.")
    var topics: [String] = []

    @Option(
        name: [.customShort("q"), .customLong("qos")], parsing: .unconditional,
        help: ArgumentHelp("Maximum QoS of the messages to receive. (default: 0)", valueName: "0|1|2"),
        completion: .list(["0", "1", "2"]), transform: QoS.read)
    var qos: QoS = .atMostOnce

    @Option(
        name: [.customShort("C"), .customLong("count")], parsing: .unconditional,
        help: "Exit after this many messages.",
        transform: CountArgument.read)
    var count: CountArgument?

    @Flag(
        name: [.customShort("E"), .customLong("exit-after-subscribe")],
        help: "Exit when the broker has granted the subscriptions.")
    var endsAfterSubscribing = false

    @Option(
        name: [.customShort("U"), .customLong("unsubscribe")], parsing: .unconditionalSingleValue,
        help: "Topic filter of an earlier run to unsubscribe from, with -c and -i. May be given several times.")
    var formerTopics: [String] = []

    @OptionGroup var selection: SelectionOptions
    @OptionGroup var output: OutputOptions
    @Option(
        name: .customLong("ready-fd"), parsing: .unconditional,
        help: ArgumentHelp(
            "File descriptor to write 'ready' to when the broker has granted the subscriptions, as in --ready-fd 3 3>file.",
            valueName: "number"), transform: ReadyDescriptor.read)
    var ready: ReadyDescriptor?

    @OptionGroup var will: WillOptions
    @OptionGroup var tls: TLSOptions

    func run() async throws {
        let settings = try CommandSettings(
            self.connection, self.tls, self.will, environment: CommandEnvironment(variable: environmentVariable))
        let filters = try Topics.someFilters(settings.topics + self.topics)
        let former = try Topics.filters(self.formerTopics)
        if let both = former.first(where: filters.contains) {
            throw CommandFailure("-t and -U both name '\(both)'; remove it from one of them.")
        }
        let selection = try MessageSelection(self.selection, count: self.count?.count)
        let options = try self.selection.options(qos: self.qos, settings)
        try await Conversation.run(settings, isEndless: true) { conversation in
            let messages = try await conversation.subscribe(
                to: filters, options, claim: .everything, givingUp: former)
            conversation.tellReady(filters, self.ready)
            // Messages that a kept session has already delivered are printed; those of the subscription are not waited
            // for.
            let limit = self.endsAfterSubscribing ? messages.waitingCount : .max
            try await self.write(messages, limit, selection, conversation, settings)
            // The subscription is released last: messages that were not written stay unacknowledged, and so at the
            // broker.
            await conversation.disconnect(drain: .zero)
            withExtendedLifetime(messages) {}
        }
    }

    private func write(
        _ messages: Messages, _ limit: Int, _ selection: MessageSelection, _ conversation: Conversation,
        _ settings: CommandSettings
    ) async throws {
        let output = Output(.standardOutput, of: messages)
        var selection = selection
        var writer = self.output.writer(
            isPlain: settings.isMosquitto, subscriptionIdentifier: settings.subscriptionIdentifier)
        var removals = DeliveryWindow(conversation.client, qos: .atLeastOnce, retain: true)
        // A pipe may be slower than the broker. Removing retained messages needs acknowledgements, which must still be
        // read.
        if !self.selection.removesRetained { messages.holdReading(above: Output.heldBytes) }
        try await output.untilReaderCloses {
            await conversation.disconnect(drain: .zero)
        } _: {
            var left = limit
            while left > 0, !Task.isCancelled, !selection.isComplete, let message = try await messages.next() {
                left -= 1
                if self.endsAfterSubscribing, message.isRetained { continue }
                let verdict = selection.judge(message)
                if verdict.removes { _ = await removals.send(.init(), to: message.topic) }
                if verdict.shows {
                    try await output.append(message) { writer.write(message, to: &$0) }
                } else if !verdict.leaves {
                    messages.subscription.acknowledge(own: message)
                }
            }
            try await output.finish()
        }
        await removals.finish()
        try output.requireNothingUnwritten(beside: messages)
        if Task.isCancelled, !settings.isMosquitto, let unfinished = selection.unfinished {
            throw CommandFailure(unfinished)
        }
        let tally = removals.tally
        if tally.failed > 0 {
            throw CommandFailure(
                "\(tally.failed) of \(tally.total) retained messages were not removed"
                    + (tally.firstError.map { ": \($0.sentence)" } ?? "."))
        }
    }
}
#endif
