#if Configuration
public import Configuration

extension MQTTConfiguration {
    /// Reads a configuration with swift-configuration, for example from a JSON file below environment variables.
    ///
    /// ```swift
    /// let config = ConfigReader(providers: [
    ///     EnvironmentVariablesProvider(), try await FileProvider<JSONSnapshot>(filePath: "/etc/app.json"),
    /// ])
    /// let configuration = try MQTTConfiguration(config: config.scoped(to: "mqtt"))
    /// ```
    ///
    /// The values are those of ``init(environment:)``; the keys are the names of the variables without `MQTT_`, in camel
    /// case, such as `keepAlive` for `MQTT_KEEP_ALIVE`. Below the scope `mqtt`, an `EnvironmentVariablesProvider`
    /// therefore reads exactly those variables. A value may also be a number or a Boolean, and that of `alpn` an array.
    /// An empty value counts as not set, as does a value of any other type. Passwords, keys and URLs are read as secrets.
    /// Needs the package trait `Configuration`, which is enabled by default.
    ///
    /// Proxy variables that many programs share, such as `ALL_PROXY`, are not read.
    ///
    /// - Parameter config: The reader. Values are read once; later changes have no effect.
    /// - Throws: ``MQTTError`` with the code `.invalidConfiguration` (`.invalidURL` for `url`) that names the key and
    ///   quotes no secret, or what ``validate()`` throws.
    public init(config: ConfigReader) throws(MQTTError) {
        let secrets = Set(["MQTT_URL", "MQTT_PASSWORD"] + ConfigurationOption.all.filter(\.isSecret).map(\.variable))
        var values: [String: String] = [:]
        for variable in Self.environmentVariables {
            values[variable] = config.text(
                ConfigKey(Variables.key(variable)), isSecret: secrets.contains(variable),
                mayBeList: variable == "MQTT_ALPN")
        }
        self = try Variables(values, as: .configReader).applied(to: MQTTConfiguration())
        try self.validate()
    }
}

extension ConfigReader {
    /// A value of any type that a setting may have; providers of files do not convert numbers to text.
    fileprivate func text(_ key: ConfigKey, isSecret: Bool, mayBeList: Bool) -> String? {
        if let text = self.string(forKey: key, isSecret: isSecret) { return text }
        if let number = self.int(forKey: key, isSecret: isSecret) { return "\(number)" }
        if let number = self.double(forKey: key, isSecret: isSecret) { return "\(number)" }
        if let boolean = self.bool(forKey: key, isSecret: isSecret) { return "\(boolean)" }
        guard mayBeList else { return nil }
        return self.stringArray(forKey: key, isSecret: isSecret)?.joined(separator: ",")
    }
}
#endif
