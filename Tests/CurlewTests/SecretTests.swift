import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Testing

@testable import Curlew

/// Descriptions, reflections, dumps and log lines of a value.
private func appearances(of value: Any) -> [String] {
    var dumped = ""
    dump(value, to: &dumped)
    let logged = Logger.MetadataValue.string("\(value)")
    return [dumped, String(describing: value), String(reflecting: value), "\([value])", "\(logged)"]
}

@Suite("Secrets of a client")
struct SecretTests {
    private static let secret = "hunter2"

    /// One value of each public type that can hold a secret.
    private static func holders() throws -> [any Sendable] {
        let password: MQTTPassword = "hunter2"
        let login = MQTTConfiguration.Login(username: "kitchen", password: password)
        let bytes = Array(Self.secret.utf8)
        var tls = TLSSettings()
        tls.preSharedKey = TLSSettings.PreSharedKey(identity: "sensor", key: bytes)
        tls.clientCertificate = TLSSettings.Identity(
            chain: .bytes(bytes), key: .pem(Self.secret), passphrase: Self.secret)
        tls.trustRoots = .certificates(.base64(Self.secret))
        var configuration = try MQTTConfiguration(url: "mqtts://kitchen:hunter2@localhost")
        configuration.tls = tls
        let environment = try MQTTConfiguration(
            environment: ["MQTT_URL": "mqtt://localhost", "MQTT_USERNAME": "kitchen", "MQTT_PASSWORD": "hunter2"])
        var plain = MQTTConfiguration()
        plain.credentials = .password(username: "kitchen", password: password)
        return [
            try MQTTURL("mqtts://kitchen:hunter2@localhost/t"), password,
            MQTTPassword(bytes: ByteBuffer(string: Self.secret)), login, plain.credentials, configuration,
            environment, plain, tls, tls.preSharedKey, tls.clientCertificate, tls.trustRoots,
            TLSSettings.Material.bytes(bytes), TLSSettings.Material.pem(Self.secret),
            TLSSettings.Material.base64(Self.secret), try MQTTClient(plain),
            Connect(clientIdentifier: "c", username: "kitchen", password: password),
        ] + (try Self.transports()) + (try Self.clouds())
    }

    private static func transports() throws -> [any Sendable] {
        var proxy = ProxySettings(.socks5h, host: "proxy")
        (proxy.username, proxy.password) = ("kitchen", Self.secret)
        var webSocket = WebSocketSettings()
        webSocket.headers = [
            .bearerAuthorization(Self.secret), .basicAuthorization(username: "kitchen", password: Self.secret),
        ]
        var server = MQTTConfiguration.Server.wss("localhost")
        server.query = "token=hunter2"
        let request = WebSocketSettings.Request(
            host: "localhost", port: 443, isSecure: true, target: server.target, headers: webSocket.headers)
        var configuration = MQTTConfiguration(server: server)
        (configuration.proxy, configuration.webSocket) = (proxy, webSocket)
        let url = try MQTTConfiguration(url: "wss://localhost/mqtt?token=hunter2")
        return [proxy, webSocket, webSocket.headers, server, request, configuration, url, try MQTTClient(url)]
    }

    private static func clouds() throws -> [any Sendable] {
        let token = AWSIoTToken(keyName: "tok", value: Self.secret, signature: Self.secret)
        let authorizer = AWSIoTAuthentication.customAuthorizer("a", username: "u", password: "hunter2", token: token)
        let bundle = TLSSettings.Identity.pkcs12(.file("client.p12"), passphrase: Self.secret)
        var holders: [any Sendable] = [
            token, authorizer, bundle, MQTTConfiguration.thingsBoard(accessToken: Self.secret),
            try MQTTConfiguration.awsIoT(endpoint: "localhost", clientIdentifier: "c", authentication: authorizer),
            MQTTConfiguration.hiveMQCloud(host: "h", username: "u", password: "hunter2"),
        ]
        #if AWS
        let credentials = AWSCredentials(accessKeyID: "AKID", secretAccessKey: Self.secret, sessionToken: Self.secret)
        let sources: [AWSCredentialsSource] = [
            .fixed(credentials),
            .standard(environment: ["AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": Self.secret]),
        ]
        for source in sources {
            let signature = AWSIoTAuthentication.signature(credentials: source, region: "eu-central-1")
            holders += [
                source, signature,
                try MQTTConfiguration.awsIoT(endpoint: "localhost", clientIdentifier: "c", authentication: signature),
            ]
        }
        holders.append(credentials)
        #endif
        return holders
    }

    @Test("No description, reflection, dump or log line shows a secret")
    func secrecy() throws {
        for value in try Self.holders() {
            for text in appearances(of: value) { self.expectNoSecret(in: text, "\(type(of: value))") }
        }
        #expect(appearances(of: Redacted(Self.secret)) == appearances(of: Redacted("else")))
        // The test would find a secret.
        #expect(appearances(of: [Self.secret]).allSatisfy { $0.contains("hunter2") })
    }

    @Test(
        "An error about a URL or a variable does not repeat the password",
        arguments: [
            "mqtt://kitchen:hunter2@localhost:port", "mqtt://kitchen:hunter2@", "http://kitchen:hunter2@localhost",
            "mqtt://kitchen:hunter2%ZZ@localhost", "mqtt://kitchen:hunter2@localhost?nosuch=1",
            "kitchen:hunter2@localhost",
        ])
    func errors(url: String) {
        let direct = #expect(throws: MQTTError.self) { try MQTTConfiguration(url: url) }
        let variable = #expect(throws: MQTTError.self) { try MQTTConfiguration(environment: ["MQTT_URL": url]) }
        for error in [direct, variable].compactMap(\.self) {
            for text in appearances(of: error) { self.expectNoSecret(in: text, url) }
        }
    }

    private func expectNoSecret(in text: String, _ holder: String) {
        #expect(!text.contains(Self.secret), "\(holder)")
        // Its first bytes in hexadecimal and in decimal.
        #expect(!text.contains("68756e74") && !text.contains("104, 117, 110"), "\(holder)")
    }
}
