#if Tools
import ArgumentParser
import Curlew
import CurlewCore
import NIOCore

/// `curlew call`
struct CallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call", _superCommandName: CommandNames.root,
        abstract: "Call a method of one or many devices and print the answers.",
        usage: """
            curlew call [<options>] [<url>] <device> <method> [<params>]
            curlew call [<options>] [<url>] --devices <file> <method> [<params>]
            """,
        discussion: """
            curlew call shellyplus1-a8 Shelly.GetStatus --dialect shelly
            curlew call plug Power ON --dialect tasmota
            curlew call --devices fleet.txt Switch.Set '{"id":0,"on":true}' --dialect shelly

            The parameters are JSON; other text is sent as a string, and - reads them from standard input. Give text with \
            --params if an option names the device or the method. For one device, prints its answer as JSON. For several, \
            prints a line for each device as it answers, and at the end a summary to standard error. A device that is named \
            twice is called once. Each call waits 5 seconds, or the time of -W.

            Dialects:
            mqtt5 (default): requests on {device}/rpc/{method}, or on TOPIC with mqtt5:TOPIC; needs MQTT 5
            jsonrpc: JSON-RPC of Mongoose OS
            shelly: Shelly devices of generation 2 and later
            thingsboard: ThingsBoard; the device is me
            thingsboard-gateway: devices behind a gateway of ThingsBoard
            zigbee2mqtt: devices of Zigbee2MQTT; zigbee2mqtt:BASE for another base topic
            zigbee2mqtt-bridge: Zigbee2MQTT itself; the device is the base topic
            tasmota: Tasmota; tasmota:FULLTOPIC for another FullTopic, as in tasmota:%prefix%/%topic%/
            azure: direct methods of Azure IoT Hub; the device may have any name

            Exit codes: 0 if all devices answered. If all failures have the same reason, 20 for an error of the device, 21 if \
            nobody has subscribed to the request (known only with MQTT 5), 22 for an answer of another form, 23 if the request \
            could not be sent, and 27 if no answer arrived in time. 1 for several reasons and for any other error.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(
        name: .customLong("device"), parsing: .unconditionalSingleValue,
        help: "Device to call, instead of the first argument. May be given several times.")
    var devices: [String] = []

    @Option(
        name: .customLong("devices"), parsing: .unconditional,
        help: ArgumentHelp(
            "File with one device per line; - reads standard input. Lines that begin with # are ignored.",
            valueName: "file"))
    var devicesFile: String?

    @Option(
        name: .customLong("method"), parsing: .unconditional, help: "Method to call, instead of the argument.")
    var method: String?

    @Option(
        name: .customLong("params"), parsing: .unconditional,
        help: ArgumentHelp(
            "Parameters in JSON or as text, instead of the argument; - reads standard input. (default: none)",
            valueName: "json"))
    var givenParams: String?

    /// Parameters that are an argument where text would be unclear; see ``CallWords``.
    @Option(name: .customLong(CallWords.uncertainParams), parsing: .unconditional, help: .private)
    var uncertainParams: String?

    @Option(
        name: .customLong("dialect"), parsing: .unconditional,
        help: ArgumentHelp("Dialect of the devices. (default: mqtt5)", valueName: "name"),
        completion: .list(DialectArgument.names), transform: DialectArgument.read)
    var dialect = DialectArgument.usual

    #if Digest
    @Option(
        name: .customLong("device-password"), parsing: .unconditional,
        help: """
            Password of Shelly devices. Other users of this machine can see it; use CURLEW_DEVICE_PASSWORD or the options file \
            to hide it.
            """)
    var devicePassword: String?
    #endif

    @Option(
        name: .customLong("at-once"), parsing: .unconditional,
        help: ArgumentHelp("Maximum number of calls at the same time. (default: 100)", valueName: "count"),
        transform: CountArgument.read)
    var width: CountArgument?

    @Option(
        name: .customLong("output"),
        help: ArgumentHelp("Output format; json prints one object per device, and no summary.", valueName: "text|json"))
    var kind: OutputOptions.Kind?

    @Flag(name: .customLong("pretty"), help: "Format JSON over several lines, with either output format.")
    var isPretty = false

    @OptionGroup var will: WillOptions
    @OptionGroup var tls: TLSOptions

    func run() async throws {
        var settings = try CommandSettings(
            self.connection, self.tls, self.will, environment: CommandEnvironment(variable: environmentVariable))
        try settings.properties.requireNoneOfMessages()
        guard settings.topics.isEmpty else {
            throw CommandFailure("The URL contains a topic, but the dialect decides the topics; leave it out.")
        }
        let method = try self.checkedMethod()
        let dialect = try self.checkedDialect(settings)
        let written = try self.params(of: method)
        let devices = try await DeviceList(self.devices, file: self.devicesFile).names
        guard self.devicesFile == nil || !devices.contains(method) else {
            throw CommandFailure(
                "'\(method)' stands where the method belongs, but is one of the devices; write the method after --devices FILE."
            )
        }
        let params = self.readsParams ? try await Self.paramsOfStandardInput() : written
        // -W limits each call.
        let limit = settings.timeLimit ?? .seconds(5)
        settings.timeLimit = nil
        try await Conversation.run(settings) { conversation in
            try await conversation.connect()
            if let objection = self.dialect.objection(to: conversation.client.protocolVersion, isNegotiated: true) {
                throw CommandFailure("No call can be sent: \(objection)", exitCode: CallOutcomeKind.notSent.exitCode)
            }
            let selected = conversation.client.devices(devices, dialect)
            let width = self.width?.count ?? 100
            let results: MQTTCallResults<JSONValue> =
                if let params {
                    try selected.call(method, params, atOnce: width, within: limit)
                } else {
                    try selected.call(method, atOnce: width, within: limit)
                }
            var report = CallReport(self.form(devices), isPretty: self.isPretty, deviceCount: devices.count)
            try await Output.toleratingBrokenPipe {
                for await result in results {
                    try Descriptor.standardOutput.writeAll(Array(report.line(for: result).utf8))
                }
            }
            if let summary = report.summary { Diagnostics.say(summary) }
            try report.conclude()
        }
    }

    private func form(_ devices: [String]) -> CallReport.Form {
        if self.kind == .json { return .json }
        return self.devices.count < 2 && self.devicesFile == nil
            ? .answer : .table(deviceWidth: devices.map(\.printable.count).max() ?? 0)
    }

    // MARK: Checks before connecting

    private func checkedMethod() throws -> String {
        guard !self.devices.isEmpty || self.devicesFile != nil else {
            throw CommandFailure(
                "The device is missing; write it before the method, or give it with --device or --devices.")
        }
        guard let method = self.method else {
            throw CommandFailure("The method is missing; write it after the device, or give it with --method.")
        }
        try method.requireName(of: "method")
        return method
    }

    private var readsParams: Bool { self.givenParams == "-" }

    /// The parameters of the command line; `nil` if there are none, or standard input has them.
    private func params(of method: String) throws -> JSONValue? {
        if let text = self.uncertainParams {
            let params = try JSONValue(argument: text)
            guard params == .string(text), !self.dialect.takesText else { return params }
            throw CommandFailure(
                "'\(text)' stands where the parameters of the method '\(method)' belong, but is not JSON; give more devices with "
                    + "--device, and text with --params.")
        }
        guard self.readsParams else {
            return try self.givenParams.map { try JSONValue(argument: $0) }
        }
        guard self.devicesFile != "-" else {
            throw CommandFailure("Devices and parameters both come from standard input; put one of them into a file.")
        }
        return nil
    }

    private static func paramsOfStandardInput() async throws -> JSONValue {
        let input = try await Input(.standardInput, name: "standard input").readToEnd()
        guard let text = String(validating: input.readableBytesView, as: UTF8.self) else {
            throw CommandFailure("The parameters from standard input are not UTF-8 text; give them in UTF-8.")
        }
        return try JSONValue(argument: text.withoutLastLineBreak)
    }

    private func checkedDialect(_ settings: CommandSettings) throws -> MQTTDialect {
        if let objection = self.dialect.objection(to: settings.version, isNegotiated: false) {
            throw CommandFailure("No call can be sent: \(objection)")
        }
        #if Digest
        if let password = self.devicePassword {
            guard self.dialect.kind == .shelly else {
                throw CommandFailure("Only devices of the dialect shelly have a password; leave out --device-password.")
            }
            return .shelly(password: MQTTPassword(bytes: ByteBuffer(bytes: password.keptBytes)))
        }
        #endif
        return self.dialect.dialect
    }
}
#endif
