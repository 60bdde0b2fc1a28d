#if Tools
import ArgumentParser
import Curlew
import CurlewCore
import NIOCore

/// `curlew pub`
struct PublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pub", _superCommandName: CommandNames.root,
        abstract: "Publish a message, or each line of standard input as a message.",
        usage: """
            curlew pub [<options>] [<url>] <topic> <message>
            curlew pub [<options>] [<url>] <topic> (-f <file> | -s | -l | -n)
            """,
        discussion: """
            curlew pub home/lamp on -r
            curlew pub mqtts://me@broker.example.com/log -l < lines

            Exits when all messages are sent (QoS 0) or acknowledged by the broker (QoS 1 and 2). Reconnects automatically and \
            resends unacknowledged messages. Exits with code 7 if a lost connection does not come back within 30 seconds, and \
            with code 27 if the broker does not acknowledge a message within 30 seconds; with -W, only that time limit applies.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(
        name: [.customShort("t"), .customLong("topic")], parsing: .unconditionalSingleValue,
        help: "Topic to publish to.")
    var topics: [String] = []

    @OptionGroup var message: MessageOptions

    @Flag(
        name: [.customShort("l"), .customLong("stdin-line")], help: "Publish each line of standard input as a message.")
    var sendsLines = false

    @Option(
        name: [.customShort("q"), .customLong("qos")], parsing: .unconditional,
        help: ArgumentHelp("Quality of service. (default: 0)", valueName: "0|1|2"),
        completion: .list(["0", "1", "2"]), transform: QoS.read)
    var qos: QoS = .atMostOnce

    @Flag(
        name: [.customShort("r"), .customLong("retain")],
        help: "Publish as a retained message: the broker keeps it for later subscribers.")
    var retain = false

    @Option(
        name: .customLong("repeat"), parsing: .unconditional,
        help: ArgumentHelp("Publish the message this many times.", valueName: "count"),
        transform: CountArgument.read)
    var repetitions: CountArgument?

    @Option(
        name: .customLong("repeat-delay"), parsing: .unconditional,
        help: ArgumentHelp("Delay between repetitions. (default: 0)", valueName: "seconds"),
        transform: DelayArgument.read)
    var delay: DelayArgument?

    @OptionGroup var will: WillOptions
    @OptionGroup var tls: TLSOptions

    func validate() throws {
        try MessageOptions.requireOne(
            self.message.given + (self.sendsLines ? ["-l"] : []),
            of: "-m, -f, -s, -l, or -n for an empty one, or write it after the topic")
        // Mosquitto's command ignores --repeat.
        if !self.connection.isMosquitto, self.sendsLines, self.repetitions != nil {
            throw ValidationError("--repeat repeats one message and -l sends many; leave out one of them")
        }
    }

    func run() async throws {
        var settings = try CommandSettings(
            self.connection, self.tls, self.will, environment: CommandEnvironment(variable: environmentVariable))
        let topic = try Topics.one(settings.topics + self.topics, takesLast: settings.isMosquitto)
        let publication = Publication(
            topic: topic, qos: self.qos, retain: self.retain, properties: settings.properties[.publish])
        guard !self.sendsLines else {
            return try await Conversation.run(settings) { [settings] conversation in
                try await publication.publishLines(in: conversation, settings)
            }
        }
        // A file is read before connecting; standard input, which may be slow, afterwards.
        let known = self.message.isStandardInput ? nil : try await self.message.read()
        settings.allowForSlowLink(known?.readableBytes ?? 0)
        // Mosquitto's command exits when it loses its connection, except with -l.
        if settings.isMosquitto { settings.configuration.reconnect = .disabled }
        try await Conversation.run(settings) { [settings] conversation in
            let payload: ByteBuffer
            if let known { payload = known } else { payload = try await self.message.read() }
            do { try await conversation.connect() } catch  where Task.isCancelled {
                throw CommandFailure("The message was not sent; no connection was made.")
            }
            try await publication.publish(
                payload, times: self.repetitions?.count ?? 1, every: self.delay?.duration, in: conversation,
                settings)
        }
    }
}

extension CommandSettings {
    /// Extends the time limits for a large message, so that a link of 64 KiB per second is fast enough. DISCONNECT is
    /// sent after the message.
    fileprivate mutating func allowForSlowLink(_ bytes: Int) {
        self.configuration.connection.disconnectTimeout += .seconds(bytes >> 16)
        if let timeout = self.configuration.connection.acknowledgementTimeout {
            self.configuration.connection.acknowledgementTimeout = timeout + .seconds(bytes >> 16)
        }
    }
}
#endif
