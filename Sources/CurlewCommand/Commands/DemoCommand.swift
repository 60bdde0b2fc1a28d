#if Tools
import ArgumentParser

/// `curlew demo`
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run a broker and a small simulated fleet in one process.",
        discussion: """
            Runs a broker on 127.0.0.1 and simulated devices that connect to it, each with a client of its own: they say that \
            they are there, publish readings as JSON and answer questions, and now and then one vanishes without a word, so \
            that the broker publishes its will, and comes back. Each line says when, what, who and what about it; the last \
            ones sum up.

            Anybody may join in while it runs, with the commands that it writes at the beginning. It ends with the time of \
            --seconds, or when it is interrupted, and then with code 0. Neither the environment nor a file gives it options.
            """,
        helpNames: .long)

    @Option(
        name: [.customShort("p"), .customLong("port")], parsing: .unconditional,
        help: ArgumentHelp("Port of the broker. (default: 0, any free port)", valueName: "0-65535"),
        transform: ListeningPortArgument.read)
    var port: ListeningPortArgument?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Number of devices, at most 100. (default: 3)", valueName: "count"),
        transform: FleetSizeArgument.read)
    var devices: FleetSizeArgument?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Exit after this time. (default: at Ctrl-C)", valueName: "seconds"),
        transform: SecondsArgument.read)
    var seconds: SecondsArgument?

    func run() async throws {
        let run = DemoRun(
            devices: self.devices?.count ?? 3, port: self.port?.port ?? 0, limit: self.seconds?.duration,
            descriptor: .standardOutput)
        try await Output.toleratingBrokenPipe { try await run.run() }
    }
}

/// How many devices: each takes two open files, of which a process has 1024 or so.
struct FleetSizeArgument: CheckedArgument, Equatable {
    static let expectation = "a whole number from 1 to 100"

    let count: Int

    init?(argument: String) {
        guard let count = Int(argument), (1...100).contains(count) else { return nil }
        self.count = count
    }
}
#endif
