#if Tools
import ArgumentParser

/// `curlew`: the parent of all subcommands.
struct RootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: CommandNames.root,
        abstract: "MQTT for humans: publish, subscribe, send and answer requests, call devices, and run a broker.",
        discussion: """
            Name the broker with -h and -p, with a URL such as mqtts://broker.example.com/topic, or with environment variables: \
            CURLEW_URL, or CURLEW_HOST, CURLEW_PORT, CURLEW_USERNAME, CURLEW_PASSWORD, CURLEW_CA_FILE and so on; the prefix \
            MQTT_ works, too. Every other option of these commands also has a variable: CURLEW_ and its long \
            name in capitals, as in CURLEW_RETAIN=true or CURLEW_WILL_TOPIC. Variables of 'curlew broker' begin with \
            CURLEW_BROKER_.

            Options of the commands other than bench and broker can also be set in the file ~/.config/curlew ($XDG_CONFIG_HOME/curlew if \
            that is set) or in the file of -o. Each line contains an option and, after a space, its value: \
            'host broker.example.com'. The command line overrides the environment, which overrides the file.

            Called through a link named mosquitto_pub, mosquitto_sub or mosquitto_rr, curlew behaves like that command. \
            'curlew --generate-completion-script bash' (or zsh, fish) prints a completion script for the shell.

            Exit codes: 0 for success; the broker's reason code if it refuses the connection; 7 if the connection is lost and \
            does not come back; 27 if the time limit of -W expires or the broker does not answer; 128 plus the signal number \
            if a signal ends the command early; those of 'curlew call' are in its help; 1 for any other error.
            """,
        version: "curlew 0.1.0",
        subcommands: Self.clients + [BrokerCommand.self] + Self.accounts + [DemoCommand.self],
        // -h is the host, as in mosquitto's commands.
        helpNames: .long
    )

    private static let clients: [any ParsableCommand.Type] = [
        PublishCommand.self, SubscribeCommand.self, RequestCommand.self, RespondCommand.self, CollectCommand.self,
        CallCommand.self, ServeCommand.self, BenchCommand.self,
    ]

    #if Accounts
    private static let accounts: [any ParsableCommand.Type] = [PasswordCommand.self]
    #else
    private static let accounts: [any ParsableCommand.Type] = []
    #endif
}
#endif
