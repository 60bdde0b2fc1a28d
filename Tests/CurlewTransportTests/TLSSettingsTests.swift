import Testing

@testable import CurlewTransport

@Suite("TLS settings")
struct TLSSettingsTests {
    /// Invalid settings, and what the error message must contain.
    struct Mistake: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let naming: [String]
        let settings: TLSSettings

        init(_ name: String, naming: [String], _ change: (inout TLSSettings) -> Void) {
            self.testDescription = name
            self.naming = naming
            self.settings = Fixture.client(change)
        }

        static func certificate(
            _ name: String, chain: TLSSettings.Material = Fixture.file("client.pem"),
            key: TLSSettings.Material = Fixture.file("client.key.pem"), passphrase: String? = nil, naming: [String]
        ) -> Self {
            Self(name, naming: naming) {
                $0.clientCertificate = TLSSettings.Identity(chain: chain, key: key, passphrase: passphrase)
            }
        }
    }

    static let mistakes: [Mistake] = [
        Mistake("no such file of authorities", naming: ["trusted authorities", "/no/such/file.pem", "No such file"]) {
            $0.trustRoots = .file("/no/such/file.pem")
        },
        Mistake("authorities that are none", naming: ["trusted authorities", "README.md", "not a certificate"]) {
            $0.trustRoots = .file(Fixture.path("README.md"))
        },
        Mistake("authorities that are a key", naming: ["client.key.pem", "holds a private key"]) {
            $0.trustRoots = .file(Fixture.path("client.key.pem"))
        },
        Mistake(
            "no such directory of authorities", naming: ["trusted authorities", "/no/such/directory", "No such file"]
        ) {
            $0.trustRoots = .directory("/no/such/directory")
        },
        Mistake("a directory without certificates", naming: ["Sources", "no file with a certificate"]) {
            $0.trustRoots = .directory(Fixture.path("../../../Sources"))
        },
        Mistake("no bytes", naming: ["trusted authorities", "empty"]) { $0.trustRoots = .certificates(.bytes([])) },
        Mistake("bytes that are nothing", naming: ["3 bytes in memory", "not a certificate"]) {
            $0.trustRoots = .certificates(.bytes([1, 2, 3]))
        },
        Mistake("PEM that is cut off", naming: ["not a certificate"]) {
            $0.trustRoots = .certificates(.pem("-----BEGIN CERTIFICATE-----\nMIIB"))
        },
        .certificate(
            "no such certificate", chain: .file("/no/such.pem"), naming: ["client certificate", "/no/such.pem"]),
        .certificate("no such key", key: .file("/no/such.key"), naming: ["client's private key", "/no/such.key"]),
        .certificate("a key for a certificate", chain: Fixture.file("client.key.pem"), naming: ["holds a private key"]),
        .certificate("a certificate for a key", key: Fixture.file("client.pem"), naming: ["holds a certificate"]),
        .certificate("a directory for a key", key: .file("/"), naming: ["client's private key", "Is a directory"]),
        .certificate(
            "a key of another certificate", key: Fixture.file("server.key.pem"),
            naming: ["server.key.pem", "client.pem", "does not belong"]),
        .certificate(
            "no passphrase", key: Fixture.file("client.encrypted.key.pem"),
            naming: ["client.encrypted.key.pem", "passphrase"]),
        .certificate(
            "a wrong passphrase", key: Fixture.file("client.encrypted.key.pem"), passphrase: "wrong",
            naming: ["client.encrypted.key.pem", "is the passphrase of tls.clientCertificate right?"]),
        .certificate(
            "a wrong passphrase for DER", key: Fixture.file("client.encrypted.key.der"), passphrase: "wrong",
            naming: ["client.encrypted.key.der", "passphrase is wrong"]),
        .certificate(
            "no passphrase for DER", key: Fixture.file("client.encrypted.key.der"),
            naming: ["client.encrypted.key.der", "is encrypted; set the passphrase"]),
        .certificate(
            "a passphrase outside ASCII", key: Fixture.file("client.encrypted.key.pem"), passphrase: "brachvögel",
            naming: ["passphrase", "ASCII"]),
        .certificate("bad base64", key: .base64("!"), naming: ["client's private key", "not valid Base64"]),
        .certificate(
            "bad base64 for a certificate", chain: .base64("!"), naming: ["client certificate", "not valid Base64"]),
        Mistake("bad base64 for authorities", naming: ["trusted authorities", "not valid Base64"]) {
            $0.trustRoots = .certificates(.base64("!"))
        },
        .certificate("base64 of nothing", key: .base64(""), naming: ["client's private key", "empty"]),
        Mistake("an address as server name", naming: ["127.0.0.1", "host name"]) { $0.serverName = "127.0.0.1" },
        Mistake("an empty server name", naming: ["host name"]) { $0.serverName = "" },
        Mistake("a server name outside ASCII", naming: ["ä.example"]) { $0.serverName = "ä.example" },
        Mistake("an empty application protocol", naming: ["1 to 255 characters of ASCII"]) {
            $0.applicationProtocols = [""]
        },
        Mistake("an application protocol outside ASCII", naming: ["mqtt-ä", "1 to 255 characters of ASCII"]) {
            $0.applicationProtocols = ["mqtt-ä"]
        },
        Mistake("a long application protocol", naming: ["1 to 255 characters of ASCII"]) {
            $0.applicationProtocols = [String(repeating: "x", count: 256)]
        },
        Mistake("a pre-shared key without a key", naming: ["1 to 256 bytes"]) {
            $0.preSharedKey = TLSSettings.PreSharedKey(identity: "sensor", key: [])
        },
        Mistake("a long pre-shared key", naming: ["1 to 256 bytes", "257"]) {
            $0.preSharedKey = TLSSettings.PreSharedKey(identity: "sensor", key: Array(repeating: 1, count: 257))
        },
        Mistake("a pre-shared key without identity", naming: ["1 to 128 bytes"]) {
            $0.preSharedKey = TLSSettings.PreSharedKey(identity: "", key: [1])
        },
        Mistake("an identity with a zero", naming: ["zero"]) {
            $0.preSharedKey = TLSSettings.PreSharedKey(identity: "a\0b", key: [1])
        },
        Mistake("a pre-shared key with TLS 1.3", naming: ["TLS 1.3"]) {
            $0.preSharedKey = TLSSettings.PreSharedKey(identity: "sensor", key: [1])
            $0.minimumVersion = .tls13
        },
        Mistake("a pre-shared key and a certificate", naming: ["exclude each other"]) {
            $0.preSharedKey = TLSSettings.PreSharedKey(identity: "sensor", key: [1])
            $0.clientCertificate = Fixture.pair("client")
        },
    ]

    @Test("Invalid settings are reported in one sentence when the connector is made", arguments: Self.mistakes)
    func mistake(_ mistake: Mistake) throws {
        let error = try #require(throws: TransportError.self) { try SocketConnector(tls: mistake.settings) }
        #expect(error.code == .invalidConfiguration)
        for text in mistake.naming { #expect(error.message.contains(text), "\(error)") }
        #expect(error.message.hasSuffix(".") || error.message.hasSuffix("?"), "\(error)")
    }

    @Test("Secrets appear in no description and no dump")
    func redaction() {
        var settings = TLSSettings()
        settings.clientCertificate = TLSSettings.Identity(
            chain: .file("chain.pem"), key: .base64("c2VjcmV0"), passphrase: "hunter2")
        let bundle = TLSSettings.Identity.pkcs12(.base64("c2VjcmV0"), passphrase: "hunter2")
        #expect(!"\(bundle) \(String(reflecting: bundle))".contains("hunter2"))
        #expect(!"\(bundle) \(String(reflecting: bundle))".contains("c2VjcmV0"))
        settings.preSharedKey = TLSSettings.PreSharedKey(identity: "sensor", key: Array("hunter2".utf8))
        settings.trustRoots = .certificates(.bytes(Array("hunter2".utf8)))
        var dumped = ""
        dump(settings, to: &dumped)
        for text in ["\(settings)", String(reflecting: settings), dumped] {
            #expect(!text.contains("hunter2"))
            #expect(!text.contains("c2VjcmV0"))
            // The bytes of "hunter2".
            #expect(!text.contains("104"))
            #expect(text.contains("chain.pem"))
        }
    }

    @Test("An error about a secret does not contain it")
    func redactedErrors() throws {
        var settings = TLSSettings()
        settings.clientCertificate = TLSSettings.Identity(
            chain: Fixture.file("client.pem"), key: Fixture.file("client.encrypted.key.pem"), passphrase: "hunter2")
        let error = try #require(throws: TransportError.self) { try SocketConnector(tls: settings) }
        #expect(!String(reflecting: error).contains("hunter2"))
    }

    @Test(
        "Base64 is decoded with or without padding, and encoded (RFC 4648, section 10)",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ])
    func base64(plain: String, encoded: String) {
        #expect(Base64.decode(encoded) == Array(plain.utf8))
        #expect(Base64.decode("\n" + encoded.filter { $0 != "=" } + " ") == Array(plain.utf8))
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
    }

    @Test("Invalid Base64 is refused", arguments: ["Z", "Zg=a", "Zg===", "Z-g_", "Zm9vY"])
    func badBase64(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test(
        "Names in certificates match hosts as RFC 6125 defines",
        arguments: [
            ("a.example", "a.example", true), ("a.example", "A.EXAMPLE.", true), ("*.example", "a.example", true),
            ("*.example", "a.b.example", false), ("*.example", "example", false), ("*.example", ".example", false),
            ("a.example", "b.example", false), ("*", "example", false),
        ])
    func hostNames(pattern: String, host: String, matches: Bool) {
        #expect(HostName.matches(pattern, host: host) == matches)
    }

    @Test(
        "Addresses are distinguished from host names",
        arguments: [
            ("127.0.0.1", true), ("::1", true), ("fe80::1%eth0", true), ("localhost", false), ("1.example", false),
        ])
    func addresses(host: String, isAddress: Bool) {
        #expect(HostName.isAddress(host) == isAddress)
    }
}
