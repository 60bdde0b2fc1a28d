#if Tools
    import ArgumentParser
    import Curlew
    import CurlewCore
    import NIOCore

    /// `curlew pub`
    struct PublishCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pub",
            abstract: "Publish a message, or a message for each line of standard input.",
            discussion: """
                Ends when the server has taken everything: at QoS 1 and 2, when it has acknowledged it. A connection that \
                breaks meanwhile is made again, and what was not acknowledged sent again.
                """)

        @OptionGroup var connection: ConnectionOptions

        @Option(
            name: [.customShort("t"), .customLong("topic")], parsing: .unconditionalSingleValue,
            help: "The topic to publish to.")
        var topics: [String] = []

        @OptionGroup var message: MessageOptions

        @Flag(name: [.customShort("l"), .customLong("stdin-line")], help: "Each line of standard input is a message.")
        var sendsLines = false

        @Option(
            name: [.customShort("q"), .customLong("qos")], help: ArgumentHelp("Quality of service.", valueName: "0|1|2")
        )
        var qos: QoS = .atMostOnce

        @Flag(
            name: [.customShort("r"), .customLong("retain")],
            help: "Have the server keep the message for later subscribers.")
        var retain = false

        @OptionGroup var will: WillOptions
        @OptionGroup var tls: TLSOptions

        func validate() throws {
            try MessageOptions.requireOne(
                self.message.given + (self.sendsLines ? ["-l"] : []), of: "-m, -f, -s, -l, or -n for an empty one")
        }

        func run() async throws {
            var settings = try Settings(
                self.connection, self.tls, self.will, environment: CommandEnvironment(variable: environmentVariable))
            let topic = try Topics.one(self.topics, url: settings.topic)
            guard !self.sendsLines else { return try await self.publishLines(to: topic, settings) }
            // A file is read before anybody is bothered with a connection; standard input may take its time.
            let known = self.message.isStandardInput ? nil : try await self.message.read()
            settings.allowForSlowLink(known?.readableBytes ?? 0)
            try await Conversation.run(settings) { conversation in
                let payload: ByteBuffer
                if let known { payload = known } else { payload = try await self.message.read() }
                try await conversation.connect()
                try await conversation.client.publish(payload, to: topic.string, qos: self.qos, retain: self.retain)
            }
        }

        private func publishLines(to topic: TopicName, _ settings: Settings) async throws {
            try await Conversation.run(settings) { conversation in
                try await conversation.connect()
                var lines = LineReader(Input(.standardInput, name: "standard input"))
                var window = DeliveryWindow(conversation.client, topic: topic, qos: self.qos, retain: self.retain)
                var failure: Failure?
                do {
                    while let line = try await lines.next() { await window.send(line) }
                } catch let error as Failure {
                    failure = error
                }
                await window.finish()
                if let undelivered = window.failure(isCut: Task.isCancelled) {
                    // Each has a sentence of its own to say.
                    if let message = failure?.message { Diagnostics.say(message) }
                    throw undelivered
                }
                if let failure { throw failure }
            }
        }
    }

    extension DeliveryWindow {
        /// How many lines the server has not taken, and why; `nil` when it has taken them all.
        fileprivate func failure(isCut: Bool) -> Failure? {
            guard self.failed > 0 else {
                return isCut ? Failure("All \(self.total) lines read were delivered; more may have followed.") : nil
            }
            var text = "\(self.failed) of \(self.total) lines were not delivered"
            if let error = self.firstError, error.code != .cancelled {
                var error = error
                error.delivery = nil
                text += ": \(error.sentence)"
            } else {
                text += "."
            }
            return Failure(text)
        }
    }

    extension Settings {
        /// Gives a large message the time that a slow link takes for it, after the goodbye that stands behind it: at least
        /// 64 KiB in a second.
        fileprivate mutating func allowForSlowLink(_ bytes: Int) {
            self.configuration.connection.disconnectTimeout += .seconds(bytes >> 16)
        }
    }
#endif
