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
    /// What they do not mention keeps its default; a variable that is empty counts as not
    /// set. Other variables, also those that begin with `MQTT_`, are left alone.
    ///
    /// | variable                                         | value                                                        |
    /// |--------------------------------------------------|--------------------------------------------------------------|
    /// | `MQTT_URL`                                       | as for ``init(url:)``; the variables below win over its items |
    /// | `MQTT_HOST`, `MQTT_PORT`                         | the server, where there is no `MQTT_URL`                     |
    /// | `MQTT_TLS`                                       | `true` or `false`; without it, `MQTT_HOST` is spoken to over TLS if a variable about TLS is set or the port is 8883 |
    /// | `MQTT_USERNAME`                                  | the user name                                                |
    /// | `MQTT_PASSWORD` or `MQTT_PASSWORD_FILE`          | the password, or a file that holds it; a line break at its end is left out |
    /// | `MQTT_VERSION`                                   | `automatic`, `5`, `5.0`, `3.1.1` or `3.1`                    |
    /// | `MQTT_CLIENT_ID`, `MQTT_CLIENT_ID_PREFIX`        | the client identifier, or what a generated one begins with   |
    /// | `MQTT_KEEP_ALIVE`                                | a time; `0` turns it off                                     |
    /// | `MQTT_CONNECT_TIMEOUT`                           | a time                                                       |
    /// | `MQTT_CLEAN_START`                               | `true` or `false`                                            |
    /// | `MQTT_SESSION_EXPIRY`                            | a time, or `never`                                           |
    /// | `MQTT_RECEIVE_MAXIMUM`                           | how many messages                                            |
    /// | `MQTT_MAXIMUM_PACKET_SIZE`                       | how many bytes                                               |
    /// | `MQTT_RECONNECT`                                 | `true` or `false`                                            |
    /// | `MQTT_CA`, `MQTT_CA_FILE` or `MQTT_CA_DIRECTORY` | the authorities to trust: themselves, a file or a directory  |
    /// | `MQTT_CERTIFICATE` or `MQTT_CERTIFICATE_FILE`    | the client's certificate: itself or a file                   |
    /// | `MQTT_PRIVATE_KEY` or `MQTT_PRIVATE_KEY_FILE`    | its private key: itself or a file                            |
    /// | `MQTT_PRIVATE_KEY_PASSPHRASE`                    | what the private key is encrypted with                       |
    /// | `MQTT_SERVER_NAME`                               | the host name to expect in the server's certificate          |
    /// | `MQTT_ALPN`                                      | application protocols, separated by commas                   |
    /// | `MQTT_MINIMUM_TLS`                               | `1.0`, `1.1`, `1.2` or `1.3`                                 |
    /// | `MQTT_INSECURE`                                  | `any-host-name` or `any-certificate`: what is *not* verified |
    ///
    /// Certificates and keys themselves are PEM (with line breaks, or `\n` in their place) or base64 of PEM or DER.
    /// A time is a number of seconds, or a number with the unit `ms`, `s`, `m`, `h` or `d`.
    ///
    /// - Parameter environment: The variables; those of the process are ``processEnvironment``.
    /// - Throws: ``MQTTError`` with the code `.invalidConfiguration` (`.invalidURL` for `MQTT_URL`) that names the variable and
    ///   quotes no secret, or what ``validate()`` throws.
    public init(environment: [String: String]) throws(MQTTError) {
        self.init()
        try self.apply(environment: environment)
        try self.validate()
    }

    /// Takes over what environment variables say, and leaves the rest as it is; see ``init(environment:)`` for the variables.
    ///
    /// - Parameter environment: The variables; those of the process are ``processEnvironment``.
    /// - Throws: ``MQTTError`` as ``init(environment:)`` does, but without validating the whole.
    public mutating func apply(environment: [String: String]) throws(MQTTError) {
        let environment = environment.filter { !$0.value.isEmpty }
        var draft = ConfigurationDraft(self)
        if let url = environment["MQTT_URL"] { try draft.apply(url: url, environment) }
        draft.beginSource()
        for option in ConfigurationOption.all {
            guard let text = environment[option.variable] else { continue }
            try draft.apply(option, OptionValue(variable: option.variable, text, isSecret: option.isSecret))
        }
        try draft.applyServer(environment)
        try draft.applyCredentials(environment)
        self = try draft.finish(code: .invalidConfiguration)
    }

    /// Reads a URL that may have a topic, over what environment variables say: for a program that takes a URL as an argument.
    ///
    /// The server is the URL's, so that what the variables say about TLS counts only where the URL asks for TLS.
    package static func read(
        url: String, over environment: [String: String]
    ) throws(MQTTError) -> (configuration: MQTTConfiguration, topic: String?) {
        let parts = try URLParts(url)
        var environment = environment.filter { !$0.value.isEmpty }
        if parts.username != nil { environment["MQTT_USERNAME"] = nil }
        if parts.password != nil { (environment["MQTT_PASSWORD"], environment["MQTT_PASSWORD_FILE"]) = (nil, nil) }
        var draft = ConfigurationDraft(MQTTConfiguration(server: parts.server))
        for option in ConfigurationOption.all where parts.server.scheme.isSecure || !option.isAboutTLS {
            guard let text = environment[option.variable] else { continue }
            try draft.apply(option, OptionValue(variable: option.variable, text, isSecret: option.isSecret))
        }
        draft.beginSource()
        try parts.apply(to: &draft)
        try draft.applyCredentials(environment)
        return (try draft.finish(code: .invalidURL), parts.topic)
    }

    /// Those variables of the process that ``init(environment:)`` knows.
    public static var processEnvironment: [String: String] {
        var environment: [String: String] = [:]
        for name in Self.environmentVariables {
            if let value = getenv(name) { environment[name] = String(cString: value) }
        }
        return environment
    }

    /// The names of all variables that ``init(environment:)`` knows.
    public static let environmentVariables: [String] =
        ["MQTT_URL", "MQTT_HOST", "MQTT_PORT", "MQTT_TLS", "MQTT_USERNAME", "MQTT_PASSWORD", "MQTT_PASSWORD_FILE"]
        + ConfigurationOption.all.map(\.variable)
}

// MARK: - What is not in the table

extension OptionValue {
    fileprivate init(variable: String, _ text: String, isSecret: Bool = false) {
        self.init(
            text: text, origin: "The environment variable \(variable)", code: .invalidConfiguration, isSecret: isSecret)
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
            parts = try URLParts(url)
        } catch {
            throw MQTTError(error.code, "The environment variable MQTT_URL cannot be used: \(error.message)")
        }
        guard parts.topic == nil else {
            throw MQTTError(
                .invalidURL, "The environment variable MQTT_URL has a topic after the server; leave it out.")
        }
        self.configuration.servers = [parts.server]
        try parts.apply(to: &self)
    }

    fileprivate mutating func applyServer(_ environment: [String: String]) throws(MQTTError) {
        guard environment["MQTT_URL"] == nil else { return }
        let host = environment["MQTT_HOST"]
        let tls = environment["MQTT_TLS"].map { OptionValue(variable: "MQTT_TLS", $0) }
        var port: Int?
        if let text = environment["MQTT_PORT"] {
            let value = OptionValue(variable: "MQTT_PORT", text)
            guard let number = UInt16(text), number > 0 else { throw value.error(mustBe: "a number from 1 to 65535") }
            port = Int(number)
        }
        guard host != nil || port != nil || tls != nil else { return }
        // Without a host these are about the server that the configuration has already, which keeps its TLS.
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
        if let username = environment["MQTT_USERNAME"] { login.username = username }
        switch (environment["MQTT_PASSWORD"], environment["MQTT_PASSWORD_FILE"]) {
        case (_?, _?):
            throw MQTTError(
                .invalidConfiguration,
                "The environment variables MQTT_PASSWORD and MQTT_PASSWORD_FILE are both set; leave one of them out.")
        case (let password?, nil): login.password = .init(password)
        case (nil, let path?): login.password = try Self.password(inFile: path)
        case (nil, nil): break
        }
        if login != former {
            self.configuration.credentials = .password(username: login.username, password: login.password)
        }
    }

    /// What is in a file, up to the length that MQTT allows, without the line break that an editor puts at its end.
    private static func password(inFile path: String) throws(MQTTError) -> MQTTConfiguration.Password {
        func failure(_ reason: String) -> MQTTError {
            MQTTError(
                .invalidConfiguration,
                "The file '\(path)' that the environment variable MQTT_PASSWORD_FILE names cannot be used: \(reason).")
        }
        guard let file = fopen(path, "rb") else { throw failure(String(cString: strerror(errno))) }
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
