#if Tools
import ArgumentParser
import Curlew
import CurlewCore
import NIOCore

/// `curlew respond`
struct RespondCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "respond", _superCommandName: CommandNames.root,
        abstract: "Reply to requests with a message, a template, or the output of a command.",
        usage: """
            curlew respond [<options>] [<url>] <topic> <reply>
            curlew respond [<options>] [<url>] <topic>... -m <reply>
            curlew respond [<options>] [<url>] <topic>... --template <format>
            curlew respond [<options>] [<url>] <topic>... --exec <command>
            """,
        discussion: """
            curlew respond svc/ping pong
            curlew respond svc/upper --exec 'tr a-z A-Z'

            Runs until interrupted, or until -C or -W ends it. Sends the reply to the response topic of the request. If the \
            request has none, as in versions before MQTT 5, sends it to the topic of -e.

            With --exec, a shell command runs for each request, up to 16 at once. The command gets the request on standard \
            input and its topic in $REQUEST_TOPIC; its standard output, including the final line break, is the reply. If its \
            exit code is not 0, the requester gets an empty reply with the user property 'error'.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(
        name: [.customShort("t"), .customLong("topic")], parsing: .unconditionalSingleValue,
        help: "Topic of the requests, or a filter with + and #. May be given several times.")
    var topics: [String] = []

    @Option(
        name: [.customShort("e"), .customLong("response-topic")], parsing: .unconditional,
        help: "Topic for replies to requests without a response topic.")
    var responseTopic: String?

    @OptionGroup var message: MessageOptions

    @Option(
        name: .customLong("template"), parsing: .unconditional,
        help: ArgumentHelp(
            "Reply with the codes of 'curlew sub -F', filled in from the request: %p is its payload, %t its topic.",
            valueName: "format"),
        transform: { try MessageFormat($0) })
    var template: MessageFormat?

    @Option(
        name: .customLong("exec"), parsing: .unconditional,
        help: ArgumentHelp("Shell command that reads the request and writes the reply.", valueName: "command"))
    var command: String?

    @Option(
        name: [.customShort("q"), .customLong("qos")], parsing: .unconditional,
        help: ArgumentHelp("Maximum QoS of requests and replies. (default: 0)", valueName: "0|1|2"),
        completion: .list(["0", "1", "2"]), transform: QoS.read)
    var qos: QoS = .atMostOnce

    @Option(
        name: [.customShort("C"), .customLong("count")], parsing: .unconditional,
        help: "Exit after this many requests.",
        transform: CountArgument.read)
    var count: CountArgument?

    @Flag(name: [.customShort("v"), .customLong("verbose")], help: "Print topic and payload of each request.")
    var isVerbose = false

    @Option(
        name: .customLong("ready-fd"), parsing: .unconditional,
        help: ArgumentHelp(
            "File descriptor to write 'ready' to when the broker has granted the subscriptions, as in --ready-fd 3 3>file.",
            valueName: "number"), transform: ReadyDescriptor.read)
    var ready: ReadyDescriptor?

    @OptionGroup var will: WillOptions
    @OptionGroup var tls: TLSOptions

    func validate() throws {
        let others = [("--template", self.template != nil), ("--exec", self.command != nil)].filter(\.1).map(\.0)
        try MessageOptions.requireOne(
            self.message.given + others, of: "-m, -f, -s, --template, --exec, or -n for an empty one")
    }

    func run() async throws {
        let settings = try CommandSettings(
            self.connection, self.tls, self.will, environment: CommandEnvironment(variable: environmentVariable))
        let filters = try Topics.someFilters(settings.topics + self.topics)
        let responseTopic = try self.responseTopic.map { try Topics.one([$0]) }
        if let version = settings.version, version < .v5_0, self.responseTopic == nil {
            throw CommandFailure("A request in MQTT \(version) cannot contain a response topic; name one with -e.")
        }
        let answer: Responder.Answer =
            if let template { .template(template) } else if let command { .command(command) } else {
                .fixed(try await self.message.read())
            }
        var responder = Responder(
            answer: answer, responseTopic: responseTopic, properties: settings.properties[.publish])
        if self.isVerbose {
            responder.writer = MessageWriter(form: .plain(withTopic: true))
            if Descriptor.standardOutput.isTerminal {
                responder.writer?.terminal = .init(hasColour: false, isAligned: false)
            }
        }
        try await Conversation.run(settings, isEndless: true) { [responder] conversation in
            let requests = try await conversation.subscribe(to: filters, SubscriptionOptions(qos: self.qos))
            conversation.tellReady(filters, self.ready)
            try await Output.toleratingBrokenPipe {
                try await responder.answer(requests, count: self.count?.count ?? .max, conversation.client)
            }
            await conversation.disconnect()
            withExtendedLifetime(requests) {}
        }
    }
}
#endif
