#if Tools
    import ArgumentParser
    import Curlew
    import CurlewCore

    /// The message that the server publishes if this command vanishes.
    struct WillOptions: ParsableArguments {
        @Option(
            name: .customLong("will-topic"), parsing: .unconditional,
            help: "The topic of the message that the server publishes if this command vanishes.")
        var topic: String?

        @Option(name: .customLong("will-payload"), parsing: .unconditional, help: "That message. (default: empty)")
        var payload: String?

        @Option(
            name: .customLong("will-qos"),
            help: ArgumentHelp("Its quality of service. (default: 0)", valueName: "0|1|2"))
        var qos: QoS?

        @Flag(name: .customLong("will-retain"), help: "Have the server keep it.")
        var retain = false

        func validate() throws {
            guard self.topic == nil else { return }
            let orphans = [
                ("--will-payload", self.payload != nil), ("--will-qos", self.qos != nil),
                ("--will-retain", self.retain),
            ]
            if let orphan = orphans.first(where: \.1)?.0 { throw ValidationError("\(orphan) needs --will-topic") }
        }

        var will: MQTTConfiguration.Will? {
            self.topic.map {
                .init(topic: $0, text: self.payload ?? "", qos: self.qos ?? .atMostOnce, retain: self.retain)
            }
        }
    }
#endif
