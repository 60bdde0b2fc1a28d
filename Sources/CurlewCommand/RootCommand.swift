#if Tools
    import ArgumentParser

    /// `curlew`, which does nothing by itself.
    struct RootCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "curlew",
            abstract: "MQTT for humans: publish, subscribe, ask and answer.",
            discussion: """
                The server is given by -h and -p, by a URL such as mqtts://broker.example.com/topic, or by the environment: \
                CURLEW_URL, or CURLEW_HOST, CURLEW_PORT, CURLEW_USERNAME, CURLEW_PASSWORD, CURLEW_CA_FILE and so on; \
                names that begin with MQTT_ will do, too. Options win over the environment.

                Exit codes: 0 for success; the reason code of the server if it refuses the connection; 27 if the time of -W \
                is over; 128 and the number of the signal if one ended a command that was not done; 1 for all else.
                """,
            version: "curlew 0.1.0",
            subcommands: [
                PublishCommand.self, SubscribeCommand.self, RequestCommand.self, RespondCommand.self,
                BenchCommand.self,
            ],
            // -h is the host, as with mosquitto's commands.
            helpNames: .long
        )
    }
#endif
