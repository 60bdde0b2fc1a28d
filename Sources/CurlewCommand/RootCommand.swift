#if Tools
import ArgumentParser

/// `curlew`, which does nothing by itself.
struct RootCommand: ParsableCommand {
    /// Subcommands know it, so that they can be parsed by themselves.
    static let name = "curlew"

    static let configuration = CommandConfiguration(
        commandName: Self.name,
        abstract: "MQTT for humans: publish, subscribe, ask and answer, and run a broker.",
        discussion: """
            The server is given by -h and -p, by a URL such as mqtts://broker.example.com/topic, or by the environment: \
            CURLEW_URL, or CURLEW_HOST, CURLEW_PORT, CURLEW_USERNAME, CURLEW_PASSWORD, CURLEW_CA_FILE and so on; \
            names that begin with MQTT_ will do, too. Every other option has a variable as well: CURLEW_ and its long \
            name in capitals, as in CURLEW_RETAIN=true or CURLEW_WILL_TOPIC; for the broker, CURLEW_BROKER_ and the name.

            Options of all but the broker can also stand in ~/.config/curlew (or $XDG_CONFIG_HOME/curlew, or the file of -o), one on each line \
            with its value after a space: 'host broker.example.com'. The command line wins over the environment, and \
            that over the file.

            Called through a link named mosquitto_pub, mosquitto_sub or mosquitto_rr, the command acts as that one. \
            'curlew --generate-completion-script bash' (or zsh, fish) writes what completes its options in a shell.

            Exit codes: 0 for success; the reason code of the broker if it refuses the connection; 7 if the connection is \
            lost for good; 27 if the time of -W is over, or the broker does not answer; 128 and the number of the signal if \
            one ended a command that was not done; 1 for all else.
            """,
        version: "curlew 0.1.0",
        subcommands: Self.clients + [BrokerCommand.self] + Self.accounts + [DemoCommand.self],
        // -h is the host, as with mosquitto's commands.
        helpNames: .long
    )

    private static let clients: [any ParsableCommand.Type] = [
        PublishCommand.self, SubscribeCommand.self, RequestCommand.self, RespondCommand.self, BenchCommand.self,
    ]

    #if Accounts
    private static let accounts: [any ParsableCommand.Type] = [PasswordCommand.self]
    #else
    private static let accounts: [any ParsableCommand.Type] = []
    #endif
}
#endif
