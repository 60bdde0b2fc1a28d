#if Tools
import ArgumentParser

/// `curlew broker`
struct BrokerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "broker",
        abstract: "Run a broker.",
        discussion: """
            Listens until it is interrupted, and writes a line for each listener as soon as clients can connect. Without any \
            option it listens on 127.0.0.1, port 1883. The log goes to standard error.

            Every option has a variable of the environment: CURLEW_BROKER_ and its long name in capitals, as in \
            CURLEW_BROKER_LISTEN=mqtt://0.0.0.0 or CURLEW_BROKER_ALLOW_ANONYMOUS=true. Files of options are for the other \
            commands; the broker has that of -c.

            SIGHUP has it read passwords and access rules anew, and open its log file anew. SIGTERM and \
            SIGINT have it say goodbye to its clients, and end with code 0.
            """,
        helpNames: .long)

    @OptionGroup var options: BrokerOptions
}
#endif
