#if Tools
    import ArgumentParser
    import Curlew
    import CurlewCore
    import NIOCore

    /// `curlew respond`
    struct RespondCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "respond",
            abstract: "Answer each request with the same reply.",
            discussion: """
                Goes on until it is interrupted, or until -C or -W ends it. The reply goes where the request says; -e names the \
                topic for requests that do not say it, as none can before MQTT 5.
                """)

        @OptionGroup var connection: ConnectionOptions

        @Option(
            name: [.customShort("t"), .customLong("topic")], parsing: .unconditionalSingleValue,
            help: "A topic to answer, or a filter with + and #. May be given several times.")
        var topics: [String] = []

        @Option(
            name: [.customShort("e"), .customLong("response-topic")], parsing: .unconditional,
            help: "The topic for replies to requests that name none.")
        var responseTopic: String?

        @OptionGroup var message: MessageOptions

        @Option(
            name: [.customShort("q"), .customLong("qos")],
            help: ArgumentHelp("The highest quality of service of requests and replies.", valueName: "0|1|2"))
        var qos: QoS = .atMostOnce

        @Option(name: [.customShort("C"), .customLong("count")], help: "End after so many requests.")
        var count: CountArgument?

        @Flag(name: [.customShort("v"), .customLong("verbose")], help: "Write topic and content of each request.")
        var isVerbose = false

        @OptionGroup var will: WillOptions
        @OptionGroup var tls: TLSOptions

        func validate() throws {
            try MessageOptions.requireOne(self.message.given, of: "-m, -f, -s, or -n for an empty one")
        }

        func run() async throws {
            let settings = try Settings(
                self.connection, self.tls, self.will, environment: CommandEnvironment(variable: environmentVariable))
            let filters = try Topics.filters(self.topics, url: settings.topic)
            if let responseTopic { _ = try Topics.one([responseTopic], url: nil) }
            if let version = settings.version, version < .v5_0, self.responseTopic == nil {
                throw Failure("With MQTT \(version) a request cannot say where to reply; name the topic with -e.")
            }
            let reply = try await self.message.read()
            try await Conversation.run(settings, isEndless: true) { conversation in
                let requests = try await conversation.subscribe(to: filters, qos: self.qos)
                try await Output.whileWanted { try await self.answer(requests, with: reply, conversation.client) }
                await conversation.disconnect()
                withExtendedLifetime(requests) {}
            }
        }

        private func answer(_ requests: Messages, with reply: ByteBuffer, _ client: MQTTClient) async throws {
            var left = self.count?.count ?? .max
            while left > 0, let request = try await requests.next() {
                left -= 1
                if self.isVerbose { try self.show(request) }
                if let topic = request.properties.responseTopic ?? self.responseTopic {
                    var properties = Properties()
                    properties.correlationData = request.properties.correlationData
                    try await client.publish(reply, to: topic, qos: request.qos, properties: properties)
                } else {
                    Diagnostics.say(
                        "A request on '\(request.topic)' does not say where to reply; -e can name the topic.")
                }
                // Answered: one that was not would come again.
                client.acknowledge(request)
            }
        }

        private func show(_ request: MQTTMessage) throws {
            var bytes: [UInt8] = []
            request.write(to: &bytes, withTopic: true, withEnd: true)
            try Descriptor.standardOutput.writeAll(bytes)
        }
    }
#endif
