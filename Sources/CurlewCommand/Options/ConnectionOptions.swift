#if Tools
    import ArgumentParser
    import CurlewCore

    /// To which server, as whom, and for how long: what every subcommand asks.
    struct ConnectionOptions: ParsableArguments {
        @Argument(
            help: ArgumentHelp(
                """
                The server, and a topic if you like: mqtt[s]://[user[:password]@]host[:port][/topic]. In place of -h, -p \
                and -t.
                """,
                valueName: "server-url"))
        var positionalURL: String?

        @Option(
            name: [.customShort("L"), .customLong("url")], parsing: .unconditional,
            help: ArgumentHelp("The same, as mosquitto's commands take it.", valueName: "url"))
        var optionURL: String?

        @Option(
            name: [.customShort("h"), .customLong("host")], parsing: .unconditional,
            help: "The host of the server. (default: localhost)")
        var host: String?

        @Option(
            name: [.customShort("p"), .customLong("port")],
            help: ArgumentHelp(
                "The port of the server. (default: 1883, or 8883 with TLS; 8883 asks for TLS)", valueName: "1-65535"))
        var port: PortArgument?

        @Option(
            name: [.customShort("V"), .customLong("protocol-version")],
            help: ArgumentHelp(
                "The version of MQTT. (default: 5, or 3.1.1 if the server wants it)", valueName: "version"))
        var version: VersionArgument?

        @Option(
            name: [.customShort("i"), .customLong("id")], parsing: .unconditional,
            help: "The client identifier; '' lets the server choose. (default: curlew and random characters)")
        var identifier: String?

        @Flag(
            name: [.customShort("c"), .customLong("disable-clean-session")],
            help: "Go on with the session of -i that the server has, and leave it there at the end.")
        var keepsSession = false

        @Option(
            name: [.customShort("x"), .customLong("session-expiry-interval")], parsing: .unconditional,
            help: ArgumentHelp(
                "How long the server keeps the session after the end, -1 for ever; MQTT 5. (default: -1 with -c, else 0)",
                valueName: "seconds"))
        var expiry: ExpiryArgument?

        @Option(
            name: [.customShort("k"), .customLong("keepalive")],
            help: ArgumentHelp("The longest silence before a ping; 0 for no pings. (default: 60)", valueName: "0-65535")
        )
        var keepAlive: UInt16?

        @Option(
            name: [.customShort("u"), .customLong("username")], parsing: .unconditional,
            help: "The user name; also CURLEW_USERNAME.")
        var username: String?

        @Option(
            name: [.customShort("P"), .customLong("pw"), .customLong("password")], parsing: .unconditional,
            help: "The password. Others can see it; CURLEW_PASSWORD or CURLEW_PASSWORD_FILE keep it to yourself.")
        var password: String?

        @Option(
            name: [.customShort("W"), .customLong("timeout")],
            help: ArgumentHelp("The time for the whole command; then it ends with code 27.", valueName: "seconds"))
        var timeLimit: SecondsArgument?

        @Flag(
            name: [.customShort("d"), .customLong("debug")], help: "Show on standard error which packets come and go.")
        var isTracing = false

        @Option(
            name: .customLong("password-file"), parsing: .unconditional,
            help: "A file that has the password in it.")
        var passwordFile: String?

        @Option(
            name: [.customShort("I"), .customLong("id-prefix")], parsing: .unconditional,
            help: "What the client identifier begins with; the number of the process follows.")
        var identifierPrefix: String?

        @Option(
            name: [.customShort("A"), .customLong("bind-address")], parsing: .unconditional,
            help: "The address of this machine to connect from.")
        var localAddress: String?

        @Option(
            name: [.customShort("M"), .customLong("max-inflight")],
            help: ArgumentHelp(
                "How many messages at QoS 1 and 2 may be unacknowledged at once. (default: 1000 sent, 65535 received)",
                valueName: "count"))
        var inFlight: CountArgument?

        @Option(
            name: [.customShort("D"), .customLong("property")], parsing: .unconditionalSingleValue,
            help: ArgumentHelp(
                """
                A property of MQTT 5, as in -D publish content-type text or -D connect user-property name value. May be \
                given several times.
                """,
                valueName: "packet property value"))
        var properties: [PropertyArgument] = []

        @Option(
            name: [.customShort("o"), .customLong("options-file")], parsing: .unconditional,
            help: "A file of options, in place of the usual one.")
        var optionsFile: String?

        @Flag(name: .customLong("quiet"), help: "Say nothing on standard error; the exit code tells.")
        var isQuiet = false

        @Flag(name: .customLong("nodelay"), help: "Send small packets at once; this is always so.")
        var sendsAtOnce = false

        /// Whether the command was called by the name of one of mosquitto's, and shall behave as that.
        @Flag(name: .customLong("as-mosquitto"), help: .private)
        var isMosquitto = false

        @OptionGroup var refused: RefusedOptions

        var url: String? { self.positionalURL ?? self.optionURL }

        func validate() throws {
            if let positionalURL, let optionURL, positionalURL != optionURL {
                throw ValidationError("There are two URLs; give one of them")
            }
            if let host, self.url != nil {
                throw ValidationError("The URL and -h \(host) both name a server; give one of them")
            }
            if let host, host.contains("://") {
                throw ValidationError("-h takes a host alone; give the URL without -h")
            }
            if self.host == "" { throw ValidationError("The host of -h is empty") }
            if !self.isMosquitto, let version = self.version?.version, version < .v5_0, self.expiry != nil {
                throw ValidationError("-x needs MQTT 5, and -V asks for \(version); leave one of them out")
            }
            if !self.isMosquitto, let version = self.version?.version, version < .v5_0, !self.properties.isEmpty {
                throw ValidationError("-D needs MQTT 5, and -V asks for \(version); leave one of them out")
            }
            if self.identifier != nil, self.identifierPrefix != nil {
                throw ValidationError("-i and -I both give the client identifier; give one of them")
            }
            if self.password != nil, self.passwordFile != nil {
                throw ValidationError("-P and --password-file both give the password; give one of them")
            }
        }
    }
#endif
