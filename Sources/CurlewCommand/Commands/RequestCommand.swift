#if Tools
import ArgumentParser
import Curlew
import CurlewCore
import NIOCore

/// `curlew request`
struct RequestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request", _superCommandName: CommandNames.root,
        abstract: "Send a request and print the reply.",
        usage: "curlew request [<options>] [<url>] <topic> [<message>]",
        discussion: """
            curlew request svc/ping hi
            curlew request fleet/all/status -C 10 -W 5

            With MQTT 5, the request contains a response topic, and replies are recognized by their correlation data. For \
            older versions, or a responder with a fixed response topic, name that topic with -e.

            Exits with code 27 if the replies do not arrive within 5 seconds, or the time limit of -W.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(
        name: [.customShort("t"), .customLong("topic")], parsing: .unconditionalSingleValue,
        help: "Topic to send the request to.")
    var topics: [String] = []

    @Option(
        name: [.customShort("e"), .customLong("response-topic")], parsing: .unconditional,
        help: "Response topic. (default: a new one for each run)")
    var responseTopic: String?

    @OptionGroup var message: MessageOptions

    @Option(
        name: [.customShort("q"), .customLong("qos")], parsing: .unconditional,
        help: ArgumentHelp(
            "Quality of service. With 1 or 2, the broker can report that no responder has subscribed. (default: 1)",
            valueName: "0|1|2"), completion: .list(["0", "1", "2"]), transform: QoS.read)
    var givenQoS: QoS?

    @Option(
        name: [.customShort("C"), .customLong("count")], parsing: .unconditional,
        help: "Number of replies to wait for. (default: 1)",
        transform: CountArgument.read)
    var count: CountArgument?

    @Flag(
        name: [.customShort("R"), .customLong("no-retained")],
        help: "Do not take retained messages as replies. Always on.")
    var omitsRetained = false

    @OptionGroup var output: OutputOptions
    @OptionGroup var will: WillOptions
    @OptionGroup var tls: TLSOptions

    func validate() throws {
        try MessageOptions.requireOne(
            self.message.given, of: "-m, -f, -s, or -n for an empty one, or write it after the topic")
    }

    func run() async throws {
        var settings = try CommandSettings(
            self.connection, self.tls, self.will, environment: CommandEnvironment(variable: environmentVariable),
            usualVersion: .v5_0)
        // Mosquitto's command exits when it loses its connection.
        if settings.isMosquitto { settings.configuration.reconnect = .disabled }
        let topic = try Topics.one(settings.topics + self.topics, takesLast: settings.isMosquitto)
        let responseTopic = try self.responseTopic.map { try Topics.one([$0]) }
        if let version = settings.version, version < .v5_0, responseTopic == nil {
            throw CommandFailure("A request in MQTT \(version) cannot contain a response topic; name one with -e.")
        }
        var question = Question(
            topic: topic, responseTopic: responseTopic,
            qos: self.givenQoS ?? (settings.isMosquitto ? .atMostOnce : .atLeastOnce),
            properties: settings.properties[.publish],
            takesAnything: settings.isMosquitto)
        // Mosquitto's command waits without a limit.
        if !settings.isMosquitto, settings.timeLimit == nil { question.timeout = Self.usualTimeout }
        let known = self.message.isStandardInput ? nil : try await self.message.read()
        try await Conversation.run(settings) { [question, settings] conversation in
            let payload: ByteBuffer
            if let known { payload = known } else { payload = try await self.message.read() }
            let replies = try await question.ask(payload, in: conversation)
            let output = Output(.standardOutput)
            let writer = self.output.writer(
                isPlain: settings.isMosquitto, subscriptionIdentifier: settings.subscriptionIdentifier)
            // A reader that has left is noticed when a reply is written: until then, the request may still be on its
            // way.
            try await output.untilWriteFails {
                await conversation.disconnect(drain: .zero)
            } _: {
                try await self.write(replies, writer, from: topic, to: output)
            }
        }
    }

    private func write(_ replies: Replies, _ writer: MessageWriter, from topic: TopicName, to output: Output)
        async throws
    {
        var writer = writer
        let wanted = self.count?.count ?? 1
        var left = wanted
        var failure: CommandFailure?
        do {
            while left > 0, let reply = try await replies.next() {
                if let error = reply.replyError {
                    failure = CommandFailure("The responder on '\(topic)' replied with an error: \(error.asSentence)")
                } else {
                    try await output.append(reply) { writer.write(reply, to: &$0) }
                }
                left -= 1
            }
        } catch let error as MQTTError where error.code == .cancelled {
            // The replies received so far count.
        }
        try await output.finish()
        if let failure { throw failure }
        guard left > 0 else { return }
        var message = wanted == 1 ? "No reply received" : "\(wanted - left) of \(wanted) replies received"
        if !Task.isCancelled {
            message += " within \(Self.usualTimeout.components.seconds) seconds; set another time limit with -W"
        }
        throw CommandFailure(message + ".", exitCode: CommandFailure.timeOut)
    }

    /// The library's default.
    private static let usualTimeout = Duration.seconds(5)
}
#endif
