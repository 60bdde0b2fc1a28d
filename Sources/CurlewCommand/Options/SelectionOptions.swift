#if Tools
import ArgumentParser
import Curlew
import CurlewCore

/// Which messages are printed.
struct SelectionOptions: ParsableArguments {
    @Option(
        name: [.customShort("T"), .customLong("filter-out")], parsing: .unconditionalSingleValue,
        help: "Topic filter whose messages are not printed. May be given several times.")
    var unwanted: [String] = []

    @Flag(
        name: [.customShort("R"), .customLong("no-retained")],
        help: "Do not print retained messages.")
    var omitsRetained = false

    @Flag(
        name: .customLong("retained-only"),
        help: "Print only retained messages; exit at the first live one.")
    var wantsRetainedOnly = false

    @Flag(
        name: .customLong("remove-retained"),
        help: "Delete each retained message that arrives, except those that -T excludes.")
    var removesRetained = false

    @Flag(
        name: .customLong("retain-as-published"),
        help: "Keep the retain flag of live messages as published. MQTT 5 only.")
    var keepsRetainFlag = false

    @Option(
        name: .customLong("retain-handling"),
        help: ArgumentHelp(
            "When the broker sends retained messages. MQTT 5 only. (default: always)", valueName: "always|new|never"))
    var retainHandling: RetainHandlingArgument?

    @Option(
        name: .customLong("random-filter"), parsing: .unconditional,
        help: ArgumentHelp("Print a random sample of this percentage of messages.", valueName: "percent"),
        transform: PercentArgument.read)
    var share: PercentArgument?

    func validate() throws {
        if self.omitsRetained, self.wantsRetainedOnly {
            throw ValidationError("-R and --retained-only exclude each other; leave out one of them")
        }
    }

    /// The options of the subscription.
    func options(qos: QoS, _ settings: CommandSettings) throws -> SubscriptionOptions {
        var options = SubscriptionOptions(qos: qos)
        let needsLatest = [
            ("--retain-as-published", self.keepsRetainFlag), ("--retain-handling", self.retainHandling != nil),
        ]
        if let version = settings.version, version < .v5_0, let option = needsLatest.first(where: \.1)?.0 {
            // Mosquitto's command ignores it.
            if settings.isMosquitto { return options }
            throw CommandFailure("\(option) needs MQTT 5, but -V asks for \(version); leave one of them out.")
        }
        options.retainAsPublished = self.keepsRetainFlag
        if let handling = self.retainHandling?.handling { options.retainHandling = handling }
        return options
    }
}
#endif
