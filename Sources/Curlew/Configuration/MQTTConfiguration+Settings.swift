extension MQTTConfiguration: Decodable {
    /// Reads a configuration from a dictionary of settings.
    ///
    /// ```swift
    /// let configuration = try MQTTConfiguration(settings: [
    ///     "url": "mqtts://broker.example.com", "client-id": "kitchen", "keep-alive": "90s", "ca-file": "/etc/ca.pem",
    /// ])
    /// ```
    ///
    /// The settings and their values are those of ``init(environment:)``; their names are the names of the variables
    /// without `MQTT_`, such as `client-id` for `MQTT_CLIENT_ID`. Upper and lower case, `-` and `_` make no difference:
    /// `clientId` and `client_id` are `client-id`. Unlike variables, unknown settings are errors.
    ///
    /// - Parameter settings: The values by the names of the settings. A setting with an empty value counts as not set.
    /// - Throws: ``MQTTError`` with the code `.invalidConfiguration` (`.invalidURL` for `url`) that names the setting
    ///   and quotes no secret, or what ``validate()`` throws.
    public init(settings: [String: String]) throws(MQTTError) {
        var values: [String: String] = [:]
        // In the order of their names, so that the same error comes each time.
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) where !value.isEmpty {
            guard let variable = Self.variablesBySetting[Self.comparable(name)] else {
                let known = Self.environmentVariables.map(Variables.setting).joined(separator: ", ")
                throw MQTTError(
                    .invalidConfiguration, "There is no setting '\(name.prefix(100))'; the settings are: \(known).")
            }
            guard values.updateValue(value, forKey: variable) == nil else {
                throw MQTTError(.invalidConfiguration, "The setting '\(Variables.setting(variable))' is given twice.")
            }
        }
        self = try Variables(values, as: .settings).applied(to: MQTTConfiguration())
        try self.validate()
    }

    /// Decodes a configuration from a keyed container, such as an object of JSON or a mapping of YAML.
    ///
    /// ```json
    /// {"url": "mqtts://broker.example.com", "clientId": "kitchen", "keepAlive": 90, "cleanStart": false, "alpn": ["mqtt"]}
    /// ```
    ///
    /// The keys are the settings of ``init(settings:)``. A value is a string, a number or a Boolean; that of `alpn` may
    /// be an array. `null` counts as not set.
    ///
    /// - Throws: ``MQTTError`` as ``init(settings:)`` does, or `DecodingError` if the decoder finds something else.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: SettingName.self)
        var settings: [String: String] = [:]
        for key in container.allKeys {
            guard let value = try container.decode(SettingValue?.self, forKey: key) else { continue }
            guard !value.isList || Self.comparable(key.stringValue) == "alpn" else {
                throw MQTTError(
                    .invalidConfiguration,
                    "The setting '\(key.stringValue.prefix(100))' is a list; it must be one value.")
            }
            settings[key.stringValue] = value.text
        }
        try self.init(settings: settings)
    }

    private static let variablesBySetting: [String: String] = Dictionary(
        uniqueKeysWithValues: Self.environmentVariables.map { (Self.comparable(Variables.setting($0)), $0) })

    /// The name without what makes no difference.
    private static func comparable(_ name: String) -> String {
        name.lowercased().filter { $0 != "-" && $0 != "_" }
    }
}

private struct SettingName: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// A value as a dictionary of settings has it.
private struct SettingValue: Decodable {
    let text: String
    let isList: Bool

    init(from decoder: any Decoder) throws {
        if var elements = try? decoder.unkeyedContainer() {
            var texts: [String] = []
            while !elements.isAtEnd { texts.append(try elements.decode(SettingValue.self).text) }
            self.text = texts.joined(separator: ",")
            self.isList = true
            return
        }
        self.isList = false
        let container = try decoder.singleValueContainer()
        // The string first: a decoder of YAML offers a scalar as several types, and `007` must not become 7.
        if let text = try? container.decode(String.self) {
            self.text = text
        } else if let boolean = try? container.decode(Bool.self) {
            self.text = "\(boolean)"
        } else if let number = try? container.decode(Int.self) {
            self.text = "\(number)"
        } else {
            let number = try container.decode(Double.self)
            // Beyond this, different numbers have the same value: a password of digits would become another one.
            guard number.magnitude < Double(1 << 53) else {
                throw Swift.DecodingError.dataCorruptedError(
                    in: container, debugDescription: "The number is too large; write it as a string.")
            }
            self.text = "\(number)"
        }
    }
}
