#if Tools
import ArgumentParser
import CurlewCore

/// The options of every client subcommand: which broker to connect to, as whom, and for how long.
struct ConnectionOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            """
            Broker URL, instead of -h, -p and -t: mqtt[s]://[user[:password]@]host[:port][/topic]; \
            ws[s]://[user[:password]@]host[:port][/path] for WebSocket (default path: /mqtt); or mqtt+unix:///path for a Unix \
            domain socket. Several are tried in order. The usage shows the meaning of the other arguments.
            """,
            valueName: "url"))
    // Topics are options by now: see ``PlainWords``.
    var words: [String] = []

    @Option(
        name: [.customShort("L"), .customLong("url")], parsing: .unconditionalSingleValue,
        help: ArgumentHelp("Broker URL, as an option; like -L of mosquitto's commands.", valueName: "url"))
    var optionURLs: [String] = []

    @Option(
        name: [.customShort("h"), .customLong("host")], parsing: .unconditionalSingleValue,
        help: "Broker host. With several -h, the next one is tried if one fails. (default: localhost)")
    var givenHosts: [String] = []

    @Option(
        name: [.customShort("p"), .customLong("port")], parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Broker port: one for all hosts, or one per host. (default: 1883, or 8883 with TLS; 8883 implies TLS)",
            valueName: "1-65535"), transform: PortArgument.read)
    var givenPorts: [PortArgument] = []

    @Option(
        name: .customLong("unix"), parsing: .unconditional,
        help: ArgumentHelp("Unix domain socket of a broker on this machine, instead of -h and -p.", valueName: "path"))
    var unixSocket: String?

    @Flag(
        name: .customLong("ws"),
        help:
            "Connect over WebSocket at the path /mqtt; for another path, give a URL with ws:// or wss://. (default port: 80, or 443 with TLS)"
    )
    var usesWebSocket = false

    @Option(
        name: .customLong("header"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            """
            HTTP header field to send when opening a WebSocket, as in --header 'Authorization: Bearer …'. May be given several \
            times. Other users of this machine can see it; use CURLEW_HEADER or the options file to hide it.
            """, valueName: "name:value"), transform: HeaderArgument.read)
    var headers: [HeaderArgument] = []

    @Option(
        name: .customLong("proxy"), parsing: .unconditional,
        help: ArgumentHelp(
            """
            Proxy URL, as in http://[user[:password]@]host[:port], socks5://… or socks5h://… (the proxy resolves host names); \
            '' connects directly. (default: HTTPS_PROXY if the broker uses TLS, or ALL_PROXY; not for hosts in NO_PROXY or on \
            this machine; default port: 1080)
            """, valueName: "url"))
    var proxy: String?

    @Option(
        name: [.customShort("V"), .customLong("protocol-version")],
        help: ArgumentHelp(
            "MQTT version. (default: 5, or 3.1.1 if the broker does not support 5)", valueName: "version"))
    var version: VersionArgument?

    @Option(
        name: [.customShort("i"), .customLong("id")], parsing: .unconditional,
        help: "Client ID; '' lets the broker choose one. (default: curlew and random characters)")
    var identifier: String?

    @Flag(
        name: [.customShort("c"), .customLong("disable-clean-session")],
        help: "Resume the session of client ID -i, and keep it after exiting.")
    var keepsSession = false

    @Option(
        name: [.customShort("x"), .customLong("session-expiry-interval")], parsing: .unconditional,
        help: ArgumentHelp(
            "Session expiry interval in seconds; -1 for never. MQTT 5 only. (default: -1 with -c, otherwise 0)",
            valueName: "seconds"), transform: ExpiryArgument.read)
    var expiry: ExpiryArgument?

    @Option(
        name: [.customShort("k"), .customLong("keepalive")], parsing: .unconditional,
        help: ArgumentHelp(
            "Keep-alive interval in seconds; 0 disables pings. (default: 60)", valueName: "0-65535"),
        transform: KeepAliveArgument.read)
    var keepAlive: KeepAliveArgument?

    @Option(
        name: [.customShort("u"), .customLong("username")], parsing: .unconditional,
        help: "User name. Also read from CURLEW_USERNAME.")
    var username: String?

    @Option(
        name: [.customShort("P"), .customLong("pw"), .customLong("password")], parsing: .unconditional,
        help: "Password. Other users of this machine can see it; use CURLEW_PASSWORD or --password-file to hide it.")
    var password: String?

    @Option(
        name: [.customShort("W"), .customLong("timeout")], parsing: .unconditional,
        help: ArgumentHelp(
            "Time limit for the whole command, or for each call of 'curlew call'. When it expires, the exit code is 27.",
            valueName: "seconds"),
        transform: SecondsArgument.read)
    var timeLimit: SecondsArgument?

    @Flag(
        name: [.customShort("d"), .customLong("debug")], help: "Print sent and received packets to standard error.")
    var isTracing = false

    @Option(
        name: .customLong("password-file"), parsing: .unconditional,
        help: "File that contains the password.")
    var passwordFile: String?

    @Option(
        name: [.customShort("I"), .customLong("id-prefix")], parsing: .unconditional,
        help: "Client ID prefix; the process ID is appended.")
    var identifierPrefix: String?

    @Option(
        name: [.customShort("A"), .customLong("bind-address")], parsing: .unconditional,
        help: "Local address to connect from.")
    var localAddress: String?

    @Option(
        name: [.customShort("M"), .customLong("max-inflight")], parsing: .unconditional,
        help: ArgumentHelp(
            """
            Maximum number of unacknowledged messages at QoS 1 and 2. (default: 65535 received; sent, what the broker \
            allows, at most 1000, or 20 before MQTT 5)
            """,
            valueName: "count"), transform: CountArgument.read)
    var inFlight: CountArgument?

    @Option(
        name: [.customShort("D"), .customLong("property")], parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            """
            MQTT 5 property, as in -D publish content-type text or -D connect user-property name value. May be given \
            several times.
            """,
            valueName: "packet property value"))
    var properties: [PropertyArgument] = []

    @Option(
        name: [.customShort("o"), .customLong("options-file")], parsing: .unconditional,
        help: "Options file to read instead of the default one.")
    var optionsFile: String?

    @Flag(name: .customLong("quiet"), help: "Print nothing to standard error; errors show only in the exit code.")
    var isQuiet = false

    @Flag(name: .customLong("nodelay"), help: "Send small packets immediately (TCP_NODELAY). Always on.")
    var sendsAtOnce = false

    /// Whether the command was called by the name of a mosquitto command and must behave like that command.
    @Flag(name: .customLong("as-mosquitto"), help: .private)
    var isMosquitto = false

    @OptionGroup var refused: RefusedOptions

    /// The URLs of the brokers, in order. Mosquitto's commands take the last one only.
    var urls: [String] {
        let all = self.optionURLs + self.words
        return self.isMosquitto ? Array(all.suffix(1)) : all
    }

    /// The hosts of the brokers, in order, without the brackets of an IPv6 address.
    var hosts: [String] {
        let all = self.givenHosts.map { HostSyntax.bare($0) }
        return self.isMosquitto ? Array(all.suffix(1)) : all
    }

    /// The given ports: none, one for all hosts, or one per host.
    var ports: [Int] {
        let all = self.givenPorts.map(\.port)
        return self.isMosquitto ? Array(all.suffix(1)) : all
    }

    func validate() throws {
        try self.validateServers()
        if !self.isMosquitto, let version = self.version?.version, version < .v5_0, self.expiry != nil {
            throw ValidationError("-x needs MQTT 5, but -V asks for \(version); leave one of them out")
        }
        if !self.isMosquitto, let version = self.version?.version, version < .v5_0, !self.properties.isEmpty {
            throw ValidationError("-D needs MQTT 5, but -V asks for \(version); leave one of them out")
        }
        if self.identifier != nil, self.identifierPrefix != nil {
            throw ValidationError("-i and -I both set the client ID; give one of them")
        }
        if self.password != nil, self.passwordFile != nil {
            throw ValidationError("-P and --password-file both set the password; give one of them")
        }
    }

    private func validateServers() throws {
        if self.isMosquitto, let word = self.words.first(where: { !$0.isURL }) {
            throw ValidationError("Unknown option '\(word)'")
        }
        if let host = self.hosts.first, !self.urls.isEmpty {
            throw ValidationError("The URL and -h \(host) both name a broker; give one of them")
        }
        for host in self.hosts { try HostSyntax.check(host) }
        if let unixSocket {
            if !self.urls.isEmpty || !self.hosts.isEmpty {
                throw ValidationError(
                    "--unix \(unixSocket) and \(self.urls.isEmpty ? "-h" : "the URL") both name a broker; give one of them"
                )
            }
            if !self.ports.isEmpty { throw ValidationError("A Unix domain socket has no port; leave out -p or --unix") }
            if self.usesWebSocket {
                throw ValidationError("--ws and --unix contradict each other; give one of them")
            }
            if unixSocket.isEmpty { throw ValidationError("--unix needs the path of a socket") }
        }
        if self.usesWebSocket, let url = self.urls.map({ $0.lowercased() }).first(where: { !$0.hasPrefix("ws") }) {
            if url.hasPrefix("mqtt+unix:") {
                throw ValidationError(
                    "--ws and the Unix domain socket of the URL contradict each other; leave out --ws")
            }
            let scheme = url.hasPrefix("mqtts") ? "wss" : "ws"
            throw ValidationError("--ws and the URL contradict each other; write \(scheme):// in the URL")
        }
        if self.ports.count > 1, self.ports.count != self.hosts.count {
            throw ValidationError(
                "There are \(self.ports.count) ports for \(self.hosts.count) hosts; give one -p for all hosts, or one per -h"
            )
        }
    }
}
#endif
