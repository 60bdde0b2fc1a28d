import CurlewCore
import CurlewTransport

extension MQTTConfiguration {
    /// A client of AWS IoT Core with a certificate, from these environment variables:
    ///
    /// | variable                                                          | value |
    /// |-------------------------------------------------------------------|-------|
    /// | `AWS_IOT_CORE_ENDPOINT`                                           | the host name of the data endpoint |
    /// | `AWS_IOT_CLIENT_ID`                                               | the client identifier |
    /// | `AWS_IOT_PATH_TO_CERT` or `AWS_IOT_CERT_BASE64`                   | the client certificate: a file, or Base64 of PEM or DER |
    /// | `AWS_IOT_PATH_TO_KEY` or `AWS_IOT_KEY_BASE64`                     | its private key, likewise |
    /// | `AWS_IOT_PATH_TO_ROOT_CERT` or `AWS_IOT_ROOT_CERT_BASE64`         | the trusted authorities, likewise; default: those of the operating system |
    ///
    /// If both variables of a pair are set, the file is used, or the Base64 if there is no such file.
    /// ``awsIoTTopic(environment:)`` reads `AWS_IOT_MQTT_TOPIC`.
    ///
    /// - Parameters:
    ///   - environment: The variables. Default: those of the process.
    ///   - writesMissingFiles: Whether to decode the Base64 and write it to the path if that file is missing, readable
    ///     only by its owner. Default: `false`, the Base64 is used from memory.
    ///   - port: 8883, or 443, which firewalls usually permit. Default: 8883.
    /// - Throws: ``MQTTError`` with the code `.invalidConfiguration` that names the variable and quotes no secret, or
    ///   what ``validate()`` throws.
    public static func awsIoT(
        environment: [String: String] = Self.awsIoTEnvironment, writesMissingFiles: Bool = false, port: Int = 8883
    ) throws(MQTTError) -> Self {
        let variables = AWSIoTVariables(environment, writesMissingFiles: writesMissingFiles)
        let endpoint = try variables.required("AWS_IOT_CORE_ENDPOINT", "the host name of the data endpoint")
        let identifier = try variables.required("AWS_IOT_CLIENT_ID", "the client identifier that the policy permits")
        let certificate = TLSSettings.Identity(
            chain: try variables.requiredMaterial("CERT", "the client certificate"),
            key: try variables.requiredMaterial("KEY", "the private key of the client certificate"))
        let configuration = try Self.awsIoT(
            endpoint: endpoint, clientIdentifier: identifier,
            authentication: .certificate(certificate, port: port),
            trustRoots: try variables.material("ROOT_CERT").map { .certificates($0) } ?? .system)
        try configuration.validate()
        return configuration
    }

    /// The configuration in the environment of the process: of AWS IoT Core if `AWS_IOT_CORE_ENDPOINT` is set (see
    /// ``awsIoT(environment:writesMissingFiles:port:)``), otherwise of any broker (see ``init(environment:)``).
    ///
    /// For programs that run in the cloud and, without a change, against a broker on the developer's machine.
    ///
    /// - Throws: ``MQTTError`` with the code `.invalidConfiguration` or `.invalidURL` that names the variable.
    public static func fromEnvironment() throws(MQTTError) -> Self {
        let aws = Self.awsIoTEnvironment
        if let endpoint = aws["AWS_IOT_CORE_ENDPOINT"], !endpoint.isEmpty { return try Self.awsIoT(environment: aws) }
        return try Self(environment: Self.processEnvironment)
    }

    /// The topic in the environment variable `AWS_IOT_MQTT_TOPIC`; `nil` if it is not set.
    ///
    /// - Parameter environment: The variables. Default: those of the process.
    public static func awsIoTTopic(environment: [String: String] = Self.awsIoTEnvironment) -> String? {
        environment["AWS_IOT_MQTT_TOPIC"].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The variables of the process that ``awsIoT(environment:writesMissingFiles:port:)`` and
    /// ``awsIoTTopic(environment:)`` read.
    public static var awsIoTEnvironment: [String: String] { Self.processEnvironment(of: AWSIoTVariables.names) }
}

/// The environment variables of a device of AWS IoT Core.
private struct AWSIoTVariables {
    static let names = [
        "AWS_IOT_CORE_ENDPOINT", "AWS_IOT_CLIENT_ID", "AWS_IOT_PATH_TO_CERT", "AWS_IOT_PATH_TO_KEY",
        "AWS_IOT_PATH_TO_ROOT_CERT", "AWS_IOT_CERT_BASE64", "AWS_IOT_KEY_BASE64", "AWS_IOT_ROOT_CERT_BASE64",
        "AWS_IOT_MQTT_TOPIC",
    ]

    private let values: [String: String]
    private let writesMissingFiles: Bool

    init(_ environment: [String: String], writesMissingFiles: Bool) {
        self.values = environment.filter { !$0.value.isEmpty }
        self.writesMissingFiles = writesMissingFiles
    }

    func required(_ name: String, _ what: String) throws(MQTTError) -> String {
        guard let value = self.values[name] else {
            throw MQTTError(
                .invalidConfiguration, "The environment variable \(name) is not set; set it to \(what).")
        }
        guard let text = value.keptText else {
            throw MQTTError(.invalidConfiguration, "The environment variable \(name) is not UTF-8 text.")
        }
        return text
    }

    func requiredMaterial(_ item: String, _ what: String) throws(MQTTError) -> TLSSettings.Material {
        if let material = try self.material(item) { return material }
        throw MQTTError(
            .invalidConfiguration,
            "Neither AWS_IOT_PATH_TO_\(item) nor AWS_IOT_\(item)_BASE64 is set; set one of them to the file or the Base64 "
                + "of \(what).")
    }

    /// A certificate or key, from a file or from memory.
    func material(_ item: String) throws(MQTTError) -> TLSSettings.Material? {
        let (path, text) = (self.values["AWS_IOT_PATH_TO_\(item)"], self.values["AWS_IOT_\(item)_BASE64"])
        guard let path else { return text.map { .base64($0) } }
        guard let text, !Files.exists(path) else { return .file(path) }
        guard self.writesMissingFiles else { return .base64(text) }
        try self.write(text, to: path, item)
        return .file(path)
    }

    private func write(_ text: String, to path: String, _ item: String) throws(MQTTError) {
        guard let bytes = Base64.decode(text) else {
            throw MQTTError(
                .invalidConfiguration,
                "The environment variable AWS_IOT_\(item)_BASE64 is not valid Base64; encode the file with `base64`.")
        }
        do throws(Files.Failure) {
            try ReplacedFile(path).replace(with: bytes)
        } catch {
            throw MQTTError(
                .invalidConfiguration,
                "The file \(path) that AWS_IOT_PATH_TO_\(item) names could not be written: \(error.reason).")
        }
    }
}
