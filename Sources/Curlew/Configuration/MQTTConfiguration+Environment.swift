import CurlewCore
import CurlewTransport

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

extension MQTTConfiguration {
    /// Reads a configuration from environment variables:
    /// `try MQTTConfiguration(environment: MQTTConfiguration.processEnvironment)`.
    ///
    /// Settings without a variable keep their defaults. An empty variable counts as unset. Other variables are ignored,
    /// even if they begin with `MQTT_`.
    ///
    /// | variable                                         | value |
    /// |--------------------------------------------------|-------|
    /// | `MQTT_URL`                                       | as for ``init(url:)``; the variables below override its items |
    /// | `MQTT_HOST`, `MQTT_PORT`                         | the broker, if `MQTT_URL` is not set |
    /// | `MQTT_TLS`                                       | `true` or `false`; default: `true` if a TLS variable is set or the port is 8883 |
    /// | `MQTT_USERNAME`                                  | the user name |
    /// | `MQTT_PASSWORD` or `MQTT_PASSWORD_FILE`          | the password, or a file that contains it; a line break at its end is ignored |
    /// | `MQTT_VERSION`                                   | `automatic`, `5`, `5.0`, `3.1.1` or `3.1` |
    /// | `MQTT_CLIENT_ID`, `MQTT_CLIENT_ID_PREFIX`        | the client identifier, or the prefix of a generated one |
    /// | `MQTT_KEEP_ALIVE`                                | a time; `0` disables it |
    /// | `MQTT_CONNECT_TIMEOUT`                           | a time |
    /// | `MQTT_CLEAN_START`                               | `true` or `false` |
    /// | `MQTT_SESSION_EXPIRY`                            | a time, or `never` |
    /// | `MQTT_RECEIVE_MAXIMUM`                           | a number of messages |
    /// | `MQTT_MAXIMUM_IN_FLIGHT`                         | a number of messages |
    /// | `MQTT_MAXIMUM_PACKET_SIZE`                       | a number of bytes |
    /// | `MQTT_PROXY`                                     | the URL of a proxy: `http://…`, `socks5://…` or `socks5h://…`; `none` for none |
    /// | `ALL_PROXY`; `HTTPS_PROXY` if all servers use TLS, which takes precedence | the proxy, if `MQTT_PROXY` is not set; this machine is reached directly |
    /// | `NO_PROXY`                                       | the hosts to reach directly, separated by commas |
    /// | `MQTT_RECONNECT`                                 | `true` or `false` |
    /// | `MQTT_RECONNECT_ATTEMPTS`                        | the maximum number of consecutive attempts |
    /// | `MQTT_RECONNECT_INITIAL_DELAY`, `MQTT_RECONNECT_MAXIMUM_DELAY` | a time: the bound of the first delay, and its maximum |
    /// | `MQTT_ACKNOWLEDGEMENT_TIMEOUT`                   | a time: how long calls without a timeout wait for the broker |
    /// | `MQTT_DEFAULT_QOS`, `MQTT_DEFAULT_RETAIN`        | `0`, `1` or `2`; `true` or `false`: for messages published without them |
    /// | `MQTT_CA`, `MQTT_CA_FILE` or `MQTT_CA_DIRECTORY` | the certificate authorities: inline, a file or a directory |
    /// | `MQTT_CRL_FILE`                                  | a file of certificate revocation lists |
    /// | `MQTT_CERTIFICATE` or `MQTT_CERTIFICATE_FILE`    | the client certificate: inline or a file; or a PKCS#12 bundle |
    /// | `MQTT_PRIVATE_KEY` or `MQTT_PRIVATE_KEY_FILE`    | its private key: inline or a file; not with a PKCS#12 bundle |
    /// | `MQTT_PRIVATE_KEY_PASSPHRASE`                    | the passphrase of the private key or the PKCS#12 bundle |
    /// | `MQTT_SERVER_NAME`                               | the host name to expect in the broker's certificate |
    /// | `MQTT_ALPN`                                      | application protocols, separated by commas |
    /// | `MQTT_MINIMUM_TLS`                               | `1.0`, `1.1`, `1.2` or `1.3` |
    /// | `MQTT_INSECURE`                                  | `any-host-name` or `any-certificate`: what *not* to verify |
    ///
    /// Inline certificates and keys are PEM (with line breaks, or `\n` in their place), or Base64 of PEM, DER or a
    /// PKCS#12 bundle. The client reads the files when it is created, and again when they have changed.
    /// A time is a number of seconds, or a number with the unit `ms`, `s`, `m`, `h` or `d`.
    ///
    /// - Parameter environment: The variables; ``processEnvironment`` returns those of the process.
    /// - Throws: ``MQTTError`` with the code `.invalidConfiguration` (`.invalidURL` for `MQTT_URL`), or what
    ///   ``validate()`` throws. The message names the variable and quotes no secret.
    public init(environment: [String: String]) throws(MQTTError) {
        self.init()
        try self.apply(environment: environment)
        try self.validate()
    }

    /// Applies environment variables and keeps all other settings. ``init(environment:)`` lists the variables.
    ///
    /// - Parameter environment: The variables; ``processEnvironment`` returns those of the process.
    /// - Throws: ``MQTTError`` as ``init(environment:)`` does, but does not call ``validate()``.
    public mutating func apply(environment: [String: String]) throws(MQTTError) {
        self = try Variables(environment, as: .environment).applied(to: self)
    }

    /// Applies URLs, which may contain topics, on top of environment variables: for a program that takes URLs as
    /// arguments.
    ///
    /// The URLs determine the brokers. TLS variables apply only if a URL uses TLS. User name, password and items apply
    /// to all brokers: one URL may contain them, or several with the same values.
    ///
    /// - Returns: The configuration, and the topics without duplicates.
    package static func read(
        urls: [String], over environment: [String: String], base: MQTTConfiguration = MQTTConfiguration()
    ) throws(MQTTError) -> (configuration: MQTTConfiguration, topics: [String]) {
        var all: [URLParts] = []
        for url in urls { all.append(try URLParts(url)) }
        guard var parts = all.first else {
            throw MQTTError(.invalidURL, "There is no URL; give at least one.")
        }
        for other in all.dropFirst() { try parts.add(other) }
        var environment = environment
        if parts.username != nil { environment["MQTT_USERNAME"] = nil }
        if parts.password != nil { (environment["MQTT_PASSWORD"], environment["MQTT_PASSWORD_FILE"]) = (nil, nil) }
        let variables = Variables(environment, as: .environment)
        var base = base
        base.servers = all.map(\.server)
        var draft = ConfigurationDraft(base)
        let isSecure = all.contains { $0.server.scheme.isSecure }
        for option in ConfigurationOption.all where isSecure || !option.isAboutTLS {
            if let value = try variables.value(of: option) { try draft.apply(option, value) }
        }
        draft.beginSource()
        try parts.apply(to: &draft)
        try draft.applyCredentials(variables)
        try draft.applySharedProxyVariables(variables)
        var topics: [String] = []
        // Compare bytes, not characters: topics that Unicode considers equal are different topics in MQTT.
        for topic in all.compactMap(\.topic) where !topics.contains(where: { $0.utf8.elementsEqual(topic.utf8) }) {
            topics.append(topic)
        }
        return (try draft.finish(code: .invalidURL), topics)
    }

    /// The variables of the process that ``init(environment:)`` reads.
    ///
    /// Passwords and file names need not be UTF-8: each byte that is not becomes a private-use character (U+10FE00 plus
    /// the byte), which ``init(environment:)`` turns back into the byte.
    public static var processEnvironment: [String: String] {
        Self.processEnvironment(of: Self.environmentVariables + Self.proxyVariables)
    }

    /// The variables of the process that have these names.
    static func processEnvironment(of names: [String]) -> [String: String] {
        var environment: [String: String] = [:]
        for name in names {
            if let value = getenv(name) { environment[name] = String(keepingCString: value) }
        }
        return environment
    }

    /// The names of the proxy variables that many programs share. ``init(environment:)`` uses them unless `MQTT_PROXY`
    /// is set; a lower-case name takes precedence.
    public static let proxyVariables = [
        "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy",
    ]

    /// The names of all other variables that ``init(environment:)`` reads.
    public static let environmentVariables: [String] =
        ["MQTT_URL", "MQTT_HOST", "MQTT_PORT", "MQTT_TLS", "MQTT_USERNAME", "MQTT_PASSWORD", "MQTT_PASSWORD_FILE"]
        + ConfigurationOption.all.map(\.variable)
}
