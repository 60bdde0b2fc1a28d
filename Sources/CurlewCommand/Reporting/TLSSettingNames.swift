#if Tools
import CurlewTransport

/// What a person who calls the command knows the settings of TLS by: the option or the variable that was given, or the option to give.
struct TLSSettingNames {
    private let arguments: [String]
    private let variable: (String) -> String?

    static var ofProcess: Self { Self(arguments: CommandLine.arguments, variable: environmentVariable) }

    /// - Parameter variable: Gives the value of a variable of the environment; `nil` where it is not set or empty.
    init(arguments: [String], variable: @escaping (String) -> String?) {
        self.arguments = arguments
        self.variable = variable
    }

    func name(_ setting: TLSSetting) -> String {
        switch setting {
        case .trustRoots:
            self.given(["--cafile", "--capath"], ["CA_FILE", "CA_DIRECTORY", "CA"]) ?? "--cafile"
        case .clientCertificate: self.given(["--cert"], ["CERTIFICATE_FILE", "CERTIFICATE"]) ?? "--cert"
        case .clientKey: self.given(["--key"], ["PRIVATE_KEY_FILE", "PRIVATE_KEY"]) ?? "--key"
        case .clientKeyPassphrase:
            self.given([], ["PRIVATE_KEY_PASSPHRASE"]) ?? "CURLEW_PRIVATE_KEY_PASSPHRASE"
        case .serverName: self.given([], ["SERVER_NAME"]) ?? "CURLEW_SERVER_NAME"
        case .minimumVersion: self.given(["--tls-version"], ["MINIMUM_TLS"]) ?? "--tls-version"
        case .cipherSuites: "--ciphers"
        case .applicationProtocols: self.given(["--tls-alpn"], ["ALPN"]) ?? "--tls-alpn"
        case .preSharedKey: self.given(["--psk"], ["PSK"]) ?? "--psk"
        case .brokerCertificate: "--tls-cert"
        case .brokerKey: "--tls-key"
        case .brokerKeyPassphrase: "CURLEW_BROKER_TLS_KEY_PASSPHRASE"
        case .clientAuthorities, .chainAuthorities: "--tls-ca"
        case .brokerCipherSuites: "--ciphers"
        }
    }

    /// The first of the options or of the variables that is set; the command line counts before the environment.
    private func given(_ options: [String], _ variables: [String]) -> String? {
        let option = options.first { option in
            self.arguments.contains { $0 == option || $0.hasPrefix("\(option)=") }
        }
        if let option { return option }
        for variable in variables {
            for name in ["CURLEW_\(variable)", "MQTT_\(variable)"] where self.variable(name) != nil { return name }
        }
        return nil
    }
}
#endif
