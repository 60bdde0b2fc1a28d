#if Tools
import ArgumentParser

/// `curlew demo`
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run a broker and simulated devices in one process.",
        discussion: """
            Runs a broker on 127.0.0.1 and simulated devices, each with its own client. The devices publish their status, \
            publish readings as JSON, and answer requests. Now and then one disconnects unexpectedly: the broker publishes its \
            will, and the device reconnects. Each line of output shows time, kind of event, device and content; a summary \
            follows at the end.

            While it runs, you can join in with the commands that it prints at the beginning. It exits with code 0 after \
            --seconds or when it is interrupted. Its options cannot be set by environment variables or a file.
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
        help: ArgumentHelp("Exit after this time. (default: run until Ctrl-C)", valueName: "seconds"),
        transform: SecondsArgument.read)
    var seconds: SecondsArgument?

    func run() async throws {
        let run = DemoRun(
            devices: self.devices?.count ?? 3, port: self.port?.port ?? 0, limit: self.seconds?.duration,
            descriptor: .standardOutput)
        try await Output.toleratingBrokenPipe { try await run.run() }
    }
}

/// The number of devices. Each takes two open files, of which a process can usually have 1024.
struct FleetSizeArgument: CheckedArgument, Equatable {
    static let expectation = "a whole number from 1 to 100"

    let count: Int

    init?(argument: String) {
        guard let count = Int(argument), (1...100).contains(count) else { return nil }
        self.count = count
    }
}
#endif
