#if Tools
import ArgumentParser
import Curlew
import CurlewCore

/// `curlew serve`
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", _superCommandName: CommandNames.root,
        abstract: "Simulate a device: answer calls with fixed values or shell commands.",
        usage: """
            curlew serve [<options>] [<url>] <device> <method>[=<answer>]...
            curlew serve [<options>] [<url>] <device> --command <method>=<command>...
            """,
        discussion: """
            curlew serve lamp-1 'Lamp.Get={"on":true}' Lamp.Set    # Lamp.Set returns its parameters
            curlew serve plug --dialect tasmota Power=ON --command 'Uptime=cut -d. -f1 /proc/uptime'

            Runs until interrupted, or until -C or -W ends it. The answer to a method is JSON; other text is sent as a string. \
            A method without an answer returns its parameters. The call of any other method gets an error. The help \
            of 'curlew call' lists the dialects.

            With --command, a shell command runs for each call. It gets the parameters as JSON on standard input, and the names \
            in $CALL_DEVICE and $CALL_METHOD; its output is the answer. If its exit code is not 0, the caller gets an error, \
            with that code if the dialect has one.

            Exit codes: 0 if interrupted, or after the calls of -C; 27 if the time limit of -W expires; 130 or 143 if a signal \
            ends it before the calls of -C; 1 for any other error.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(
        name: .customLong("device"), parsing: .unconditional,
        help: "Device to answer for, instead of the first argument.")
    var device: String?

    @Option(
        name: .customLong("answer"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Method and its answer, instead of an argument. May be given several times.", valueName: "method[=answer]"))
    var answers: [String] = []

    @Option(
        name: .customLong("command"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Method and the shell command that answers it. May be given several times.", valueName: "method=command"))
    var commands: [String] = []

    @Option(
        name: .customLong("dialect"), parsing: .unconditional,
        help: ArgumentHelp("Dialect of the calls. (default: mqtt5)", valueName: "name"),
        completion: .list(DialectArgument.names), transform: DialectArgument.read)
    var dialect = DialectArgument.usual

    @Option(
        name: [.customShort("C"), .customLong("count")], parsing: .unconditional,
        help: "Exit after this many calls, including those of unknown methods.",
        transform: CountArgument.read)
    var count: CountArgument?

    @Flag(
        name: [.customShort("v"), .customLong("verbose")],
        help: "Print each call of the given methods: the method and its parameters.")
    var isVerbose = false

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
        try settings.properties.requireNoneOfMessages()
        guard settings.topics.isEmpty else {
            throw CommandFailure("The URL contains a topic, but the dialect decides the topics; leave it out.")
        }
        guard let device = self.device else {
            throw CommandFailure("The device is missing; write it as the first argument, or give it with --device.")
        }
        try device.requireName(of: "device")
        if let objection = self.dialect.objection(to: settings.version, isNegotiated: false) {
            throw CommandFailure("No call can be answered: \(objection)")
        }
        let methods = try ServedMethod.all(answers: self.answers, commands: self.commands, self.dialect)
        let end = ServingEnd(limit: self.count?.count)
        try await Conversation.run(settings, isEndless: true) { conversation in
            try await conversation.connect()
            if let objection = self.dialect.objection(to: conversation.client.protocolVersion, isNegotiated: true) {
                throw CommandFailure("No call can be answered: \(objection)")
            }
            try await Output.toleratingBrokenPipe {
                try await self.serve(device, methods, in: conversation, until: end)
                try end.conclude(isCancelled: Task.isCancelled)
            }
        }
    }

    private func serve(
        _ device: String, _ methods: [ServedMethod], in conversation: Conversation, until end: ServingEnd
    ) async throws {
        let isVerbose = self.isVerbose
        let serving = Task {
            try await conversation.client.serve(
                device, self.dialect.dialect, onSubscribed: { conversation.tellReady($0, self.ready) },
                onEnded: { end.callEnded() },
                methods.map { method in
                    MQTTMethod(method.name) { (params: JSONValue, call: MQTTCall) async throws -> JSONValue in
                        // The caller gets its answer even if nobody reads the output.
                        if isVerbose { do throws(SystemError) { try method.say(params) } catch { end.failed(error) } }
                        return try await method.answer(params, to: call)
                    }
                })
        }
        let ending = Task {
            await end.wait()
            serving.cancel()
        }
        defer { ending.cancel() }
        try await withTaskCancellationHandler {
            try await serving.value
        } onCancel: {
            serving.cancel()
            ending.cancel()
        }
    }
}
#endif
