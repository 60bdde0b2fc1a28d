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
        self = try Variables(environment, as: .environment).applied(to: self)
    }

    /// Reads URLs that may have topics, over what environment variables say: for a program that takes URLs as arguments.
    ///
    /// The servers are those of the URLs, so that what the variables say about TLS counts only where a URL asks for TLS. User name,
    /// password and items are about all of the servers: one URL may give them, or several the same ones.
    ///
    /// - Returns: The configuration, and each topic once.
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
        var topics: [String] = []
        // Bytes, not characters: MQTT tells topics apart by them.
        for topic in all.compactMap(\.topic) where !topics.contains(where: { $0.utf8.elementsEqual(topic.utf8) }) {
            topics.append(topic)
        }
        return (try draft.finish(code: .invalidURL), topics)
    }

    /// Those variables of the process that ``init(environment:)`` knows.
    ///
    /// A password or the name of a file need not be UTF-8: bytes that are not stand in these values as private characters
    /// (U+10FE00 plus the byte), from which ``init(environment:)`` gets them back.
    public static var processEnvironment: [String: String] {
        var environment: [String: String] = [:]
        for name in Self.environmentVariables {
            if let value = getenv(name) { environment[name] = String(keepingCString: value) }
        }
        return environment
    }

    /// The names of all variables that ``init(environment:)`` knows.
    public static let environmentVariables: [String] =
        ["MQTT_URL", "MQTT_HOST", "MQTT_PORT", "MQTT_TLS", "MQTT_USERNAME", "MQTT_PASSWORD", "MQTT_PASSWORD_FILE"]
        + ConfigurationOption.all.map(\.variable)
}
