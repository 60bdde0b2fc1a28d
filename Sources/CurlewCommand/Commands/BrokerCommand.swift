#if Tools
import ArgumentParser

/// `curlew broker`
struct BrokerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "broker",
        abstract: "Run a broker.",
        discussion: """
            Listens on 127.0.0.1, port 1883, unless options say otherwise. Prints a line for each listener when clients can \
            connect, and writes its log to standard error.

            Every option can be set by an environment variable: CURLEW_BROKER_ and its long name in capitals, as in \
            CURLEW_BROKER_LISTEN=mqtt://0.0.0.0 or CURLEW_BROKER_ALLOW_ANONYMOUS=true. The broker does not read the options \
            file of the other commands; it has its own configuration file (-c).

            SIGHUP reloads certificates, keys, passwords and access rules, and reopens the log file. SIGTERM and SIGINT \
            disconnect all clients and stop the broker; the exit code is 0.
            """,
        helpNames: .long)

    @OptionGroup var options: BrokerOptions
}
#endif
