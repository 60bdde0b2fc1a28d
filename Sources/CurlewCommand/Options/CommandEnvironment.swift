#if Tools
import Curlew

/// The variables that give what the options do not: those of the library, `MQTT_…`, and in their place, where both are set,
/// those of the command, `CURLEW_…`.
struct CommandEnvironment {
    /// By the names of the library.
    private(set) var variables: [String: String] = [:]
    /// By what name a person knows a variable that was set for the command.
    private var names: [String: String] = [:]
    /// The options that have set variables in the place of a person.
    private var options: [String: String] = [:]
    private let preSharedKeyText: String?

    /// Variables that say the same, or cannot be together: one that is set for the command takes their place.
    private static let rivals: [String: [String]] = [
        "MQTT_URL": ["MQTT_HOST", "MQTT_PORT", "MQTT_TLS"], "MQTT_HOST": ["MQTT_URL"], "MQTT_PORT": ["MQTT_URL"],
        "MQTT_TLS": ["MQTT_URL"], "MQTT_PASSWORD": ["MQTT_PASSWORD_FILE"],
        "MQTT_PASSWORD_FILE": ["MQTT_PASSWORD"], "MQTT_CLIENT_ID": ["MQTT_CLIENT_ID_PREFIX"],
        "MQTT_CLIENT_ID_PREFIX": ["MQTT_CLIENT_ID"], "MQTT_CA": ["MQTT_CA_FILE", "MQTT_CA_DIRECTORY"],
        "MQTT_CA_FILE": ["MQTT_CA", "MQTT_CA_DIRECTORY"], "MQTT_CA_DIRECTORY": ["MQTT_CA", "MQTT_CA_FILE"],
        "MQTT_CERTIFICATE": ["MQTT_CERTIFICATE_FILE"], "MQTT_CERTIFICATE_FILE": ["MQTT_CERTIFICATE"],
        "MQTT_PRIVATE_KEY": ["MQTT_PRIVATE_KEY_FILE"], "MQTT_PRIVATE_KEY_FILE": ["MQTT_PRIVATE_KEY"],
    ]

    /// - Parameter variable: Gives the value of a variable; `nil` where it is not set or empty.
    init(variable: (String) -> String?) {
        for name in MQTTConfiguration.environmentVariables { self.variables[name] = variable(name) }
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

    /// Sets a variable as an option says it.
    mutating func set(_ name: String, _ value: String, by option: String) {
        self.variables[name] = value
        self.options[name] = option
    }

    /// The name under which a variable was set.
    func name(of variable: String) -> String { self.names[variable] ?? variable }

    /// Takes out what an option says in their place.
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

    /// An error about variables, by the names under which they were set, or by the options that took their place.
    func renamed(_ error: MQTTError) -> MQTTError {
        var error = error
        // Longer names first: some are the beginning of others.
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
