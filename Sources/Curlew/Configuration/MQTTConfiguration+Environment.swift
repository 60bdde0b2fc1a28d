import CurlewCore
import CurlewTransport
import NIOCore

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
    /// | `MQTT_MAXIMUM_PACKET_SIZE`                       | a number of bytes |
    /// | `MQTT_RECONNECT`                                 | `true` or `false` |
    /// | `MQTT_CA`, `MQTT_CA_FILE` or `MQTT_CA_DIRECTORY` | the certificate authorities: inline, a file or a directory |
    /// | `MQTT_CERTIFICATE` or `MQTT_CERTIFICATE_FILE`    | the client certificate: inline or a file |
    /// | `MQTT_PRIVATE_KEY` or `MQTT_PRIVATE_KEY_FILE`    | its private key: inline or a file |
    /// | `MQTT_PRIVATE_KEY_PASSPHRASE`                    | the passphrase of the private key |
    /// | `MQTT_SERVER_NAME`                               | the host name to expect in the broker's certificate |
    /// | `MQTT_ALPN`                                      | application protocols, separated by commas |
    /// | `MQTT_MINIMUM_TLS`                               | `1.0`, `1.1`, `1.2` or `1.3` |
    /// | `MQTT_INSECURE`                                  | `any-host-name` or `any-certificate`: what *not* to verify |
    ///
    /// Inline certificates and keys are PEM (with line breaks, or `\n` in their place) or Base64 of PEM or DER.
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
        let environment = environment.filter { !$0.value.isEmpty }
        var draft = ConfigurationDraft(self)
        if let url = environment["MQTT_URL"] { try draft.apply(url: url, environment) }
        draft.beginSource()
        for option in ConfigurationOption.all {
            guard let text = environment[option.variable] else { continue }
            try draft.apply(option, OptionValue(option, text))
        }
        try draft.applyServer(environment)
        try draft.applyCredentials(environment)
        self = try draft.finish(code: .invalidConfiguration)
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
        var environment = environment.filter { !$0.value.isEmpty }
        if parts.username != nil { environment["MQTT_USERNAME"] = nil }
        if parts.password != nil { (environment["MQTT_PASSWORD"], environment["MQTT_PASSWORD_FILE"]) = (nil, nil) }
        var base = base
        base.servers = all.map(\.server)
        var draft = ConfigurationDraft(base)
        let isSecure = all.contains { $0.server.scheme.isSecure }
        for option in ConfigurationOption.all where isSecure || !option.isAboutTLS {
            guard let text = environment[option.variable] else { continue }
            try draft.apply(option, OptionValue(option, text))
        }
        draft.beginSource()
        try parts.apply(to: &draft)
        try draft.applyCredentials(environment)
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
        var environment: [String: String] = [:]
        for name in Self.environmentVariables {
            if let value = getenv(name) { environment[name] = String(keepingCString: value) }
        }
        return environment
    }

    /// The names of all variables that ``init(environment:)`` reads.
    public static let environmentVariables: [String] =
        ["MQTT_URL", "MQTT_HOST", "MQTT_PORT", "MQTT_TLS", "MQTT_USERNAME", "MQTT_PASSWORD", "MQTT_PASSWORD_FILE"]
        + ConfigurationOption.all.map(\.variable)
}

// MARK: - Variables that are not in the table

extension OptionValue {
    /// - Parameter text: Keeps the bytes of the variable. Unless it is a path, it must be UTF-8.
    fileprivate init(
        variable: String, _ text: String, isSecret: Bool = false, isPath: Bool = false
    ) throws(MQTTError) {
        self.init(
            text: text, origin: "The environment variable \(variable)", code: .invalidConfiguration, isSecret: isSecret)
        guard !isPath else { return }
        guard let text = text.keptText else { throw self.error("is not UTF-8 text") }
        self.text = text
    }

    fileprivate init(_ option: ConfigurationOption, _ text: String) throws(MQTTError) {
        try self.init(variable: option.variable, text, isSecret: option.isSecret, isPath: option.isPath)
    }
}

extension ConfigurationDraft {
    fileprivate mutating func apply(url: String, _ environment: [String: String]) throws(MQTTError) {
        for other in ["MQTT_HOST", "MQTT_PORT", "MQTT_TLS"] where environment[other] != nil {
            throw MQTTError(
                .invalidConfiguration,
                "The environment variables MQTT_URL and \(other) are both set; leave one of them out.")
        }
        let parts: URLParts
        do throws(MQTTError) {
            parts = try URLParts(OptionValue(variable: "MQTT_URL", url).text)
        } catch {
            throw MQTTError(error.code, "The environment variable MQTT_URL cannot be used: \(error.message)")
        }
        guard parts.topic == nil else {
            throw MQTTError(
                .invalidURL, "The environment variable MQTT_URL has a topic after the host; leave it out.")
        }
        self.configuration.servers = [parts.server]
        try parts.apply(to: &self)
    }

    fileprivate mutating func applyServer(_ environment: [String: String]) throws(MQTTError) {
        guard environment["MQTT_URL"] == nil else { return }
        let host = try environment["MQTT_HOST"].map { text throws(MQTTError) in
            try OptionValue(variable: "MQTT_HOST", text).text
        }
        let tls = try environment["MQTT_TLS"].map { text throws(MQTTError) in
            try OptionValue(variable: "MQTT_TLS", text)
        }
        var port: Int?
        if let text = environment["MQTT_PORT"] {
            let value = try OptionValue(variable: "MQTT_PORT", text)
            guard let number = UInt16(text), number > 0 else { throw value.error(mustBe: "a number from 1 to 65535") }
            port = Int(number)
        }
        guard host != nil || port != nil || tls != nil else { return }
        // Without a host, port and TLS change the first server of the configuration, which otherwise stays as it is.
        let former = host == nil ? self.configuration.servers.first : nil
        let isSecure =
            try tls?.boolean() ?? (self.tlsOrigin != nil || port == 8883 || former?.scheme.isSecure == true)
        let scheme: MQTTConfiguration.Scheme = isSecure ? .mqtts : .mqtt
        if port == nil, let former, former.scheme == scheme { port = former.port }
        self.configuration.servers = [.init(host: host ?? former?.host ?? "localhost", port: port, scheme: scheme)]
    }

    fileprivate mutating func applyCredentials(_ environment: [String: String]) throws(MQTTError) {
        var login: MQTTConfiguration.Login
        if case .fixed(let former) = self.configuration.credentials.source { login = former } else { login = .init() }
        let former = login
        if let username = environment["MQTT_USERNAME"] {
            login.username = try OptionValue(variable: "MQTT_USERNAME", username).text
        }
        switch (environment["MQTT_PASSWORD"], environment["MQTT_PASSWORD_FILE"]) {
        case (_?, _?):
            throw MQTTError(
                .invalidConfiguration,
                "The environment variables MQTT_PASSWORD and MQTT_PASSWORD_FILE are both set; leave one of them out.")
        case (let password?, nil): login.password = .init(bytes: ByteBuffer(bytes: password.keptBytes))
        case (nil, let path?): login.password = try Self.password(inFile: path)
        case (nil, nil): break
        }
        if login != former {
            self.configuration.credentials = .password(username: login.username, password: login.password)
        }
    }

    /// Reads at most the length that MQTT allows. Removes the line break that editors append.
    private static func password(inFile path: String) throws(MQTTError) -> MQTTConfiguration.Password {
        func failure(_ reason: String) -> MQTTError {
            MQTTError(
                .invalidConfiguration,
                "The file '\(path)' that the environment variable MQTT_PASSWORD_FILE names cannot be used: \(reason).")
        }
        guard let file = path.withKeptCString({ fopen($0, "rb") }) else {
            throw failure(String(cString: strerror(errno)))
        }
        defer { fclose(file) }
        let maximum = 65_535
        var bytes = [UInt8](repeating: 0, count: maximum + 3)
        let count = fread(&bytes, 1, bytes.count, file)
        guard ferror(file) == 0 else { throw failure(String(cString: strerror(errno))) }
        bytes.removeLast(bytes.count - count)
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard !bytes.isEmpty else { throw failure("it is empty") }
        guard bytes.count <= maximum else { throw failure("it is longer than \(maximum) bytes") }
        return .init(bytes: ByteBuffer(bytes: bytes))
    }
}
