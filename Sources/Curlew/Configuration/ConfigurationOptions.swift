import CurlewCore
import CurlewTransport

/// A configuration while it is built from a URL or the environment, with options that need more than one value.
struct ConfigurationDraft {
    var configuration: MQTTConfiguration
    private var certificate: TLSSettings.Material?
    private var privateKey: TLSSettings.Material?
    private var passphrase: String?
    /// Whether an option has set the proxy, or that there is none.
    var isProxyDecided = false
    /// The option about TLS that was applied last, as the beginning of a sentence.
    private(set) var tlsOrigin: String?
    /// The subjects set since the last `beginSource`, and by which option.
    private var origins: [ConfigurationOption.Subject: String] = [:]

    init(_ configuration: MQTTConfiguration) { self.configuration = configuration }

    /// From now on, options may override earlier ones.
    mutating func beginSource() { self.origins = [:] }

    mutating func apply(_ option: ConfigurationOption, _ value: OptionValue) throws(MQTTError) {
        if let other = self.origins.updateValue(value.origin, forKey: option.subject) {
            throw value.error(
                other == value.origin ? "is given twice" : "sets the same as \(other.lowercasedFirst); leave one out")
        }
        if option.isAboutTLS { self.tlsOrigin = value.origin }
        try option.apply(&self, value)
    }

    /// Applies and checks what needs more than one value.
    mutating func finish(code: MQTTError.Code) throws(MQTTError) -> MQTTConfiguration {
        switch (self.certificate, self.privateKey) {
        case (let certificate?, let key):
            // Without a key, it may be a PKCS#12 bundle. The content, which is read later, tells.
            self.configuration.tls.clientCertificate = .init(chain: certificate, key: key, passphrase: self.passphrase)
        case (nil, _?):
            throw MQTTError(code, "The private key has no certificate; give the certificate as well.")
        case (nil, nil):
            if self.passphrase != nil {
                throw MQTTError(
                    code, "The passphrase has no private key; give the key and its certificate, or a PKCS#12 bundle.")
            }
        }
        // Someone who names a certificate authority expects encryption.
        if let origin = self.tlsOrigin, !self.configuration.servers.contains(where: \.scheme.isSecure) {
            throw MQTTError(
                code, "\(origin) is about TLS, but the connection does not use TLS; use mqtts:// or wss://.")
        }
        return self.configuration
    }
}

/// The text of an option, with its origin for error messages.
struct OptionValue {
    var text: String
    /// The beginning of a sentence: `The item 'keep-alive' of the URL`.
    let origin: String
    let code: MQTTError.Code
    /// Error messages do not quote a secret.
    var isSecret = false

    func error(_ predicate: String) -> MQTTError { MQTTError(self.code, "\(self.origin) \(predicate).") }

    func error(mustBe what: String) -> MQTTError {
        self.error(self.isSecret ? "must be \(what)" : "is '\(self.text)'; it must be \(what)")
    }

    func boolean() throws(MQTTError) -> Bool {
        switch self.text.lowercased() {
        case "true", "yes", "on", "1": return true
        case "false", "no", "off", "0": return false
        default: throw self.error(mustBe: "true or false")
        }
    }

    func integer() throws(MQTTError) -> Int {
        guard self.text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int(self.text) else {
            throw self.error(mustBe: "a whole number")
        }
        return value
    }

    /// Parses a number with the unit ms, s, m, h or d; seconds without a unit.
    func duration() throws(MQTTError) -> Duration {
        let digits = self.text.utf8.prefix { (0x30...0x39).contains($0) }
        let unit = self.text.utf8[digits.endIndex...]
        let units: [String: Int64] = ["ms": 1, "": 1000, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
        guard let number = Int64(Substring(digits)), let factor = units[String(Substring(unit))] else {
            throw self.error(
                mustBe: "a number of seconds, or a number with one of the units ms, s, m, h or d, as in 90s")
        }
        let (milliseconds, overflow) = number.multipliedReportingOverflow(by: factor)
        if overflow { throw self.error(mustBe: "a shorter time") }
        return .milliseconds(milliseconds)
    }

    /// Parses the URL of a proxy; `none` for a direct connection.
    func proxy() throws(MQTTError) -> ProxySettings? {
        guard self.text.lowercased() != "none" else { return nil }
        do throws(TransportError) { return try ProxySettings(url: self.text) } catch {
            throw self.error("is not a proxy; \(error.message.lowercasedFirst)")
        }
    }

    func choice<Value>(_ choices: KeyValuePairs<String, Value>) throws(MQTTError) -> Value {
        let text = self.text.lowercased()
        if let match = choices.first(where: { $0.key == text }) { return match.value }
        throw self.error(mustBe: "one of " + choices.map(\.key).joined(separator: ", "))
    }

    /// PEM if the text looks like it, otherwise Base64 of PEM, DER or a PKCS#12 bundle.
    func material() -> TLSSettings.Material {
        // Some stores of environment variables do not keep line breaks; people write `\n` there.
        let text = self.text.split(separator: "\\n", omittingEmptySubsequences: false).joined(separator: "\n")
        return text.contains("-----BEGIN ") ? .pem(text) : .base64(self.text)
    }
}

// MARK: - The table of options

/// An option of a URL or of the environment.
struct ConfigurationOption: Sendable {
    /// What the option sets. A URL or the environment may set it only once.
    enum Subject: Hashable, Sendable {
        case version, clientIdentifier, keepAlive, connectTimeout, cleanStart, sessionExpiry, receiveMaximum,
            maximumInFlight, proxy
        case maximumPacketSize, reconnect, reconnectAttempts, reconnectInitialDelay, reconnectMaximumDelay
        case acknowledgementTimeout, defaultQoS, defaultRetain
        case trustRoots, revocationLists, certificate, privateKey, passphrase, serverName, applicationProtocols,
            minimumTLS, verification
    }

    let subject: Subject
    /// The name of the query item; `nil` for an option that does not belong in a URL.
    let item: String?
    let variable: String
    var isAboutTLS: Bool = false
    var isSecret: Bool = false
    /// Whether the value is a file name, which need not be UTF-8.
    var isPath: Bool = false
    let apply: @Sendable (inout ConfigurationDraft, OptionValue) throws(MQTTError) -> Void

    static let all: [Self] = Self.general + Self.more + ConfigurationDraft.tlsOptions

    private static let general: [Self] = [
        Self(subject: .version, item: "version", variable: "MQTT_VERSION") { draft, value throws(MQTTError) in
            draft.configuration.connection.version = try value.choice([
                "automatic": .automatic, "5": .exactly(.v5_0), "5.0": .exactly(.v5_0), "3.1.1": .exactly(.v3_1_1),
                "3.1": .exactly(.v3_1),
            ])
        },
        Self(subject: .clientIdentifier, item: "client-id", variable: "MQTT_CLIENT_ID") { draft, value in
            draft.configuration.clientIdentifier = .given(value.text)
        },
        Self(subject: .clientIdentifier, item: "client-id-prefix", variable: "MQTT_CLIENT_ID_PREFIX") { draft, value in
            draft.configuration.clientIdentifier = .generated(prefix: value.text)
        },
        Self(subject: .keepAlive, item: "keep-alive", variable: "MQTT_KEEP_ALIVE") { draft, value throws(MQTTError) in
            draft.configuration.connection.keepAlive = try value.duration()
        },
        Self(subject: .connectTimeout, item: "connect-timeout", variable: "MQTT_CONNECT_TIMEOUT") {
            draft, value throws(MQTTError) in
            draft.configuration.connection.connectTimeout = try value.duration()
        },
        Self(subject: .cleanStart, item: "clean-start", variable: "MQTT_CLEAN_START") {
            draft, value throws(MQTTError) in
            draft.configuration.session.cleanStart = try value.boolean()
        },
        Self(subject: .sessionExpiry, item: "session-expiry", variable: "MQTT_SESSION_EXPIRY") {
            draft, value throws(MQTTError) in
            draft.configuration.session.expiry =
                value.text.lowercased() == "never" ? .never : .after(try value.duration())
        },
        Self(subject: .receiveMaximum, item: "receive-maximum", variable: "MQTT_RECEIVE_MAXIMUM") {
            draft, value throws(MQTTError) in
            draft.configuration.session.receiveMaximum = try value.integer()
        },
        Self(subject: .maximumInFlight, item: "maximum-in-flight", variable: "MQTT_MAXIMUM_IN_FLIGHT") {
            draft, value throws(MQTTError) in
            draft.configuration.session.maximumInFlightMessages = try value.integer()
        },
        Self(subject: .maximumPacketSize, item: "maximum-packet-size", variable: "MQTT_MAXIMUM_PACKET_SIZE") {
            draft, value throws(MQTTError) in
            draft.configuration.session.maximumPacketSize = try value.integer()
        },
        Self(subject: .proxy, item: "proxy", variable: "MQTT_PROXY", isSecret: true) { draft, value throws(MQTTError) in
            draft.configuration.proxy = try value.proxy()
            draft.isProxyDecided = true
        },
        Self(subject: .reconnect, item: "reconnect", variable: "MQTT_RECONNECT") { draft, value throws(MQTTError) in
            draft.configuration.reconnect.isEnabled = try value.boolean()
        },
    ]

    private static let more: [Self] = [
        Self(subject: .reconnectAttempts, item: "reconnect-attempts", variable: "MQTT_RECONNECT_ATTEMPTS") {
            draft, value throws(MQTTError) in
            draft.configuration.reconnect.maximumAttempts = try value.integer()
        },
        Self(
            subject: .reconnectInitialDelay, item: "reconnect-initial-delay", variable: "MQTT_RECONNECT_INITIAL_DELAY"
        ) { draft, value throws(MQTTError) in
            draft.configuration.reconnect.initialDelay = try value.duration()
        },
        Self(
            subject: .reconnectMaximumDelay, item: "reconnect-maximum-delay", variable: "MQTT_RECONNECT_MAXIMUM_DELAY"
        ) { draft, value throws(MQTTError) in
            draft.configuration.reconnect.maximumDelay = try value.duration()
        },
        Self(
            subject: .acknowledgementTimeout, item: "acknowledgement-timeout", variable: "MQTT_ACKNOWLEDGEMENT_TIMEOUT"
        ) { draft, value throws(MQTTError) in
            draft.configuration.connection.acknowledgementTimeout = try value.duration()
        },
        Self(subject: .defaultQoS, item: "default-qos", variable: "MQTT_DEFAULT_QOS") {
            draft, value throws(MQTTError) in
            draft.configuration.publishing.qos = try value.choice([
                "0": .atMostOnce, "1": .atLeastOnce, "2": .exactlyOnce,
            ])
        },
        Self(subject: .defaultRetain, item: "default-retain", variable: "MQTT_DEFAULT_RETAIN") {
            draft, value throws(MQTTError) in
            draft.configuration.publishing.retain = try value.boolean()
        },
    ]
}

extension ConfigurationDraft {
    fileprivate static let tlsOptions: [ConfigurationOption] = [
        tls(.trustRoots, "ca", "MQTT_CA_FILE", isPath: true) { draft, value in
            draft.configuration.tls.trustRoots = .file(value.text)
        },
        tls(.trustRoots, "ca-directory", "MQTT_CA_DIRECTORY", isPath: true) { draft, value in
            draft.configuration.tls.trustRoots = .directory(value.text)
        },
        tls(.trustRoots, nil, "MQTT_CA") { draft, value in
            draft.configuration.tls.trustRoots = .certificates(value.material())
        },
        tls(.revocationLists, "crl", "MQTT_CRL_FILE", isPath: true) { draft, value in
            draft.configuration.tls.revocationLists = [.file(value.text)]
        },
        tls(.certificate, "cert", "MQTT_CERTIFICATE_FILE", isPath: true) { draft, value in
            draft.certificate = .file(value.text)
        },
        tls(.certificate, nil, "MQTT_CERTIFICATE", isSecret: true) { draft, value in
            draft.certificate = value.material()
        },
        tls(.privateKey, "key", "MQTT_PRIVATE_KEY_FILE", isPath: true) { draft, value in
            draft.privateKey = .file(value.text)
        },
        tls(.privateKey, nil, "MQTT_PRIVATE_KEY", isSecret: true) { draft, value in
            draft.privateKey = value.material()
        },
        tls(.passphrase, nil, "MQTT_PRIVATE_KEY_PASSPHRASE", isSecret: true) { draft, value in
            draft.passphrase = value.text
        },
        tls(.serverName, "server-name", "MQTT_SERVER_NAME") { draft, value in
            draft.configuration.tls.serverName = value.text
        },
        tls(.applicationProtocols, "alpn", "MQTT_ALPN") { draft, value in
            draft.configuration.tls.applicationProtocols = value.text.split(separator: ",").map(String.init)
        },
        tls(.minimumTLS, "minimum-tls", "MQTT_MINIMUM_TLS") { draft, value throws(MQTTError) in
            var value = value
            // As a number of JSON, 1.0 is 1.
            if value.text == "1" { value.text = "1.0" }
            draft.configuration.tls.minimumVersion = try value.choice([
                "1.0": .tls10, "1.1": .tls11, "1.2": .tls12, "1.3": .tls13,
            ])
        },
        tls(.verification, "insecure", "MQTT_INSECURE") { draft, value throws(MQTTError) in
            draft.configuration.tls.verification = try value.choice([
                "any-host-name": .insecureAnyHostName, "any-certificate": .insecureAnyCertificate,
            ])
        },
    ]

    private static func tls(
        _ subject: ConfigurationOption.Subject, _ item: String?, _ variable: String, isSecret: Bool = false,
        isPath: Bool = false,
        apply: @escaping @Sendable (inout ConfigurationDraft, OptionValue) throws(MQTTError) -> Void
    ) -> ConfigurationOption {
        ConfigurationOption(
            subject: subject, item: item, variable: variable, isAboutTLS: true, isSecret: isSecret,
            isPath: isPath, apply: apply)
    }
}
