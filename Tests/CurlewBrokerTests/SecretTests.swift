import CurlewCore
import CurlewTransport
import Logging
import Testing

@testable import CurlewBroker

@Suite("Secrets of a broker")
struct SecretTests {
    /// One value of each public type that can hold a secret.
    private func holders() throws -> [any Sendable] {
        let secret = "hunter2"
        let bytes = Array(secret.utf8)
        var tls = MQTTBrokerConfiguration.TLS(
            certificate: TLSSettings.Identity(chain: .bytes(bytes), key: .pem(secret), passphrase: secret))
        tls.clientTrustRoots = .certificates(.base64(secret))
        tls.preSharedKeys = ["sensor": Redacted(bytes)]
        let listener = MQTTBrokerConfiguration.Listener.tcp(port: 0, tls: tls)
        let configuration = MQTTBrokerConfiguration(listeners: [listener])
        let attempt = MQTTConnectionAttempt(
            client: MQTTBrokerClient(identifier: "c", username: "kitchen"), password: "hunter2")
        var values: [any Sendable] = [tls, listener, configuration, attempt, MQTTBroker(configuration)]
        #if Accounts
        var entries = MQTTPasswordEntries()
        try entries.set("kitchen", password: bytes, iterations: 1)
        values.append(try MQTTPasswordFile(text: entries.text))
        #endif
        return values
    }

    @Test("No description, reflection, dump or log line shows a secret")
    func secrecy() throws {
        for value in try self.holders() {
            var dumped = ""
            dump(value, to: &dumped)
            let logged = Logger.MetadataValue.string("\(value)")
            for text in [dumped, "\(logged)", String(describing: value), String(reflecting: value), "\([value])"] {
                let holder = "\(type(of: value))"
                #expect(!text.contains("hunter2"), "\(holder)")
                // Its first bytes in hexadecimal and in decimal.
                #expect(!text.contains("68756e74") && !text.contains("104, 117, 110"), "\(holder)")
            }
        }
    }
}
