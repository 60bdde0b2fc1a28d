#if Tools
/// What must be known of an option before the parser sees it: how many words it takes and what it sets, so that the
/// command line can override the environment, and the environment the options file.
struct KnownOption: Sendable {
    /// The words that follow the name.
    enum Value: Sendable {
        case none, one
        /// A packet type, a property and its value; for a user property, its name and value.
        case property
    }

    /// What an option sets. On the command line, it overrides the environment and the file.
    enum Subject: Hashable, Sendable {
        case server, port, identity, message, form, password, authorities, devices, methods
        case itself(String)
    }

    /// A set of options with distinct names. The broker and benchmarks have their own options.
    enum Table: Hashable, Sendable {
        case clients, broker, bench
    }

    /// The long name without dashes.
    let long: String
    let short: Character?
    let value: Value
    let subcommands: Set<Subcommand>
    let subjects: Set<Subject>

    var table: Table {
        self.subcommands.contains(.broker) ? .broker : self.subcommands == [.bench] ? .bench : .clients
    }

    /// Whether the value may contain any bytes; otherwise it is text.
    var takesBytes: Bool { Self.ofBytes.contains(self.long) }

    private static let ofBytes: Set = [
        "acl-file", "cafile", "capath", "cert", "command", "config-file", "crlfile", "device-password", "devices",
        "exec", "file", "format", "key", "message",
        "options-file", "password", "password-file", "property", "pw", "template", "tls-ca", "tls-cert", "tls-crl",
        "tls-key",
        "will-payload",
    ]

    /// The environment variable that sets it. Brokers and clients have different variables.
    var variable: String {
        (self.table == .broker ? "CURLEW_BROKER_" : "CURLEW_") + self.long.uppercased().replacing("-", with: "_")
    }

    /// - Parameters:
    ///   - names: The short name, if there is one, and the long name, separated by a space.
    ///   - subjects: What it sets; `nil` if no other option sets the same.
    private init(
        _ names: String, _ value: Value = .none, in subcommands: Set<Subcommand> = Subcommand.clients,
        about subjects: Set<Subject>? = nil
    ) {
        let parts = names.split(separator: " ")
        self.long = parts.last.map(String.init) ?? ""
        self.short = parts.count > 1 ? parts[0].first : nil
        self.value = value
        self.subcommands = subcommands
        self.subjects = subjects ?? [.itself(self.long)]
    }

    static func named(_ name: Substring, in table: Table = .clients) -> KnownOption? {
        self.byName[table]?[String(name)]
    }

    /// What a client's option sets.
    static func subjects(of long: String) -> Set<Subject> { Self.named("--\(long)")?.subjects ?? [] }

    /// The options by their names with one or two dashes.
    private static let byName: [Table: [String: KnownOption]] = {
        var options: [Table: [String: KnownOption]] = [:]
        for option in Self.all {
            options[option.table, default: [:]]["--" + option.long] = option
            if let short = option.short { options[option.table, default: [:]]["-\(short)"] = option }
        }
        for option in Self.connection + Self.tls {
            options[.bench, default: [:]]["--" + option.long] = option
            if let short = option.short { options[.bench, default: [:]]["-\(short)"] = option }
        }
        return options
    }()

    static let all: [KnownOption] =
        Self.connection + Self.tls + Self.will + Self.message + Self.output + Self.publishing + Self.subscribing
        + Self.answering + Self.calling + Self.broker + Self.bench

    private static let connection: [KnownOption] = [
        .init("L url", .one, about: [.server, .port]), .init("h host", .one, about: [.server]),
        .init("p port", .one, about: [.port]), .init("V protocol-version", .one),
        .init("i id", .one, about: [.identity]),
        .init("I id-prefix", .one, about: [.identity]), .init("c disable-clean-session"),
        .init("x session-expiry-interval", .one), .init("k keepalive", .one), .init("u username", .one),
        .init("P pw", .one, about: [.password]), .init("password", .one, about: [.password]),
        .init("password-file", .one, about: [.password]), .init("A bind-address", .one),
        .init("M max-inflight", .one),
        .init("D property", .property, about: []), .init("W timeout", .one), .init("d debug"), .init("quiet"),
        .init("nodelay"), .init("o options-file", .one), .init("S srv"), .init("proxy", .one),
        .init("unix", .one, about: [.server, .port]), .init("ws"), .init("header", .one, about: []),
        .init("t topic", .one, in: Subcommand.naming.union([.bench])),
        .init("q qos", .one, in: Subcommand.naming.union([.bench])),
    ]

    private static let tls: [KnownOption] = [
        .init("cafile", .one, about: [.authorities]), .init("capath", .one, about: [.authorities]),
        .init("tls-use-os-certs", about: [.authorities]), .init("crlfile", .one), .init("cert", .one),
        .init("key", .one),
        .init("keyform", .one), .init("insecure"), .init("tls-alpn", .one), .init("tls-version", .one),
        .init("ciphers", .one), .init("psk", .one), .init("psk-identity", .one), .init("tls-engine", .one),
        .init("tls-engine-kpass-sha1", .one),
    ]

    private static let will: [KnownOption] = [
        .init("will-topic", .one), .init("will-payload", .one), .init("will-qos", .one), .init("will-retain"),
    ]

    private static let message: [KnownOption] = [
        .init("m message", .one, in: [.pub, .request, .respond], about: [.message]),
        .init("f file", .one, in: [.pub, .request, .respond], about: [.message]),
        .init("s stdin-file", in: [.pub, .request, .respond], about: [.message]),
        .init("n null-message", in: [.pub, .request, .respond], about: [.message]),
    ]

    private static let output: [KnownOption] = [
        .init("v verbose", in: [.sub, .request, .respond, .collect, .serve]),
        .init("N no-newline", in: [.sub, .request, .collect]),
        .init("F format", .one, in: [.sub, .request, .collect], about: [.form]),
        .init("pretty", in: [.sub, .request, .collect, .call]),
        .init("output", .one, in: [.sub, .request, .collect, .call], about: [.form]),
        .init("C count", .one, in: [.sub, .request, .respond, .collect, .serve]),
        .init("R no-retained", in: [.sub, .request, .collect]),
    ]

    private static let publishing: [KnownOption] = [
        .init("l stdin-line", in: [.pub], about: [.message]), .init("r retain", in: [.pub]),
        .init("repeat", .one, in: [.pub]), .init("repeat-delay", .one, in: [.pub]),
    ]

    private static let subscribing: [KnownOption] = [
        .init("E exit-after-subscribe", in: [.sub]), .init("T filter-out", .one, in: [.sub]),
        .init("U unsubscribe", .one, in: [.sub]), .init("retained-only", in: [.sub]),
        .init("remove-retained", in: [.sub]), .init("retain-as-published", in: [.sub]),
        .init("retain-handling", .one, in: [.sub]), .init("random-filter", .one, in: [.sub]),
    ]

    private static let bench: [KnownOption] = [
        .init("n count", .one, in: [.bench]), .init("clients", .one, in: [.bench]),
        .init("duration", .one, in: [.bench]), .init("json", in: [.bench]), .init("idle", .one, in: [.bench]),
        .init("s size", .one, in: [.bench]), .init("window", .one, in: [.bench]),
        .init("rate", .one, in: [.bench]), .init("topics", .one, in: [.bench]),
    ]

    private static let answering: [KnownOption] = [
        .init("e response-topic", .one, in: [.request, .respond]),
        .init("template", .one, in: [.respond], about: [.message]),
        .init("exec", .one, in: [.respond], about: [.message]),
        .init("ready-fd", .one, in: [.sub, .respond, .serve]),
    ]

    private static let calling: [KnownOption] = [
        .init("device", .one, in: [.call, .serve], about: [.devices]),
        .init("devices", .one, in: [.call], about: [.devices]),
        .init("method", .one, in: [.call]), .init("params", .one, in: [.call]),
        .init("dialect", .one, in: [.call, .serve]), .init("device-password", .one, in: [.call]),
        .init("at-once", .one, in: [.call]), .init("answer", .one, in: [.serve], about: [.methods]),
        .init("command", .one, in: [.serve], about: [.methods]),
    ]

    private static let broker: [KnownOption] = [
        .init("p port", .one, in: [.broker], about: [.server]),
        .init("listen", .one, in: [.broker], about: [.server]),
        .init("trust-proxy", .one, in: [.broker]), .init("proxy-protocol", in: [.broker]),
        .init("allow-origin", .one, in: [.broker]), .init("socket-mode", .one, in: [.broker]),
        .init("c config-file", .one, in: [.broker]), .init("v verbose", in: [.broker]),
        .init("d daemon", in: [.broker]),
        .init("password-file", .one, in: [.broker]), .init("acl-file", .one, in: [.broker]),
        .init("allow-anonymous", in: [.broker]), .init("tls-cert", .one, in: [.broker]),
        .init("tls-key", .one, in: [.broker]), .init("tls-ca", .one, in: [.broker]),
        .init("tls-crl", .one, in: [.broker]),
        .init("trust-usernames", in: [.broker]), .init("use-username-as-clientid", in: [.broker]),
        .init("identifier-conflict", .one, in: [.broker]), .init("keep-sessions-of-removed-users", in: [.broker]),
        .init("tls-require-certificate", in: [.broker]), .init("max-connections", .one, in: [.broker]),
        .init("max-packet-size", .one, in: [.broker]), .init("max-queued-messages", .one, in: [.broker]),
        .init("max-queued-bytes", .one, in: [.broker]), .init("max-memory", .one, in: [.broker]),
        .init("max-publisher-delay", .one, in: [.broker]), .init("max-inflight-messages", .one, in: [.broker]),
        .init("max-inflight-bytes", .one, in: [.broker]), .init("max-keepalive", .one, in: [.broker]),
        .init("max-qos", .one, in: [.broker]), .init("max-topic-alias", .one, in: [.broker]),
        .init("max-session-expiry", .one, in: [.broker]), .init("ready-fd", .one, in: [.broker]),
    ]
}
#endif
