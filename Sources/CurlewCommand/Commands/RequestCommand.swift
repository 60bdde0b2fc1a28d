#if Tools
    import ArgumentParser
    import Curlew
    import CurlewCore
    import NIOCore

    /// `curlew request`
    struct RequestCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "request",
            abstract: "Send a request and write the reply to standard output.",
            discussion: """
                With MQTT 5 the request says where to reply, and the reply is known by its correlation data. Before, or where \
                the responder has a convention of its own, -e names the topic on which it replies.
                """)

        @OptionGroup var connection: ConnectionOptions

        @Option(
            name: [.customShort("t"), .customLong("topic")], parsing: .unconditionalSingleValue,
            help: "The topic that the responder listens to.")
        var topics: [String] = []

        @Option(
            name: [.customShort("e"), .customLong("response-topic")], parsing: .unconditional,
            help: "The topic of the reply. (default: one of its own)")
        var responseTopic: String?

        @OptionGroup var message: MessageOptions

        @Option(
            name: [.customShort("q"), .customLong("qos")],
            help: ArgumentHelp(
                "Quality of service. From 1 on, the server can say at once that nobody listens.", valueName: "0|1|2"))
        var qos: QoS = .atMostOnce

        @Option(name: [.customShort("C"), .customLong("count")], help: "Wait for so many replies. (default: 1)")
        var count: CountArgument?

        @OptionGroup var output: OutputOptions
        @OptionGroup var will: WillOptions
        @OptionGroup var tls: TLSOptions

        func validate() throws {
            try MessageOptions.requireOne(self.message.given, of: "-m, -f, -s, or -n for an empty one")
        }

        func run() async throws {
            let settings = try Settings(
                self.connection, self.tls, self.will, environment: CommandEnvironment(variable: environmentVariable))
            let topic = try Topics.one(self.topics, url: settings.topic)
            if let responseTopic { _ = try Topics.one([responseTopic], url: nil) }
            if let version = settings.version, version < .v5_0, self.responseTopic == nil {
                throw Failure("With MQTT \(version) a request cannot say where to reply; name the topic with -e.")
            }
            let known = self.message.isStandardInput ? nil : try await self.message.read()
            try await Conversation.run(settings) { conversation in
                let payload: ByteBuffer
                if let known { payload = known } else { payload = try await self.message.read() }
                try await conversation.connect()
                // -W bounds the whole command, and nothing bounds it without.
                let replies = try await conversation.client.replies(
                    to: payload, on: topic.string, qos: self.qos, responseTopic: self.responseTopic,
                    timeout: .seconds(SecondsArgument.longest))
                let output = Output(.standardOutput) { _ in
                } failed: {
                    Task { await conversation.disconnect(drain: .zero) }
                }
                try await Output.whileWanted { try await self.write(replies, from: topic, to: output) }
            }
        }

        private func write(_ replies: MQTTReplies, from topic: TopicName, to output: Output) async throws {
            var left = self.count?.count ?? 1
            var failure: Failure?
            for try await reply in replies {
                if let error = reply.replyError {
                    failure = Failure("The responder on '\(topic)' answered with an error: \(error)")
                } else {
                    try await output.append(reply) { self.output.write(reply, to: &$0) }
                }
                left -= 1
                if left == 0 { break }
            }
            try await output.finish()
            if let failure { throw failure }
        }
    }
#endif
