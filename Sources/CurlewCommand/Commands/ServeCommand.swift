#if Tools
import ArgumentParser
import Curlew
import CurlewCore

/// `curlew serve`
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", _superCommandName: CommandNames.root,
        abstract: "Simulate a device: answer calls with fixed values or shell commands.",
        usage: "curlew serve [<options>] [<url>] <device> [<method>=<answer>]...",
        discussion: """
            curlew serve lamp-1 'Lamp.Get={"on":true}' Lamp.Set    # Lamp.Set returns its parameters
            curlew serve plug --dialect tasmota Power=ON --command 'Uptime=cut -d. -f1 /proc/uptime'

            Runs until interrupted, until -C ends it, or until -W expires. The answer to a method is JSON; other text is sent \
            as a string. A method without an answer returns its parameters. See 'curlew call --help' for the dialects.

            With --command, a shell command runs for each call. It gets the parameters as JSON on standard input, and the names \
            in $CALL_DEVICE and $CALL_METHOD; its output is the answer. If its exit code is not 0, the caller gets an error, \
            with that code if the dialect has one.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(name: .customLong("device"), parsing: .unconditional, help: "Device to answer for.")
    var device: String?

    @Option(
        name: .customLong("answer"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Method and its answer in JSON. May be given several times.", valueName: "method[=answer]"))
    var answers: [String] = []

    @Option(
        name: .customLong("command"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Method and the shell command that answers it. May be given several times.", valueName: "method=command"))
    var commands: [String] = []

    @Option(
        name: .customLong("dialect"), parsing: .unconditional,
        help: ArgumentHelp("Dialect of the calls. (default: mqtt5)", valueName: "name"),
        transform: DialectArgument.read)
    var dialect = DialectArgument.usual

    @Option(
        name: [.customShort("C"), .customLong("count")], parsing: .unconditional,
        help: "Exit after this many calls.",
        transform: CountArgument.read)
    var count: CountArgument?

    @Flag(name: [.customShort("v"), .customLong("verbose")], help: "Print method and parameters of each call.")
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
        guard let device = self.device else { throw CommandFailure("The device is missing; write it as an argument.") }
        let methods = try self.methods()
        guard !methods.isEmpty else {
            throw CommandFailure("There is no method; write it after the device, as in 'Lamp.Get={\"on\":true}'.")
        }
        let calls = CallCounter(limit: self.count?.count ?? .max)
        let isVerbose = self.isVerbose
        try await Conversation.run(settings, isEndless: true) { conversation in
            try await conversation.connect()
            let serving = Task {
                try await conversation.client.serve(
                    device, self.dialect.dialect, onSubscribed: { conversation.tellReady($0, self.ready) },
                    onEnded: { calls.ended() },
                    methods.map { method in
                        MQTTMethod(method.name) { (params: JSONValue, call: MQTTCall) async throws -> JSONValue in
                            if isVerbose { try method.say(params) }
                            return try await method.answer(params, to: call)
                        }
                    })
            }
            let counting = Task {
                await calls.waitForLast()
                serving.cancel()
            }
            defer { counting.cancel() }
            try await withTaskCancellationHandler {
                try await serving.value
            } onCancel: {
                serving.cancel()
                counting.cancel()
            }
        }
    }

    private func methods() throws -> [ServedMethod] {
        let fixed = try self.answers.map { text -> ServedMethod in
            let (name, answer) = text.splitAtEquals
            return ServedMethod(name: name, kind: try answer.map { .answer(try JSONValue(argument: $0)) } ?? .echo)
        }
        let commands = try self.commands.map { text -> ServedMethod in
            let (name, command) = text.splitAtEquals
            guard let command else {
                throw CommandFailure("'--command \(text)' has no command; write it as METHOD=COMMAND.")
            }
            return ServedMethod(name: name, kind: .command(command))
        }
        let all = fixed + commands
        for (index, method) in all.enumerated() {
            if method.name.isEmpty { throw CommandFailure("A method has no name; write it as METHOD=ANSWER.") }
            if all[..<index].contains(where: { $0.name == method.name }) {
                throw CommandFailure("The method '\(method.name)' is given twice; give it once.")
            }
        }
        return all
    }
}
#endif
