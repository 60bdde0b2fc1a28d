#if Tools
import CurlewTransport

/// The command line's names for TLS settings: the option or the environment variable that was given, otherwise the
/// option to give.
struct TLSSettingNames {
    private let arguments: [String]
    private let variable: (String) -> String?

    static var ofProcess: Self { Self(arguments: CommandLine.arguments, variable: environmentVariable) }

    /// - Parameter variable: Returns the value of an environment variable; `nil` if it is unset or empty.
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
        case .revocationLists: self.given(["--crlfile"], ["CRL_FILE"]) ?? "--crlfile"
        case .brokerCertificate: "--tls-cert"
        case .brokerKey: "--tls-key"
        case .brokerKeyPassphrase: "CURLEW_BROKER_TLS_KEY_PASSPHRASE"
        case .clientTrustRoots, .chainAuthorities: "--tls-ca"
        case .clientRevocationLists: "--tls-crl"
        case .brokerCipherSuites: "--ciphers"
        }
    }

    /// The first option or variable that is set; options come first.
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
