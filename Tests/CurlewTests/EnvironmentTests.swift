import CurlewCore
import CurlewTransport
import NIOCore
import Testing

@testable import Curlew

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

private enum RefusedEnvironments {
    static let all: [([String: String], [String])] = [
        (["MQTT_URL": "mqtt://h", "MQTT_HOST": "h"], ["MQTT_URL", "MQTT_HOST", "leave one"]),
        (["MQTT_URL": "mqtt://h", "MQTT_PORT": "1"], ["MQTT_PORT"]),
        (["MQTT_HOST": "h", "MQTT_PORT": "many"], ["MQTT_PORT", "'many'", "1 to 65535"]),
        (["MQTT_HOST": "h", "MQTT_TLS": "x"], ["MQTT_TLS", "true or false"]),
        (["MQTT_HOST": "h", "MQTT_TLS": "false", "MQTT_CA_FILE": "/x"], ["MQTT_CA_FILE", "mqtts://"]),
        (["MQTT_URL": "mqtt://h", "MQTT_CA_FILE": "/x"], ["MQTT_CA_FILE", "mqtts://"]),
        (["MQTT_HOST": "h h"], ["host"]),
        (["MQTT_PASSWORD": "hunter2", "MQTT_PASSWORD_FILE": "/x"], ["MQTT_PASSWORD_FILE", "leave one"]),
        (["MQTT_PASSWORD_FILE": "/does/not/exist"], ["/does/not/exist", "No such file"]),
        (["MQTT_PASSWORD_FILE": "/"], ["MQTT_PASSWORD_FILE", "cannot be used"]),
        (["MQTT_KEEP_ALIVE": "x"], ["MQTT_KEEP_ALIVE", "number of seconds"]),
        (["MQTT_KEEP_ALIVE": "70000"], ["keep alive"]),
        (["MQTT_HOST": "h", "MQTT_CA": "a", "MQTT_CA_FILE": "b"], ["MQTT_CA", "MQTT_CA_FILE", "leave one out"]),
        (["MQTT_HOST": "h", "MQTT_PRIVATE_KEY": "hunter2"], ["certificate"]),
        (["MQTT_HOST": "h", "MQTT_PRIVATE_KEY_PASSPHRASE": "hunter2"], ["passphrase", "key"]),
    ]
}

@Suite("Environment variables")
struct EnvironmentTests {
    private func login(_ environment: [String: String]) throws -> MQTTConfiguration.Login? {
        guard case .fixed(let login) = try MQTTConfiguration(environment: environment).credentials.source else {
            return nil
        }
        return login
    }

    @Test("Without variables, or with empty or unrelated ones, the defaults apply")
    func empty() throws {
        for environment in [[:], ["MQTT_HOST": "", "MQTT_PASSWORD": ""], ["MQTT_TOPIC": "x", "HOME": "/"]] {
            let configuration = try MQTTConfiguration(environment: environment)
            #expect(configuration.servers == [.mqtt("localhost")])
            if case .none = configuration.credentials.source {} else { Issue.record("Credentials came from nowhere.") }
        }
    }

    @Test(
        "Host, port and TLS variables determine the server",
        arguments: [
            (["MQTT_HOST": "h"], MQTTConfiguration.Server.mqtt("h")),
            (["MQTT_HOST": "h", "MQTT_PORT": "8883"], .mqtts("h")),
            (["MQTT_HOST": "h", "MQTT_TLS": "true"], .mqtts("h")),
            (["MQTT_HOST": "h", "MQTT_TLS": "false", "MQTT_PORT": "8883"], .mqtt("h", port: 8883)),
            (["MQTT_HOST": "h", "MQTT_CA_FILE": "/ca", "MQTT_PORT": "1"], .mqtts("h", port: 1)),
            (["MQTT_PORT": "1"], .mqtt("localhost", port: 1)),
            (["MQTT_URL": "mqtts://h:1"], .mqtts("h", port: 1)),
        ] as [([String: String], MQTTConfiguration.Server)])
    func servers(environment: [String: String], server: MQTTConfiguration.Server) throws {
        #expect(try MQTTConfiguration(environment: environment).servers == [server])
    }

    @Test("A port variable never disables TLS")
    func noDowngrade() throws {
        var configuration = MQTTConfiguration(server: .mqtts("h"))
        try configuration.apply(environment: ["MQTT_PORT": "1234"])
        #expect(configuration.servers == [.mqtts("h", port: 1234)])
        try configuration.apply(environment: ["MQTT_TLS": "true"])
        #expect(configuration.servers == [.mqtts("h", port: 1234)])
    }

    @Test("Variables set user name and password, and override those of the URL")
    func credentials() throws {
        #expect(try login(["MQTT_USERNAME": "u"]) == .init(username: "u"))
        #expect(try login(["MQTT_USERNAME": "u", "MQTT_PASSWORD": "p"]) == .init(username: "u", password: "p"))
        #expect(
            try login(["MQTT_URL": "mqtt://u:old@h", "MQTT_PASSWORD": "new"]) == .init(username: "u", password: "new"))
    }

    @Test(
        "A password file is read without its final line break",
        arguments: ["pass word", "pass word\n", "pass word\r\n"])
    func passwordFile(content: String) throws {
        let path = try temporaryFile(content)
        defer { unlink(path) }
        #expect(try login(["MQTT_USERNAME": "u", "MQTT_PASSWORD_FILE": path])?.password == "pass word")
    }

    @Test(
        "An empty or too long password file is refused by name",
        arguments: ["", "\n", String(repeating: "x", count: 65_536)])
    func badPasswordFile(content: String) throws {
        let path = try temporaryFile(content)
        defer { unlink(path) }
        expectError(.invalidConfiguration, mentioning: [path, "MQTT_PASSWORD_FILE"]) { () throws(MQTTError) in
            _ = try MQTTConfiguration(environment: ["MQTT_PASSWORD_FILE": path])
        }
    }

    @Test("Each variable has the same effect as its URL query item")
    func options() throws {
        let configuration = try MQTTConfiguration(environment: [
            "MQTT_URL": "mqtts://h?keep-alive=1", "MQTT_KEEP_ALIVE": "30", "MQTT_VERSION": "5", "MQTT_CLIENT_ID": "me",
            "MQTT_CONNECT_TIMEOUT": "3s", "MQTT_CLEAN_START": "0", "MQTT_SESSION_EXPIRY": "2h",
            "MQTT_RECEIVE_MAXIMUM": "7", "MQTT_MAXIMUM_IN_FLIGHT": "8", "MQTT_MAXIMUM_PACKET_SIZE": "1000",
            "MQTT_RECONNECT": "off",
            "MQTT_CA": "-----BEGIN CERTIFICATE-----\\nQQ==\\n-----END CERTIFICATE-----", "MQTT_CERTIFICATE": "QQ==",
            "MQTT_PRIVATE_KEY": "Qg==", "MQTT_PRIVATE_KEY_PASSPHRASE": "secret", "MQTT_SERVER_NAME": "s",
            "MQTT_ALPN": "mqtt", "MQTT_MINIMUM_TLS": "1.2", "MQTT_INSECURE": "any-certificate",
            "MQTT_CRL_FILE": "/l",
        ])
        #expect(configuration.connection.keepAlive == .seconds(30))
        #expect(configuration.connection.version == .exactly(.v5_0))
        #expect(configuration.clientIdentifier == .given("me"))
        #expect(configuration.connection.connectTimeout == .seconds(3))
        #expect(configuration.session.cleanStart == false)
        #expect(configuration.session.expiry == .after(.seconds(7200)))
        #expect(configuration.session.receiveMaximum == 7 && configuration.session.maximumInFlightMessages == 8)
        #expect(configuration.session.maximumPacketSize == 1000)
        #expect(configuration.reconnect.isEnabled == false)
        let authority = "-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----"
        #expect(configuration.tls.trustRoots == .certificates(.pem(authority)))
        let pair = TLSSettings.Identity(chain: .base64("QQ=="), key: .base64("Qg=="), passphrase: "secret")
        #expect(configuration.tls.clientCertificate == pair)
        #expect(configuration.tls.revocationLists == [.file("/l")])
        #expect(configuration.tls.serverName == "s")
        #expect(configuration.tls.applicationProtocols == ["mqtt"])
        #expect(configuration.tls.verification == .insecureAnyCertificate)
    }

    @Test("The certificate may come from the URL and its key from the environment")
    func certificateOfTwoSources() throws {
        let configuration = try MQTTConfiguration(environment: [
            "MQTT_URL": "mqtts://h?cert=/c.pem", "MQTT_PRIVATE_KEY_FILE": "/k.pem",
        ])
        #expect(configuration.tls.clientCertificate == .init(chain: .file("/c.pem"), key: .file("/k.pem")))
    }

    @Test("A certificate without a key may be a PKCS#12 bundle, with its passphrase")
    func bundle() throws {
        let file = try MQTTConfiguration(environment: [
            "MQTT_URL": "mqtts://h?cert=/c.p12", "MQTT_PRIVATE_KEY_PASSPHRASE": "secret",
        ])
        #expect(file.tls.clientCertificate == .pkcs12(.file("/c.p12"), passphrase: "secret"))
        let inline = try MQTTConfiguration(environment: ["MQTT_HOST": "h", "MQTT_CERTIFICATE": "QQ=="])
        #expect(inline.tls.clientCertificate == .pkcs12(.base64("QQ==")))
    }

    @Test("A certificate that has no key is reported when the client is created, without its content")
    func certificateAlone() throws {
        let configuration = try MQTTConfiguration(environment: ["MQTT_HOST": "h", "MQTT_CERTIFICATE": "aHVudGVyMg=="])
        let error = #expect(throws: MQTTError.self) { try MQTTClient(configuration) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains("client certificate") == true, "\(String(describing: error))")
        #expect(!String(reflecting: error).contains("aHVudGVyMg"))
    }

    @Test("An invalid value is refused in a sentence that names the variable", arguments: RefusedEnvironments.all)
    func refused(environment: [String: String], words: [String]) {
        expectError(.invalidConfiguration, mentioning: words) { () throws(MQTTError) in
            do throws(MQTTError) {
                _ = try MQTTConfiguration(environment: environment)
            } catch {
                #expect(!String(reflecting: error).contains("hunter2"))
                throw error
            }
        }
    }

    @Test(
        "An invalid URL in the environment is refused",
        arguments: ["h", "mqtt://h/topic", "mqtt://h?x=1"])
    func refusedURL(url: String) {
        expectError(.invalidURL, mentioning: ["URL"]) { () throws(MQTTError) in
            _ = try MQTTConfiguration(environment: ["MQTT_URL": url])
        }
    }

    @Test("Variables and query items are unique, and the process environment is reduced to known variables")
    func table() {
        let names = MQTTConfiguration.environmentVariables
        #expect(Set(names).count == names.count)
        let items = ConfigurationOption.all.compactMap(\.item)
        #expect(Set(items).count == items.count)
        #expect(Set(MQTTConfiguration.processEnvironment.keys).isSubset(of: names))
    }
}

/// Makes a file that the caller must delete.
private func temporaryFile(_ content: String) throws -> String {
    var template = Array("/tmp/curlew-test-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    let bytes = Array(content.utf8)
    #expect(write(descriptor, bytes, bytes.count) == bytes.count)
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
