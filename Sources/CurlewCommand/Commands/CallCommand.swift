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

            The parameters are JSON; other text is sent as a string. For one device, prints its answer as JSON. For several, \
            prints a line for each device as it answers, and a summary. Each call waits 5 seconds, unless -W sets another \
            time limit for each call.

            Dialects: mqtt5 (the default; requests on {device}/rpc/{method}, or mqtt5:TOPIC), jsonrpc (as in Mongoose OS), \
            shelly, thingsboard, thingsboard-gateway, zigbee2mqtt (or zigbee2mqtt:BASE), zigbee2mqtt-bridge, tasmota (or \
            tasmota:FULLTOPIC), azure.

            Exit codes: 0 if all devices answered, 20 if the device answered with an error, 21 if nobody has subscribed to the \
            request, 22 if the answer has an unexpected form, 23 if the request could not be sent, 27 if no answer arrived in time, \
            1 if several devices failed for different reasons.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(
        name: .customLong("device"), parsing: .unconditionalSingleValue,
        help: "Device to call. May be given several times.")
    var devices: [String] = []

    @Option(
        name: .customLong("devices"), parsing: .unconditional,
        help: ArgumentHelp(
            "File with one device per line; - reads standard input. Lines that begin with # are ignored.",
            valueName: "file"))
    var devicesFile: String?

    @Option(name: .customLong("method"), parsing: .unconditional, help: "Method to call.")
    var method: String?

    @Option(name: .customLong("params"), parsing: .unconditional, help: "Parameters, in JSON. (default: none)")
    var params: String?

    /// Parameters that are an argument where text would be unclear; see ``CallWords``.
    @Option(name: .customLong(CallWords.uncertainParams), parsing: .unconditional, help: .private)
    var uncertainParams: String?

    @Option(
        name: .customLong("dialect"), parsing: .unconditional,
        help: ArgumentHelp("Dialect of the devices. (default: mqtt5)", valueName: "name"),
        transform: DialectArgument.read)
    var dialect = DialectArgument.usual

    #if Digest
    @Option(
        name: .customLong("device-password"), parsing: .unconditional,
        help: "Password of Shelly devices.")
    var devicePassword: String?
    #endif

    @Option(
        name: .customLong("at-once"), parsing: .unconditional,
        help: ArgumentHelp("Maximum number of calls at the same time. (default: 100)", valueName: "number"),
        transform: WidthArgument.read)
    var width: WidthArgument?

    @Option(
        name: .customLong("output"),
        help: ArgumentHelp("Output format; json prints one object per device.", valueName: "text|json"))
    var kind: OutputOptions.Kind?

    @Flag(name: .customLong("pretty"), help: "Format JSON over several lines.")
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
        let devices = try await self.allDevices()
        guard let method = self.method else {
            throw CommandFailure("The method is missing; write it after the device.")
        }
        let dialect = try self.wholeDialect()
        let params = try (self.params ?? self.uncertainParams).map { try JSONValue(argument: $0) }
        // -W limits each call.
        let limit = settings.timeLimit ?? .seconds(5)
        settings.timeLimit = nil
        try await Conversation.run(settings) { conversation in
            try await conversation.connect()
            let selected = conversation.client.devices(devices, dialect)
            let width = self.width?.width ?? 100
            let results: MQTTCallResults<JSONValue> =
                if let params {
                    try selected.call(method, params, atOnce: width, within: limit)
                } else {
                    try selected.call(method, atOnce: width, within: limit)
                }
            var report = CallReport(self.form(devices), isPretty: self.isPretty)
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
        return devices.count == 1 && self.devicesFile == nil
            ? .answer : .table(deviceWidth: devices.map(\.printable.count).max() ?? 0)
    }

    private func allDevices() async throws -> [String] {
        var devices = self.devices
        if let file = self.devicesFile { devices += try await Self.lines(of: file) }
        guard !devices.isEmpty else {
            throw CommandFailure(
                self.devicesFile == nil
                    ? "The device is missing; write it before the method." : "--devices names no device.")
        }
        return devices
    }

    private static func lines(of file: String) async throws -> [String] {
        let bytes: [UInt8]
        if file == "-" {
            bytes = Array(try await Input(.standardInput, name: "standard input").readToEnd().readableBytesView)
        } else {
            let content: [UInt8]?
            do throws(SystemError) { content = try bytesOfFile(file) } catch {
                throw CommandFailure("The file '\(file)' of --devices cannot be read: \(error).")
            }
            guard let content else { throw CommandFailure("The file '\(file)' of --devices does not exist.") }
            bytes = content
        }
        return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
            .map { String($0).trimmingSpaces }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
    }

    private func wholeDialect() throws -> MQTTDialect {
        #if Digest
        if let password = self.devicePassword {
            guard self.dialect.isShelly else {
                throw CommandFailure("Only devices of the dialect shelly have a password; leave out --device-password.")
            }
            return .shelly(password: MQTTPassword(bytes: ByteBuffer(bytes: password.keptBytes)))
        }
        #endif
        return self.dialect.dialect
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        String(self.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
#endif
