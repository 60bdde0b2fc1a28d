import Curlew
import Foundation
import MosquittoFixture
import Testing

@Suite(
    "Authentication, authorization and TLS",
    .enabled(if: !BrokerProgram.available.isEmpty, "mosquitto is not installed; scripts/test installs it"),
    .timeLimit(.minutes(5)))
struct SecurityTests {
    @Test(
        "The right password is accepted, and a wrong or missing one refused with a reason code",
        .enabled(if: Peers.haveMosquitto, "mosquitto_passwd is not installed; scripts/test installs it"),
        arguments: Setup.all)
    func password(_ setup: Setup) async throws {
        var settings = Mosquitto.Settings(lines: ["password_file {folder}/passwords"], allowsAnonymous: false)
        settings.files["passwords"] = try await Mosquitto.passwordFile(["kitchen": "geheim ü"])
        try await Mosquitto.run(settings, on: setup.broker) { broker in
            let client = try await broker.connect(setup) {
                $0.credentials = .password(username: "kitchen", password: "geheim ü")
            }
            try await client.publish("x", to: "a", qos: .atLeastOnce)

            let wrong = try broker.client(setup) {
                $0.credentials = .password(username: "kitchen", password: "hunter2")
            }
            let error = try await errorOf { try await wrong.connect() }
            #expect(error.code == .connectionRefused)
            // mosquitto reports "not authorized" instead of "bad user name or password".
            #expect(error.reasonCode == .notAuthorized || error.reasonCode == .badUserNameOrPassword)
            #expect(!"\(error)".contains("hunter2"))

            let nobody = try broker.client(setup)
            #expect(try await errorOf { try await nobody.connect() }.code == .connectionRefused)
        }
    }

    @Test("A forbidden publish throws with 5.0, and is dropped silently before", arguments: Setup.tcp)
    func forbiddenPublish(_ setup: Setup) async throws {
        let settings = Mosquitto.Settings(
            lines: ["acl_file {folder}/acl"], files: ["acl": "topic readwrite open/#\ntopic read closed/#\n"])
        try await Mosquitto.run(settings, on: setup.broker) { broker in
            let client = try await broker.connect(setup)
            let subscription = Inbox(try await client.subscribe(to: "#"))
            for qos in [QoS.atLeastOnce, .exactlyOnce] {
                if setup.version == .v5_0 {
                    let error = try await errorOf { try await client.publish("x", to: "closed/a", qos: qos) }
                    #expect(error.code == .publishRefused)
                    #expect(error.reasonCode == .notAuthorized)
                } else {
                    // Acknowledged, but dropped.
                    try await client.publish("x", to: "closed/a", qos: qos)
                }
            }
            try await client.publish("y", to: "open/a", qos: .atLeastOnce)
            #expect(try await subscription.next().topic.string == "open/a")
        }
    }

    private static let accessControl = [
        "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/opt/homebrew/lib",
        "/usr/local/lib",
    ].map { "\($0)/mosquitto_dynamic_security.so" }.first { FileManager.default.fileExists(atPath: $0) }

    // [MQTT-3.8.4-6] [MQTT-3.9.3-2]
    @Test(
        "A subscription that the server refuses throws with its reason code",
        .enabled(
            if: accessControl != nil || Peers.areRequired, "mosquitto's plug-in for access control is not installed"),
        // With MQTT 3.1, which has no failure code in SUBACK, mosquitto grants the subscription and sends nothing.
        arguments: Setup.all.filter { $0.version > .v3_1 })
    func refusedSubscription(_ setup: Setup) async throws {
        // With an access file, mosquitto grants every subscription but sends nothing; only the plug-in refuses it.
        let plugIn = setup.broker == .mosquitto ? try #require(Self.accessControl) : ""
        var settings = Mosquitto.Settings(
            lines: ["plugin \(plugIn)", "plugin_opt_config_file {folder}/rules.json"],
            files: [
                "rules.json": #"""
                {"defaultACLAccess":
                    {"publishClientSend": true, "publishClientReceive": true, "subscribe": false, "unsubscribe": true},
                 "clients": [], "groups": [{"groupname": "anyone", "roles": [{"rolename": "guest"}]}],
                 "roles": [{"rolename": "guest", "acls": [{"acltype": "subscribePattern", "topic": "open/#", "allow": true}]}],
                 "anonymousGroup": "anyone"}
                """#
            ])
        if setup.broker == .curlew {
            settings = .init(lines: ["acl_file {folder}/acl"], files: ["acl": "topic readwrite open/#\n"])
        }
        try await Mosquitto.run(settings, on: setup.broker) { broker in
            let client = try await broker.connect(setup)
            let error = try await errorOf { try await client.subscribe(to: "closed/#") }
            #expect(error.code == .subscriptionRefused)
            #expect(error.reasonCode == (setup.version == .v5_0 ? .notAuthorized : .unspecifiedError))
            #expect(error.message.contains("closed/#"))

            let both = try await errorOf {
                try await client.subscribe(to: ["open/a", "closed/a"])
            }
            #expect(both.code == .subscriptionRefused)
            #expect(both.message.contains("closed/a"))

            let subscription = Inbox(try await client.subscribe(to: "open/+"))
            try await client.publish("x", to: "open/a", qos: .atLeastOnce)
            #expect(try await subscription.next().text == "x")
        }
    }

    // MARK: TLS

    @Test(
        "A client certificate is accepted, and a missing or foreign one reported as such", arguments: Setup.tcp)
    func clientCertificate(_ setup: Setup) async throws {
        let setup = setup.through(.mutualTLS)
        try await Mosquitto.run(.init(listeners: [.mutualTLS]), on: setup.broker) { broker in
            let client = try await broker.connect(setup) { $0.tls.clientCertificate = Self.certificate("client") }
            let subscription = Inbox(try await client.subscribe(to: "a"))
            try await client.publish("known", to: "a", qos: .exactlyOnce)
            #expect(try await subscription.next().text == "known")

            let nameless = try broker.client(setup)
            let missing = try await errorOf { try await nameless.connect() }
            #expect(Self.cause(missing)?.code == .clientCertificateRequired)

            let foreign = try broker.client(setup) { $0.tls.clientCertificate = Self.certificate("foreign-client") }
            let rejected = try await errorOf { try await foreign.connect() }
            #expect(Self.cause(rejected)?.code == .clientCertificateRejected)
        }
    }

    @Test(
        "A client connects to a broker with an RSA key for encipherment only, a P-521 key or an Ed25519 key",
        arguments: BrokerProgram.available, [Mosquitto.Listener.enciphering, .p521, .ed25519])
    func kindsOfKeys(_ program: BrokerProgram, _ listener: Mosquitto.Listener) async throws {
        try await Mosquitto.run(.init(listeners: [listener]), on: program) { broker in
            _ = try await broker.connect(Setup(listener: listener, version: .v5_0)) {
                $0.tls.trustRoots = .file("\(Peers.certificates)/matrix/root.pem")
            }
        }
    }

    private static func certificate(_ name: String) -> TLSSettings.Identity {
        .init(
            chain: .file("\(Peers.certificates)/\(name).pem"), key: .file("\(Peers.certificates)/\(name).key.pem"))
    }

    private static func cause(_ error: MQTTError) -> TransportError? { error.cause as? TransportError }

    @Test(
        "The error distinguishes an untrusted authority, a certificate for another host, and an expired one",
        arguments: BrokerProgram.available)
    func untrusted(_ program: BrokerProgram) async throws {
        try await Mosquitto.run(.init(listeners: [.tls, .expired, .elsewhere]), on: program) { broker in
            func failure(
                _ listener: Mosquitto.Listener, _ change: (inout MQTTConfiguration) -> Void = { _ in }
            ) async throws -> MQTTError {
                let client = try broker.client(Setup(listener: listener, version: .v5_0), change)
                return try await errorOf { try await client.connect() }
            }
            let stranger = try await failure(.tls) { $0.tls.trustRoots = .file("\(Peers.certificates)/other-ca.pem") }
            #expect(stranger.code == .connectionFailed)
            #expect(Self.cause(stranger)?.code == .certificateNotTrusted)

            let system = try await failure(.tls) { $0.tls.trustRoots = .system }
            #expect(Self.cause(system)?.code == .certificateNotTrusted)

            let expired = try await failure(.expired)
            #expect(Self.cause(expired)?.code == .certificateExpired)

            let elsewhere = try await failure(.elsewhere)
            #expect(Self.cause(elsewhere)?.code == .hostNameMismatch)
            #expect(elsewhere.message.contains("127.0.0.1") && elsewhere.message.contains("broker.example"))
        }
    }

    @Test("Each insecure option gives up only the check that it names", arguments: BrokerProgram.available)
    func insecure(_ program: BrokerProgram) async throws {
        try await Mosquitto.run(.init(listeners: [.tls, .expired, .elsewhere]), on: program) { broker in
            func connect(_ listener: Mosquitto.Listener, _ verification: TLSSettings.Verification) async throws {
                _ = try await broker.connect(Setup(listener: listener, version: .v5_0)) {
                    $0.tls.verification = verification
                }
            }
            try await connect(.elsewhere, .insecureAnyHostName)
            try await connect(.elsewhere, .insecureAnyCertificate)
            try await connect(.expired, .insecureAnyCertificate)
            await #expect(throws: MQTTError.self) { try await connect(.expired, .insecureAnyHostName) }
        }
    }

    @Test("Connecting fails if only one side uses TLS", arguments: BrokerProgram.available)
    func oneSided(_ program: BrokerProgram) async throws {
        try await Mosquitto.run(on: program) { broker in
            let port = try broker.port()
            let client = try broker.client(Setup(listener: .tls, version: .v5_0)) {
                $0.servers = [.mqtts("127.0.0.1", port: port)]
                // mosquitto takes the TLS bytes for a CONNECT and waits for the rest of it.
                $0.connection.connectTimeout = .seconds(2)
            }
            let error = try await errorOf { try await client.connect() }
            #expect(error.code == .connectionFailed)

            let securePort = try broker.port(.tls)
            let plain = try broker.client(Setup(listener: .tcp, version: .v5_0)) {
                $0.servers = [.mqtt("127.0.0.1", port: securePort)]
                $0.connection.handshakeTimeout = .seconds(2)
            }
            #expect(try await errorOf { try await plain.connect() }.code == .connectionFailed)
        }
    }

    @Test(
        "A pre-shared key replaces certificates, and a wrong key is rejected",
        arguments: Setup.tcp)
    func preSharedKey(_ setup: Setup) async throws {
        let setup = setup.through(.preSharedKey)
        let settings = Mosquitto.Settings(
            listeners: [.preSharedKey], lines: ["psk_file {folder}/keys"], files: ["keys": "kitchen:0123456789abcdef\n"]
        )
        try await Mosquitto.run(settings, on: setup.broker) { broker in
            let key: [UInt8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF]
            let client = try await broker.connect(setup) { $0.tls.preSharedKey = .init(identity: "kitchen", key: key) }
            let subscription = Inbox(try await client.subscribe(to: "a"))
            try await client.publish("known", to: "a", qos: .atLeastOnce)
            #expect(try await subscription.next().text == "known")

            let wrong = try broker.client(setup) {
                $0.tls.preSharedKey = .init(identity: "kitchen", key: key.reversed())
            }
            let error = try await errorOf { try await wrong.connect() }
            #expect(error.code == .connectionFailed)
            #expect(Self.cause(error)?.code == .preSharedKeyRejected)
        }
    }

    @Test(
        "The error distinguishes a port without a listener from an unknown host",
        arguments: BrokerProgram.available)
    func nobody(_ program: BrokerProgram) async throws {
        try await Mosquitto.run(on: program) { broker in
            let port = try broker.port()
            _ = try await broker.connect(Setup(listener: .tcp, version: .v5_0)) { $0.reconnect = .disabled }
            try await broker.stop()
            let refused = try broker.client(Setup(listener: .tcp, version: .v5_0))
            let error = try await errorOf { try await refused.connect() }
            #expect(Self.cause(error)?.code == .connectionRefused)
            #expect(error.message.contains("\(port)"))

            let lost = try broker.client(Setup(listener: .tcp, version: .v5_0)) {
                $0.servers = [.mqtt("no-such-host.invalid")]
            }
            #expect(Self.cause(try await errorOf { try await lost.connect() })?.code == .hostNotFound)
        }
    }
}
