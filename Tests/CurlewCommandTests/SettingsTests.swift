#if Tools
import ArgumentParser
import Curlew
import CurlewCore
import CurlewTransport
import Testing

@testable import CurlewCommand

@Suite("Settings from arguments and environment")
struct SettingsTests {
    private func settings(_ arguments: String, _ environment: [String: String] = [:]) throws -> CommandSettings {
        let words = arguments.split(separator: " ").map { $0 == "''" ? "" : String($0) }
        let command = try #require(try RootCommand.parseAsRoot(["sub"] + words) as? SubscribeCommand)
        return try CommandSettings(
            command.connection, command.tls, command.will, environment: CommandEnvironment { environment[$0] })
    }

    @Test(
        "Options, URLs and variables determine the broker",
        arguments: [
            ("", [:], "mqtt://localhost:1883"),
            ("-h example.com", [:], "mqtt://example.com:1883"),
            ("-h ::1 -p 1884", [:], "mqtt://[::1]:1884"),
            ("-h example.com -p 8883", [:], "mqtts://example.com:8883"),
            ("-h example.com --tls-use-os-certs", [:], "mqtts://example.com:8883"),
            ("-p 1884 --tls-use-os-certs", [:], "mqtts://localhost:1884"),
            ("mqtts://example.com/a/b", [:], "mqtts://example.com:8883"),
            ("", ["MQTT_URL": "mqtts://a"], "mqtts://a:8883"),
            ("", ["MQTT_HOST": "a", "CURLEW_HOST": "b"], "mqtt://b:1883"),
            ("", ["MQTT_URL": "mqtts://a", "CURLEW_HOST": "b"], "mqtt://b:1883"),
            ("", ["CURLEW_URL": "mqtts://a", "MQTT_HOST": "b"], "mqtts://a:8883"),
            ("-h c", ["MQTT_HOST": "a", "MQTT_PORT": "1885"], "mqtt://c:1883"),
            ("-h c", ["MQTT_PORT": "1885"], "mqtt://c:1885"),
            ("-p 1886", ["MQTT_HOST": "a", "MQTT_PORT": "1885"], "mqtt://a:1886"),
            ("-p 1886", ["MQTT_URL": "mqtts://a"], "mqtts://a:1886"),
            ("mqtt://c/t", ["CURLEW_URL": "mqtts://a", "MQTT_CA_FILE": "/x"], "mqtt://c:1883"),
            ("--cafile /x", ["MQTT_URL": "mqtts://a"], "mqtts://a:8883"),
            ("ws://a/b?token=1", [:], "ws://a:80/b"), ("wss://a", [:], "wss://a:443/mqtt"),
            ("--ws -h a", [:], "ws://a:80/mqtt"), ("--ws -h a -p 9001", [:], "ws://a:9001/mqtt"),
            ("--ws -h a --cafile /x", [:], "wss://a:443/mqtt"),
            ("--ws -p 8084 --cafile /x", [:], "wss://localhost:8084/mqtt"),
            ("--unix /run/c.sock", ["MQTT_HOST": "a", "MQTT_PORT": "1"], "mqtt+unix:///run/c.sock"),
            ("mqtt+unix:///run/c.sock", [:], "mqtt+unix:///run/c.sock"),
        ] as [(String, [String: String], String)])
    func server(arguments: String, environment: [String: String], server: String) throws {
        let servers = try self.settings(arguments, environment).configuration.servers
        #expect(servers.map(\.description) == [server])
    }

    @Test("Header fields are for WebSockets, and their values are not shown")
    func headers() throws {
        let settings = try self.settings("ws://a --header Cookie:session=1 --header X-A:b:c")
        #expect(
            settings.configuration.webSocket.headers == [
                .init(name: "Cookie", value: "session=1"), .init(name: "X-A", value: "b:c"),
            ])
        let failure = #expect(throws: CommandFailure.self) { try self.settings("-h a --header X-Secret:hidden") }
        #expect(failure?.message?.contains("--header X-Secret needs a WebSocket") == true)
        #expect(failure?.message?.contains("hidden") == false)
    }

    @Test("A URL's path is the topic")
    func topic() throws {
        #expect(try self.settings("mqtt://localhost/home/+/temperature").topics == ["home/+/temperature"])
        #expect(try self.settings("mqtt://localhost").topics.isEmpty)
    }

    @Test(
        "Several brokers are tried in the given order",
        arguments: [
            ("-h a -h b -p 1", [:], ["mqtt://a:1", "mqtt://b:1"]),
            ("-h a -h [::1] -p 1 -p 8883", [:], ["mqtt://a:1", "mqtts://[::1]:8883"]),
            ("-h a -h b -p 8883", [:], ["mqtts://a:8883", "mqtts://b:8883"]),
            ("-h a -h b --cafile /x", [:], ["mqtts://a:8883", "mqtts://b:8883"]),
            ("mqtt://a/t mqtts://b:1", [:], ["mqtt://a:1883", "mqtts://b:1"]),
            ("mqtt://a/t -L mqtt://b -p 2", [:], ["mqtt://b:2", "mqtt://a:2"]),
            ("", ["CURLEW_HOST": "a, b [::1]"], ["mqtt://a:1883", "mqtt://b:1883", "mqtt://[::1]:1883"]),
            ("", ["MQTT_URL": "mqtt://a mqtts://b"], ["mqtt://a:1883", "mqtts://b:8883"]),
            ("--as-mosquitto -h a -h b -p 1 -p 2", [:], ["mqtt://b:2"]),
        ] as [(String, [String: String], [String])])
    func servers(arguments: String, environment: [String: String], servers: [String]) throws {
        #expect(try self.settings(arguments, environment).configuration.servers.map(\.description) == servers)
    }

    @Test("The URLs of several brokers set one user name, one password and the topics without duplicates")
    func urls() throws {
        let settings = try self.settings("mqtt://me:%FF@a/t mqtt://b/t mqtt://me@c/u")
        #expect(settings.topics == ["t", "u"])
        guard case .fixed(let login) = settings.configuration.credentials.source else {
            Issue.record("There are no credentials.")
            return
        }
        #expect(login == .init(username: "me", password: .init(bytes: .init(bytes: [0xFF]))))
        #expect(throws: CommandFailure.self) { try self.settings("mqtt://me@a mqtt://you@b") }
        #expect(throws: (any Error).self) { try self.settings("-h a -h b -p 1 -p 2 -p 3") }
    }

    @Test("Passwords and payloads keep their bytes")
    func bytes() throws {
        let byte = String(keeping: [0xFF])
        let settings = try self.settings("-P \(byte) --will-topic w --will-payload \(byte)")
        guard case .fixed(let login) = settings.configuration.credentials.source else {
            Issue.record("There are no credentials.")
            return
        }
        #expect(login.password == .init(bytes: .init(bytes: [0xFF])))
        #expect(settings.configuration.will?.payload == .init(bytes: [0xFF]))
        let variables = try self.settings("", ["CURLEW_PASSWORD": byte]).configuration.credentials
        guard case .fixed(let login) = variables.source else {
            Issue.record("There are no credentials.")
            return
        }
        #expect(login.password == .init(bytes: .init(bytes: [0xFF])))
        #expect(throws: CommandFailure.self) { try self.settings("", ["CURLEW_USERNAME": byte]) }
    }

    @Test(
        "The version may be given in mosquitto's spelling or the usual one",
        arguments: [
            ("mqttv31", .v3_1), ("31", .v3_1), ("3.1", .v3_1), ("mqttv311", .v3_1_1), ("311", .v3_1_1),
            ("3.1.1", .v3_1_1), ("mqttv5", .v5_0), ("5", .v5_0), ("5.0", .v5_0),
        ] as [(String, ProtocolVersion)])
    func version(text: String, version: ProtocolVersion) throws {
        #expect(try self.settings("-V \(text)", ["MQTT_VERSION": "3.1"]).version == version)
    }

    @Test("Without options, the library's defaults apply, and the session ends when the command exits")
    func defaults() throws {
        let settings = try self.settings("-t a")
        #expect(settings.version == nil)
        #expect(!settings.keepsSession)
        #expect(settings.timeLimit == nil)
        #expect(settings.configuration.session.cleanStart)
        #expect(settings.configuration.connection.keepAlive == .seconds(60))
        #expect(settings.configuration.clientIdentifier == .generated())
        #expect(settings.configuration.will == nil)
        // At QoS 1 and 2, the queue has room for everything that the broker may send.
        #expect(settings.configuration.queues.subscription.count > settings.configuration.session.receiveMaximum)
    }

    @Test("-c and -x set how long the session is kept")
    func session() throws {
        let kept = try self.settings("-c -i me")
        #expect(!kept.configuration.session.cleanStart)
        #expect(kept.configuration.session.expiry == .never)
        #expect(kept.keepsSession)
        let expiring = try self.settings("-x 60")
        #expect(expiring.configuration.session.expiry == .after(.seconds(60)))
        #expect(expiring.keepsSession)
        #expect(expiring.version == .v5_0)
        #expect(try self.settings("-x -1").configuration.session.expiry == .never)
        #expect(try self.settings("-x 4294967295").configuration.session.expiry == .never)
        #expect(try self.settings("", ["MQTT_SESSION_EXPIRY": "1h"]).keepsSession == false)
        #expect(try self.settings("", ["MQTT_SESSION_EXPIRY": "2h"]).keepsSession)
        #expect(throws: CommandFailure.self) { try self.settings("-c") }
        #expect(throws: CommandFailure.self) { try self.settings("-x 1", ["MQTT_VERSION": "3.1.1"]) }
    }

    @Test("Options override the URL, which overrides the environment, separately for user name and password")
    func login() throws {
        func login(_ arguments: String, _ environment: [String: String] = [:]) throws -> MQTTConfiguration.Login? {
            let source = try self.settings(arguments, environment).configuration.credentials.source
            return if case .fixed(let login) = source { login } else { nil }
        }
        let environment = ["MQTT_USERNAME": "you", "CURLEW_PASSWORD": "theirs"]
        #expect(try login("") == nil)
        #expect(try login("-u me -P mine") == .init(username: "me", password: "mine"))
        #expect(try login("-u me", environment) == .init(username: "me", password: "theirs"))
        #expect(try login("-P mine", environment) == .init(username: "you", password: "mine"))
        #expect(try login("mqtt://me@localhost", environment) == .init(username: "me", password: "theirs"))
        #expect(try login("mqtt://me:mine@localhost", environment) == .init(username: "me", password: "mine"))
    }

    @Test("Options set client identifier, keep alive, time limit, tracing and will")
    func others() throws {
        let settings = try self.settings(
            "-i me -k 5 -W 2.5 -d --will-topic w --will-payload gone --will-qos 2 --will-retain")
        #expect(settings.configuration.clientIdentifier == .given("me"))
        #expect(settings.configuration.connection.keepAlive == .seconds(5))
        #expect(settings.timeLimit == .seconds(2.5))
        #expect(settings.isTracing)
        let will = try #require(settings.configuration.will)
        #expect((will.topic, String(buffer: will.payload)) == ("w", "gone"))
        #expect(will.qos == .exactlyOnce)
        #expect(will.retain)
        #expect(try self.settings("-i ''").configuration.clientIdentifier == .assignedByServer)
    }

    @Test("TLS options override the corresponding variables")
    func tls() throws {
        let environment = [
            "MQTT_CA_FILE": "/ca", "MQTT_CERTIFICATE_FILE": "/cert", "MQTT_PRIVATE_KEY_FILE": "/key",
            "MQTT_PRIVATE_KEY_PASSPHRASE": "secret", "MQTT_CRL_FILE": "/list",
        ]
        let before = try self.settings("-h a", environment).configuration
        #expect(before.servers.first?.scheme == .mqtts)
        #expect(before.tls.trustRoots == .file("/ca"))
        #expect(before.tls.revocationLists == [.file("/list")])
        #expect(before.tls.clientCertificate?.chain == .file("/cert"))
        let after = try self.settings(
            "-h a --capath /dir --crlfile /l --cert /c --key /k --insecure --tls-alpn mqtt,x --tls-version tlsv1.3",
            environment
        ).configuration.tls
        #expect(after.trustRoots == .directory("/dir"))
        #expect(after.revocationLists == [.file("/l")])
        #expect(
            after.clientCertificate == .init(chain: .file("/c"), key: .file("/k"), passphrase: "secret"))
        let bundle = try self.settings("-h a --cert /c.p12", environment).configuration.tls
        #expect(bundle.clientCertificate == .pkcs12(.file("/c.p12"), passphrase: "secret"))
        #expect(after.verification == .insecureAnyHostName)
        #expect(after.applicationProtocols == ["mqtt", "x"])
        #expect(after.minimumVersion == .tls13)
        #expect(try self.settings("-h a --tls-use-os-certs", environment).configuration.tls.trustRoots == .system)
    }

    @Test("A pre-shared key is hexadecimal, in an option or the environment")
    func preSharedKey() throws {
        let key = TLSSettings.PreSharedKey(identity: "me", key: [0x0A, 0xFF])
        #expect(try self.settings("--psk 0aFF --psk-identity me").configuration.tls.preSharedKey == key)
        let variable = try self.settings("--psk-identity me", ["CURLEW_PSK": "0aff"])
        #expect(variable.configuration.tls.preSharedKey == key)
        #expect(variable.configuration.servers.first?.scheme == .mqtts)
        #expect(throws: CommandFailure.self) { try self.settings("--psk-identity me") }
        #expect(throws: CommandFailure.self) { try self.settings("--psk-identity me", ["CURLEW_PSK": "0"]) }
    }

    @Test("An error in a variable names the variable that was set")
    func names() throws {
        let failure = #expect(throws: CommandFailure.self) {
            try self.settings("", ["CURLEW_KEEP_ALIVE": "soon", "MQTT_KEEP_ALIVE": "5"])
        }
        #expect(failure?.message?.contains("CURLEW_KEEP_ALIVE") == true)
    }

    @Test("A refusal's exit code is the reason code of the requested version")
    func exitCodes() {
        let refused = MQTTError(.connectionRefused, "No.", reasonCode: .notAuthorized)
        #expect(CommandFailure(refused, version: .v3_1_1).exitCode == 5)
        #expect(CommandFailure(refused, version: .v5_0).exitCode == 135)
        #expect(CommandFailure(refused).exitCode == 135)
        #expect(CommandFailure(MQTTError(.timedOut, "Too late.")).exitCode == 27)
        #expect(
            CommandFailure(MQTTError(.connectionFailed, "Nobody there."))
                == CommandFailure("Nobody there.", exitCode: 1))
    }
}
#endif
