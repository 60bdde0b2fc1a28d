#if Tools
import ArgumentParser
import CurlewBroker

/// Where the broker listens, who may connect, and the limits.
struct BrokerOptions: ParsableArguments {
    @Option(
        name: [.customShort("p"), .customLong("port")], parsing: .unconditional,
        help: ArgumentHelp(
            "Port to listen on, for clients of this machine; 0 for any free port. (default: 1883, or 8883 with TLS)",
            valueName: "0-65535"), transform: ListeningPortArgument.read)
    var port: ListeningPortArgument?

    @Option(
        name: .customLong("listen"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            """
            Address to listen on: mqtt://host:port, ws://host:port/path for WebSocket, mqtts:// or wss:// with TLS, or \
            mqtt+unix:///path for a Unix domain socket. The host * means all addresses. May be given several times, or \
            separate several with commas.
            """,
            valueName: "url"))
    var listen: [String] = []

    @Option(
        name: .customLong("allow-origin"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            """
            Origin whose web pages may connect over WebSocket, as in https://example.com; '*' for any. May be given several \
            times. (default: any, but from a browser on this machine only pages of this machine)
            """,
            valueName: "origin"))
    var origins: [String] = []

    @Option(
        name: .customLong("trust-proxy"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            """
            Address of a proxy or load balancer, or a range as in 10.0.0.0/8, that states the addresses of its clients: with \
            --proxy-protocol, or for WebSocket in X-Forwarded-For. May be given several times.
            """,
            valueName: "address"))
    var trustedProxies: [String] = []

    @Flag(
        name: .customLong("proxy-protocol"),
        help:
            "Connections begin with a header of the PROXY protocol; those of other hosts than --trust-proxy are closed."
    )
    var usesProxyProtocol = false

    @Option(
        name: .customLong("socket-mode"), parsing: .unconditional,
        help: ArgumentHelp(
            "Permissions of Unix domain sockets in octal, as in 660: users who may write to a socket may connect. (default: set by the umask)",
            valueName: "mode"), transform: SocketModeArgument.read)
    var socketMode: SocketModeArgument?

    @Option(
        name: [.customShort("c"), .customLong("config-file")], parsing: .unconditional,
        help: "Configuration file in mosquitto.conf syntax, used instead of options.")
    var configurationFile: String?

    @Option(
        name: .customLong("password-file"), parsing: .unconditional,
        help: "Password file, as written by 'curlew passwd' or mosquitto_passwd.")
    var passwordFile: String?

    @Option(
        name: .customLong("acl-file"), parsing: .unconditional,
        help: "Access control file in mosquitto's format: who may publish and receive what.")
    var accessFile: String?

    @Flag(
        name: .customLong("allow-anonymous"),
        help:
            "Accept clients without a user name. (default: only from this machine, if there is no password file)"
    )
    var allowsAnonymous = false

    @Flag(
        name: .customLong("trust-usernames"),
        help:
            "Trust user names without a password file. Anyone who can connect can use any name and gets that user's rights."
    )
    var trustsUsernames = false

    @Flag(
        name: .customLong("use-username-as-clientid"),
        help: "Use the user name as client ID, so that no user can disconnect another.")
    var usesUsernameAsClientIdentifier = false

    @Option(
        name: .customLong("identifier-conflict"),
        help: ArgumentHelp(
            """
            What to do when a client connects with the client ID of another user's session: end that session (replace), end \
            it unless the new client is anonymous (users-first), or refuse the new client (refuse). (default: replace)
            """,
            valueName: "replace|users-first|refuse"),
        completion: .list(["replace", "users-first", "refuse"]), transform: IdentifierConflictArgument.read)
    var identifierConflict: IdentifierConflictArgument?

    @Flag(
        name: .customLong("keep-sessions-of-removed-users"),
        help: "After SIGHUP, keep sessions of removed users until they expire. (default: end them)")
    var keepsSessionsOfRemovedUsers = false

    @Option(
        name: .customLong("tls-cert"), parsing: .unconditional,
        help: "Certificate file of the broker, with intermediate certificates; or a PKCS#12 bundle with its key.")
    var certificate: String?

    @Option(
        name: .customLong("tls-key"), parsing: .unconditional,
        help: "Private key file. If it is encrypted, set CURLEW_BROKER_TLS_KEY_PASSPHRASE.")
    var key: String?

    @Option(
        name: .customLong("tls-ca"), parsing: .unconditional,
        help: "CA file for client certificates; clients may then present one.")
    var authorities: String?

    @Option(
        name: .customLong("tls-crl"), parsing: .unconditional,
        help:
            "File of certificate revocation lists (CRLs) for client certificates, PEM or DER. Clients without a current list of their issuer are refused."
    )
    var revocationLists: String?

    @Flag(name: .customLong("tls-require-certificate"), help: "Require a client certificate.")
    var requiresCertificate = false

    @Option(
        name: .customLong("max-connections"), parsing: .unconditional,
        help: ArgumentHelp("Maximum number of connected clients. (default: no limit)", valueName: "count"),
        transform: WholeNumber.read)
    var maximumConnections: Int?

    @Option(
        name: .customLong("max-packet-size"), parsing: .unconditional,
        help: ArgumentHelp("Maximum packet size. (default: 1048576)", valueName: "bytes"),
        transform: WholeNumber.read)
    var maximumPacketSize: Int?

    @Option(
        name: .customLong("max-queued-messages"), parsing: .unconditional,
        help: ArgumentHelp(
            "Maximum number of queued messages per client. (default: 10000)", valueName: "count"),
        transform: WholeNumber.read)
    var maximumQueuedMessages: Int?

    @Option(
        name: .customLong("max-queued-bytes"), parsing: .unconditional,
        help: ArgumentHelp(
            "Maximum size of a client's queue. (default: 67108864)", valueName: "bytes"),
        transform: WholeNumber.read)
    var maximumQueuedBytes: Int?

    @Option(
        name: .customLong("max-memory"), parsing: .unconditional,
        help: ArgumentHelp(
            "Maximum memory for all clients together. (default: half of the machine's memory)",
            valueName: "bytes"), transform: WholeNumber.read)
    var maximumMemory: Int?

    @Option(
        name: .customLong("max-publisher-delay"), parsing: .unconditional,
        help: ArgumentHelp(
            """
            Maximum time that a publisher waits for subscribers that cannot keep up; 0 to drop messages at once if their \
            queues are full. (default: 1000)
            """,
            valueName: "ms"), transform: WholeNumber.read)
    var maximumPublisherDelay: Int?

    @Option(
        name: .customLong("ready-fd"), parsing: .unconditional,
        help: ArgumentHelp(
            "File descriptor to write 'ready' to when clients can connect, as in --ready-fd 3 3>file.",
            valueName: "number"), transform: ReadyDescriptor.read)
    var ready: ReadyDescriptor?

    @Option(
        name: .customLong("max-inflight-messages"), parsing: .unconditional,
        help: ArgumentHelp(
            "Maximum number of unacknowledged messages at QoS 1 and 2, in each direction. (default: 1000)",
            valueName: "count"),
        transform: WholeNumber.read)
    var maximumInFlightMessages: Int?

    @Option(
        name: .customLong("max-inflight-bytes"), parsing: .unconditional,
        help: ArgumentHelp(
            "Maximum payload size of unacknowledged messages to a client. (default: 16777216)", valueName: "bytes"),
        transform: WholeNumber.read)
    var maximumInFlightBytes: Int?

    @Option(
        name: .customLong("max-keepalive"), parsing: .unconditional,
        help: ArgumentHelp(
            "Maximum keep-alive interval. (default: no limit)", valueName: "seconds"),
        transform: WholeNumber.read)
    var maximumKeepAlive: Int?

    @Option(
        name: .customLong("max-qos"), parsing: .unconditional,
        help: ArgumentHelp("Maximum QoS. (default: 2)", valueName: "0|1|2"),
        completion: .list(["0", "1", "2"]), transform: QoS.read)
    var maximumQoS: QoS?

    @Option(
        name: .customLong("max-topic-alias"), parsing: .unconditional,
        help: ArgumentHelp("Maximum number of topic aliases of a client. (default: 16)", valueName: "count"),
        transform: WholeNumber.read)
    var topicAliasMaximum: Int?

    @Option(
        name: .customLong("max-session-expiry"), parsing: .unconditional,
        help: ArgumentHelp(
            "Maximum session expiry interval. (default: no limit)",
            valueName: "seconds"), transform: WholeNumber.read)
    var maximumSessionExpiry: Int?

    @Flag(name: [.customShort("v"), .customLong("verbose")], help: "Log everything.")
    var isVerbose = false

    @Flag(name: [.customShort("d"), .customLong("daemon")], help: .private)
    var isDaemon = false

    func validate() throws {
        if self.isDaemon {
            throw ValidationError(
                "-d is not supported: the broker stays in the foreground; use systemd, or & in a shell"
            )
        }
        for (name, number, range) in self.numbers {
            guard let number, !range.contains(number) else { continue }
            throw ValidationError(
                "\(name) must be from \(range.lowerBound) to \(range.upperBound), not \(number)")
        }
        if self.configurationFile != nil, let other = self.given.first {
            throw ValidationError("-c replaces other options; leave out \(other), or set it in the configuration file")
        }
        if self.port != nil, !self.listen.isEmpty {
            throw ValidationError("--port and --listen both set the port; give one of them")
        }
        try self.validateTLS()
    }

    private func validateTLS() throws {
        if self.certificate == nil, self.key != nil {
            throw ValidationError("--tls-key needs its certificate; give --tls-cert as well")
        }
        let others = [
            ("--tls-ca", self.authorities != nil), ("--tls-crl", self.revocationLists != nil),
            ("--tls-require-certificate", self.requiresCertificate),
        ]
        if self.certificate == nil, let option = others.first(where: \.1)?.0 {
            throw ValidationError("\(option) needs TLS; give --tls-cert as well")
        }
        if self.revocationLists != nil, self.authorities == nil {
            throw ValidationError("--tls-crl needs the CAs of client certificates; give --tls-ca as well")
        }
        if self.requiresCertificate, self.authorities == nil {
            throw ValidationError("--tls-require-certificate needs the CAs to trust; give --tls-ca as well")
        }
    }

    private var numbers: [(name: String, number: Int?, range: ClosedRange<Int>)] {
        [
            ("--max-connections", self.maximumConnections, 1...Int(Int32.max)),
            ("--max-packet-size", self.maximumPacketSize, 20...PacketSize.largest),
            ("--max-queued-messages", self.maximumQueuedMessages, 0...Int(Int32.max)),
            ("--max-queued-bytes", self.maximumQueuedBytes, 0...Int.max),
            ("--max-memory", self.maximumMemory, 1 << 20...Int.max),
            ("--max-publisher-delay", self.maximumPublisherDelay, 0...60_000),
            ("--max-inflight-messages", self.maximumInFlightMessages, 1...65_535),
            ("--max-inflight-bytes", self.maximumInFlightBytes, 1...Int.max),
            ("--max-keepalive", self.maximumKeepAlive, 10...65_535),
            ("--max-topic-alias", self.topicAliasMaximum, 0...65_535),
            ("--max-session-expiry", self.maximumSessionExpiry, 0...Int(UInt32.max)),
        ]
    }

    /// The given options that a configuration file replaces.
    private var given: [String] {
        let others: [(name: String, isGiven: Bool)] = [
            ("--port", self.port != nil), ("--listen", !self.listen.isEmpty),
            ("--password-file", self.passwordFile != nil), ("--acl-file", self.accessFile != nil),
            ("--allow-anonymous", self.allowsAnonymous),
            ("--use-username-as-clientid", self.usesUsernameAsClientIdentifier),
            ("--allow-origin", !self.origins.isEmpty), ("--socket-mode", self.socketMode != nil),
            ("--trust-proxy", !self.trustedProxies.isEmpty), ("--proxy-protocol", self.usesProxyProtocol),
            ("--tls-cert", self.certificate != nil),
            ("--tls-key", self.key != nil), ("--tls-ca", self.authorities != nil),
            ("--tls-crl", self.revocationLists != nil),
            ("--tls-require-certificate", self.requiresCertificate), ("--max-qos", self.maximumQoS != nil),
        ]
        return others.filter(\.isGiven).map(\.name) + self.numbers.filter { $0.number != nil }.map(\.name)
    }
}

/// A number whose range is checked in `validate`.
enum WholeNumber {
    static func read(_ text: String) throws -> Int {
        guard let number = Int(text) else { throw ValidationError("it must be a whole number") }
        return number
    }
}

/// What happens when two users connect with the same client identifier.
enum IdentifierConflictArgument: String, CheckedArgument, CaseIterable {
    static let expectation = "replace, users-first or refuse"

    case replace
    case usersFirst = "users-first"
    case refuse

    var behavior: MQTTBrokerConfiguration.Behavior.IdentifierConflict {
        switch self {
        case .replace: .replaceSession
        case .usersFirst: .replaceUnlessAnonymous
        case .refuse: .refuseClient
        }
    }
}

/// A TCP port to listen on; 0 for any free port.
struct ListeningPortArgument: CheckedArgument, Equatable {
    static let expectation = "a number from 0 to 65535"

    let port: Int

    init?(argument: String) {
        guard let port = Int(argument), (0...65_535).contains(port) else { return nil }
        self.port = port
    }
}
#endif
