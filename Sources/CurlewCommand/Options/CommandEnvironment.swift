#if Tools
import Curlew

/// The environment variables that set what no option sets: those of the library, `MQTT_…`, and those of the command,
/// `CURLEW_…`, which override them.
struct CommandEnvironment {
    /// The values, by the library's names.
    private(set) var variables: [String: String] = [:]
    /// The names under which variables of the command were set, by the library's names.
    private var names: [String: String] = [:]
    /// The options that have set variables, by the library's names.
    private var options: [String: String] = [:]
    private let preSharedKeyText: String?

    /// Variables that set the same thing or exclude each other: a variable of the command removes the library's.
    private static let rivals: [String: [String]] = [
        "MQTT_URL": ["MQTT_HOST", "MQTT_PORT", "MQTT_TLS"], "MQTT_HOST": ["MQTT_URL"], "MQTT_PORT": ["MQTT_URL"],
        "MQTT_TLS": ["MQTT_URL"], "MQTT_PASSWORD": ["MQTT_PASSWORD_FILE"],
        "MQTT_PASSWORD_FILE": ["MQTT_PASSWORD"], "MQTT_CLIENT_ID": ["MQTT_CLIENT_ID_PREFIX"],
        "MQTT_CLIENT_ID_PREFIX": ["MQTT_CLIENT_ID"], "MQTT_CA": ["MQTT_CA_FILE", "MQTT_CA_DIRECTORY"],
        "MQTT_CA_FILE": ["MQTT_CA", "MQTT_CA_DIRECTORY"], "MQTT_CA_DIRECTORY": ["MQTT_CA", "MQTT_CA_FILE"],
        "MQTT_CERTIFICATE": ["MQTT_CERTIFICATE_FILE"], "MQTT_CERTIFICATE_FILE": ["MQTT_CERTIFICATE"],
        "MQTT_PRIVATE_KEY": ["MQTT_PRIVATE_KEY_FILE"], "MQTT_PRIVATE_KEY_FILE": ["MQTT_PRIVATE_KEY"],
    ]

    /// - Parameter variable: Returns the value of a variable; `nil` if it is unset or empty.
    init(variable: (String) -> String?) {
        for name in MQTTConfiguration.environmentVariables + MQTTConfiguration.proxyVariables {
            self.variables[name] = variable(name)
        }
        for name in MQTTConfiguration.environmentVariables {
            let own = "CURLEW_" + name.dropFirst("MQTT_".count)
            guard let value = variable(own) else { continue }
            for rival in Self.rivals[name] ?? [] where self.names[rival] == nil { self.variables[rival] = nil }
            self.variables[name] = value
            self.names[name] = own
        }
        self.preSharedKeyText = variable("CURLEW_PSK")
    }

    subscript(name: String) -> String? {
        get { self.variables[name] }
        set { self.variables[name] = newValue }
    }

    /// Sets a variable to the value of an option.
    mutating func set(_ name: String, _ value: String, by option: String) {
        self.variables[name] = value
        self.options[name] = option
    }

    /// The name under which a variable was set, given the library's name.
    func name(of variable: String) -> String { self.names[variable] ?? variable }

    /// Removes variables that an option overrides.
    mutating func remove(_ names: String...) {
        for name in names { self.variables[name] = nil }
    }

    func preSharedKey() throws -> HexadecimalKey? {
        guard let text = self.preSharedKeyText else { return nil }
        guard let key = HexadecimalKey(argument: text) else {
            throw CommandFailure("The environment variable CURLEW_PSK must be hexadecimal digits, two for each byte.")
        }
        return key
    }

    /// An error with the library's names of variables replaced by the names under which they were set, or by options.
    func renamed(_ error: MQTTError) -> MQTTError {
        var error = error
        // Longer names first: some are prefixes of others.
        for (name, option) in self.options.sorted(by: { $0.key.count > $1.key.count }) {
            for beginning in ["The environment variable ", "the environment variable "] {
                error.message = error.message.replacing(beginning + name, with: option)
            }
        }
        for (name, own) in self.names.sorted(by: { $0.key.count > $1.key.count }) {
            error.message = error.message.split(separator: " ", omittingEmptySubsequences: false)
                .map { $0 == name ? Substring(own) : $0 }.joined(separator: " ")
        }
        return error
    }
}
#endif
