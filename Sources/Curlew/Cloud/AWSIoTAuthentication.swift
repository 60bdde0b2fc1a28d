import CurlewCore
public import CurlewTransport

/// How a client proves its identity to AWS IoT Core
/// ([protocols and ports](https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html)).
public struct AWSIoTAuthentication: Sendable {
    let apply: @Sendable (inout MQTTConfiguration, _ endpoint: String) throws(MQTTError) -> Void

    /// A client certificate that is registered with AWS IoT.
    ///
    /// - Parameters:
    ///   - certificate: The certificate and its key.
    ///   - port: 8883, or 443, which firewalls usually permit and where the client offers the application protocol
    ///     `x-amzn-mqtt-ca` (ALPN). Default: 8883.
    public static func certificate(_ certificate: TLSSettings.Identity, port: Int = 8883) -> Self {
        Self { configuration, endpoint in
            configuration.servers = [.mqtts(endpoint, port: port)]
            configuration.tls.clientCertificate = certificate
            // Says on the shared port that this is MQTT.
            if port == 443 { configuration.tls.applicationProtocols = ["x-amzn-mqtt-ca"] }
        }
    }

    /// A custom authorizer
    /// ([custom authentication](https://docs.aws.amazon.com/iot/latest/developerguide/custom-auth.html)): MQTT over TLS
    /// on port 443.
    ///
    /// - Parameters:
    ///   - name: The name of the authorizer. Default: `nil`, the endpoint's default authorizer.
    ///   - username: The user name for the authorizer. Default: none.
    ///   - password: The password for the authorizer. Default: none.
    ///   - token: The signed token, if the authorizer has signing enabled. Default: none.
    public static func customAuthorizer(
        _ name: String? = nil, username: String? = nil, password: MQTTPassword? = nil, token: AWSIoTToken? = nil
    ) -> Self {
        Self { configuration, endpoint throws(MQTTError) in
            if let character = username?.first(where: { "?&".contains($0) }) {
                throw MQTTError(
                    .invalidConfiguration,
                    "The user name for the custom authorizer contains '\(character)'; remove it. AWS IoT Core takes what follows "
                        + "'?' and '&' for parameters.")
            }
            var items: [(name: String, value: String)] = []
            if let name { items.append(("x-amz-customauthorizer-name", name)) }
            if let token {
                items.append(("x-amz-customauthorizer-signature", token.signature.value))
                items.append((token.keyName, token.value.value))
            }
            let query = items.map { "\($0.name.utf8.percentEncoded())=\($0.value.utf8.percentEncoded())" }
            let parameters = query.isEmpty ? "" : "?" + query.joined(separator: "&")
            configuration.servers = [.mqtts(endpoint, port: 443)]
            configuration.tls.applicationProtocols = ["mqtt"]
            guard username != nil || password != nil || !parameters.isEmpty else { return }
            let login = MQTTConfiguration.Login(username: (username ?? "") + parameters, password: password)
            // Not `.password`: the user name may contain the token, and descriptions show it.
            configuration.credentials = .provider { login }
        }
    }
}

#if AWS
extension AWSIoTAuthentication {
    /// AWS credentials: MQTT over WebSocket and TLS on port 443. Each attempt to connect gets a new AWS Signature Version 4.
    /// Needs the package trait `AWS`, which is enabled by default.
    ///
    /// - Parameters:
    ///   - credentials: Where the credentials come from; requested for each attempt. Default: the environment, then the
    ///     shared files.
    ///   - region: The region, such as `eu-central-1`. Default: that of the endpoint's host name, which a custom domain
    ///     does not state.
    public static func signature(
        credentials: AWSCredentialsSource = .standard(), region: String? = nil
    ) -> Self {
        Self { configuration, endpoint throws(MQTTError) in
            // An error about the region must come now, and not with each attempt.
            let region = if let region { region } else { try AWSRegion.ofEndpoint(endpoint) }
            configuration.servers = [.wss(endpoint)]
            configuration.webSocket.signForAWS(credentials: credentials, region: region)
        }
    }
}
#endif

/// A token for a custom authorizer of AWS IoT Core, with its signature. No description shows them.
public struct AWSIoTToken: Sendable, Hashable {
    /// The name under which the authorizer expects the token.
    public var keyName: String
    let value: Redacted<String>
    let signature: Redacted<String>

    /// Creates a token.
    ///
    /// - Parameters:
    ///   - keyName: The token key name of the authorizer.
    ///   - value: The token.
    ///   - signature: The signature of the token in Base64, URL-encoded or not, made with the authorizer's private key.
    public init(keyName: String, value: String, signature: String) {
        self.keyName = keyName
        self.value = Redacted(value)
        // AWS expects it URL-encoded. It often comes in that form.
        self.signature = Redacted(signature.contains("%") ? signature.percentDecoded ?? signature : signature)
    }
}
