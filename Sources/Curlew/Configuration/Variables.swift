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

/// Environment variables, or settings and keys that have the same names without `MQTT_`.
struct Variables {
    /// Where they come from, and what errors call them.
    enum Source {
        case environment
        case settings
        case configReader
    }

    private let values: [String: String]
    private let source: Source

    /// - Parameter values: The values by the names of environment variables. Empty ones count as not set.
    init(_ values: [String: String], as source: Source) {
        self.values = values.filter { !$0.value.isEmpty }
        self.source = source
    }

    func has(_ variable: String) -> Bool { self.values[variable] != nil }

    /// The value of a variable, which must be UTF-8.
    func value(
        of variable: String, isSecret: Bool = false, isPath: Bool = false
    ) throws(MQTTError) -> OptionValue? {
        guard let text = self.values[variable] else { return nil }
        var value = OptionValue(
            text: text, origin: self.subject(variable), code: .invalidConfiguration, isSecret: isSecret)
        // The name of a file keeps its bytes.
        guard !isPath else { return value }
        guard let text = text.keptText else { throw value.error("is not UTF-8 text") }
        value.text = text
        return value
    }

    func value(of option: ConfigurationOption) throws(MQTTError) -> OptionValue? {
        try self.value(of: option.variable, isSecret: option.isSecret, isPath: option.isPath)
    }

    /// The value with all its bytes.
    func bytes(of variable: String) -> [UInt8]? { self.values[variable]?.keptBytes }

    /// The variable as the beginning of a sentence.
    func subject(_ variable: String) -> String {
        switch self.source {
        case .environment: "The environment variable \(variable)"
        case .settings: "The setting '\(Self.setting(variable))'"
        case .configReader: "The value of the key '\(Self.key(variable))'"
        }
    }

    /// Throws if both of two variables that exclude each other are set.
    func exclude(_ first: String, _ second: String) throws(MQTTError) {
        guard self.has(first), self.has(second) else { return }
        let subject =
            switch self.source {
            case .environment: "The environment variables \(first) and \(second)"
            case .settings: "The settings '\(Self.setting(first))' and '\(Self.setting(second))'"
            case .configReader: "The keys '\(Self.key(first))' and '\(Self.key(second))'"
            }
        throw MQTTError(.invalidConfiguration, "\(subject) are both set; leave one of them out.")
    }

    /// The name of the setting that corresponds to an environment variable: `keep-alive` for `MQTT_KEEP_ALIVE`.
    static func setting(_ variable: String) -> String {
        variable.dropFirst("MQTT_".count).lowercased().split(separator: "_").joined(separator: "-")
    }

    /// The key of swift-configuration that corresponds to an environment variable: `keepAlive` for `MQTT_KEEP_ALIVE`.
    static func key(_ variable: String) -> String {
        let words = variable.dropFirst("MQTT_".count).lowercased().split(separator: "_")
        return words.dropFirst().reduce(String(words.first ?? "")) { $0 + $1.prefix(1).uppercased() + $1.dropFirst() }
    }

    /// The configuration with these values.
    func applied(to configuration: MQTTConfiguration) throws(MQTTError) -> MQTTConfiguration {
        var draft = ConfigurationDraft(configuration)
        try draft.applyURL(self)
        draft.beginSource()
        for option in ConfigurationOption.all {
            if let value = try self.value(of: option) { try draft.apply(option, value) }
        }
        try draft.applyServer(self)
        try draft.applyCredentials(self)
        try draft.applySharedProxyVariables(self)
        return try draft.finish(code: .invalidConfiguration)
    }
}

extension String {
    /// The beginning of a sentence in the middle of one.
    var lowercasedFirst: String { self.prefix(1).lowercased() + self.dropFirst() }
}

// MARK: - What is not in the table of options

extension ConfigurationDraft {
    fileprivate mutating func applyURL(_ variables: Variables) throws(MQTTError) {
        guard let url = try variables.value(of: "MQTT_URL") else { return }
        for other in ["MQTT_HOST", "MQTT_PORT", "MQTT_TLS"] { try variables.exclude("MQTT_URL", other) }
        let parts: URLParts
        do throws(MQTTError) {
            parts = try URLParts(url.text)
        } catch {
            throw MQTTError(error.code, "\(url.origin) cannot be used: \(error.message)")
        }
        guard parts.topic == nil else {
            throw MQTTError(.invalidURL, "\(url.origin) has a topic after the host; leave it out.")
        }
        self.configuration.servers = [parts.server]
        try parts.apply(to: &self)
    }

    fileprivate mutating func applyServer(_ variables: Variables) throws(MQTTError) {
        guard !variables.has("MQTT_URL") else { return }
        let host = try variables.value(of: "MQTT_HOST")?.text
        let tls = try variables.value(of: "MQTT_TLS")
        var port: Int?
        if let value = try variables.value(of: "MQTT_PORT") {
            guard let number = UInt16(value.text), number > 0 else {
                throw value.error(mustBe: "a number from 1 to 65535")
            }
            port = Int(number)
        }
        guard host != nil || port != nil || tls != nil else { return }
        // Without a host, these values concern the server that the configuration already has, which keeps its TLS.
        let former = host == nil ? self.configuration.servers.first : nil
        let isSecure =
            try tls?.boolean() ?? (self.tlsOrigin != nil || port == 8883 || former?.scheme.isSecure == true)
        let scheme: MQTTConfiguration.Scheme = isSecure ? .mqtts : .mqtt
        if port == nil, let former, former.scheme == scheme { port = former.port }
        self.configuration.servers = [.init(host: host ?? former?.host ?? "localhost", port: port, scheme: scheme)]
    }

    mutating func applyCredentials(_ variables: Variables) throws(MQTTError) {
        var login: MQTTConfiguration.Login
        if case .fixed(let former) = self.configuration.credentials.source { login = former } else { login = .init() }
        let former = login
        if let username = try variables.value(of: "MQTT_USERNAME") { login.username = username.text }
        try variables.exclude("MQTT_PASSWORD", "MQTT_PASSWORD_FILE")
        if let password = variables.bytes(of: "MQTT_PASSWORD") {
            login.password = MQTTPassword(bytes: ByteBuffer(bytes: password))
        }
        if let path = try variables.value(of: "MQTT_PASSWORD_FILE", isPath: true) {
            login.password = try Self.password(in: path)
        }
        if login != former {
            self.configuration.credentials = .password(username: login.username, password: login.password)
        }
    }

    /// The content of a file, up to the length that MQTT allows, without the line break that an editor adds at its end.
    private static func password(in file: OptionValue) throws(MQTTError) -> MQTTPassword {
        func failure(_ reason: String) -> MQTTError {
            MQTTError(
                .invalidConfiguration,
                "The file '\(file.text)' that \(file.origin.lowercasedFirst) names cannot be used: \(reason).")
        }
        guard let stream = file.text.withKeptCString({ fopen($0, "rb") }) else {
            throw failure(String(cString: strerror(errno)))
        }
        defer { fclose(stream) }
        let maximum = 65_535
        var bytes = [UInt8](repeating: 0, count: maximum + 3)
        let count = fread(&bytes, 1, bytes.count, stream)
        guard ferror(stream) == 0 else { throw failure(String(cString: strerror(errno))) }
        bytes.removeLast(bytes.count - count)
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard !bytes.isEmpty else { throw failure("it is empty") }
        guard bytes.count <= maximum else { throw failure("it is longer than \(maximum) bytes") }
        return MQTTPassword(bytes: ByteBuffer(bytes: bytes))
    }
}
