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
        ]
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
