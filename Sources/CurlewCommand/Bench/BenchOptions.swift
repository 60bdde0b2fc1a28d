#if Tools
import ArgumentParser
import Curlew
import CurlewCore
import NIOCore

/// The options of all benchmarks.
struct BenchOptions: ParsableArguments {
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var tls: TLSOptions

    @Option(
        name: [.customShort("q"), .customLong("qos")], parsing: .unconditional,
        help: ArgumentHelp("Quality of service. (default: 0)", valueName: "0|1|2"),
        completion: .list(["0", "1", "2"]), transform: QoS.read)
    var qos: QoS = .atMostOnce

    @Option(
        name: [.customShort("n"), .customLong("count")], parsing: .unconditional,
        help: "Stop after this many, over all clients. (default: no limit)",
        transform: CountArgument.read)
    var count: CountArgument?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Number of concurrent connections. (default: 1)", valueName: "clients"),
        transform: CountArgument.read)
    var clients: CountArgument?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Stop after this time. (default: 10; no limit with -n, or for sub)", valueName: "seconds"),
        transform: SecondsArgument.read)
    var duration: SecondsArgument?

    @Flag(
        name: .customLong("json"),
        help: """
            Print a JSON object: count seconds rate bytes p50_us p99_us max_us lost reordered cpu_us_per_message.
            """)
    var isJSON = false

    var clientCount: Int { self.clients?.count ?? 1 }

    func validate() throws {
        if self.connection.keepsSession {
            throw ValidationError("Benchmarks do not keep sessions; leave out -c")
        }
        if self.clientCount > 65_536 { throw ValidationError("--clients must be at most 65536") }
    }

    func settings() throws -> CommandSettings {
        var settings = try CommandSettings(
            self.connection, self.tls, WillOptions.parse([]),
            environment: CommandEnvironment(variable: environmentVariable))
        // A measurement across a lost connection would be meaningless; and a broker that closes the connection because
        // of a message would do so again and again.
        settings.configuration.reconnect = .disabled
        return settings
    }
}

/// The size and rate of messages.
struct LoadOptions: ParsableArguments {
    @Option(
        name: [.customShort("s"), .customLong("size")], parsing: .unconditional,
        help: ArgumentHelp("Payload size. (default: 64)", valueName: "bytes"),
        transform: SizeArgument.read)
    var size: SizeArgument?

    @Option(
        name: .customLong("window"), parsing: .unconditional,
        help: ArgumentHelp(
            "Maximum number of unacknowledged messages per client. (default: 1000 for pub, 1 for rtt)",
            valueName: "messages"),
        transform: WindowArgument.read)
    var window: WindowArgument?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Messages per second, over all clients. (default: as fast as possible)", valueName: "rate"),
        transform: RateArgument.read)
    var rate: RateArgument?

    var byteCount: Int { self.size?.count ?? 64 }
}

/// The size of a payload in bytes.
struct SizeArgument: CheckedArgument, Equatable {
    static let expectation = "a number of bytes from 0 to \(Input.maximumMessageSize)"

    let count: Int

    init?(argument: String) {
        guard let count = Int(argument), (0...Input.maximumMessageSize).contains(count) else { return nil }
        self.count = count
    }
}

/// The maximum number of unacknowledged messages; there are only 65,535 packet identifiers.
struct WindowArgument: CheckedArgument, Equatable {
    static let expectation = "a number from 1 to 65535"

    let count: Int

    init?(argument: String) {
        guard let count = Int(argument), (1...65_535).contains(count) else { return nil }
        self.count = count
    }
}

/// A number of messages per second.
struct RateArgument: CheckedArgument, Equatable {
    static let expectation = "a number from 0.001 to 1000000000"

    let perSecond: Double

    init?(argument: String) {
        guard let rate = Double(argument), rate >= 0.001, rate <= 1e9 else { return nil }
        self.perSecond = rate
    }
}
#endif
