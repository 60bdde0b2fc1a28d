#if Tools
    import ArgumentParser
    import Curlew
    import CurlewCore
    import Synchronization

    /// `curlew sub`
    struct SubscribeCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "sub",
            abstract: "Write the messages of topics to standard output, each followed by an end of line.",
            discussion: """
                Goes on until it is interrupted, or until -C or -W ends it. A connection that breaks is made again. A message \
                at QoS 1 or 2 is acknowledged when it has been written.
                """)

        @OptionGroup var connection: ConnectionOptions

        @Option(
            name: [.customShort("t"), .customLong("topic")], parsing: .unconditionalSingleValue,
            help: "A topic, or a filter with + and #. May be given several times.")
        var topics: [String] = []

        @Option(
            name: [.customShort("q"), .customLong("qos")],
            help: ArgumentHelp("The highest quality of service to get messages with.", valueName: "0|1|2"))
        var qos: QoS = .atMostOnce

        @Option(name: [.customShort("C"), .customLong("count")], help: "End after so many messages.")
        var count: CountArgument?

        @OptionGroup var output: OutputOptions
        @OptionGroup var will: WillOptions
        @OptionGroup var tls: TLSOptions

        func run() async throws {
            let settings = try Settings(
                self.connection, self.tls, self.will, environment: CommandEnvironment(variable: environmentVariable))
            let filters = try Topics.filters(self.topics, url: settings.topic)
            try await Conversation.run(settings, isEndless: true) { conversation in
                let messages = try await conversation.subscribe(to: filters, qos: self.qos)
                let client = conversation.client
                let output = Output(.standardOutput) { written in
                    for message in written { client.acknowledge(message) }
                } failed: {
                    Task { await conversation.disconnect(drain: .zero) }
                }
                try await Output.whileWanted { try await self.write(messages, to: output) }
                // The subscription goes last: what was not written shall stay unacknowledged, and with it at the server.
                await conversation.disconnect(drain: .zero)
                withExtendedLifetime(messages) {}
            }
        }

        private func write(_ messages: Messages, to output: Output) async throws {
            var left = self.count?.count ?? .max
            while left > 0, let message = try await messages.next() {
                try await output.append(message) { self.output.write(message, to: &$0) }
                left -= 1
            }
            try await output.finish()
        }
    }
#endif
