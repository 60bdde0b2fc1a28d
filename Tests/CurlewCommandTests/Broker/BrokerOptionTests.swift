#if Tools
import ArgumentParser
import CurlewBroker
import Testing

@testable import CurlewCommand

@Suite("The options of curlew broker")
struct BrokerOptionTests {
    private func plan(
        _ arguments: String, _ environment: [String: String] = [:], files: [String: String] = [:],
        complain: (String) -> Void = { _ in }
    ) async throws -> BrokerPlan {
        let command = try BrokerCommand.parse(arguments.split(separator: " ").map(String.init))
        return try await BrokerPlan(
            command.options, accounts: NamedAccounts(), files: MosquittoFiles(files).files,
            variable: { environment[$0] }, complain: complain)
    }

    @Test(
        "The options determine the listeners' addresses",
        arguments: [
            ("", ["mqtt://127.0.0.1:1883"]),
            ("-p 0", ["mqtt://127.0.0.1:0"]),
            ("--tls-cert c --tls-key k", ["mqtts://127.0.0.1:8883"]),
            ("-p 1884 --tls-cert c --tls-key k", ["mqtts://127.0.0.1:1884"]),
            ("--listen mqtt://0.0.0.0", ["mqtt://0.0.0.0:1883"]),
            ("--listen mqtt://*:1884/", ["mqtt://*:1884"]),
            ("--listen mqtt://:1884", ["mqtt://127.0.0.1:1884"]),
            ("--listen mqtt://[::1]:0", ["mqtt://[::1]:0"]),
            ("--listen ws://*,ws://[::1]:9001/mqtt", ["ws://*:8083", "ws://[::1]:9001/mqtt"]),
            ("--listen wss://a --tls-cert c --tls-key k", ["wss://a:8084"]),
            ("--listen mqtt+unix:///run/c.sock", ["mqtt+unix:///run/c.sock"]),
            (
                "--listen mqtt://a,mqtts://[::] --listen mqtt://b:2 --tls-cert c --tls-key k",
                ["mqtt://a:1883", "mqtts://[::]:8883", "mqtt://b:2"]
            ),
        ] as [(String, [String])])
    func addresses(arguments: String, urls: [String]) async throws {
        let plan = try await self.plan(arguments)
        #expect(plan.addresses.map { $0.url(bound: $0.port) } == urls)
        #expect(plan.configuration.listeners.count == urls.count)
    }

    @Test("Without options, Curlew's defaults apply")
    func defaults() async throws {
        let plan = try await self.plan("")
        #expect(plan.configuration.listeners.map(\.anonymous) == [.local])
        #expect(plan.configuration.limits.maximumPacketSize == MQTTBrokerConfiguration.Limits().maximumPacketSize)
        #expect(plan.configuration.limits.maximumInFlightMessages == 1000)
        #expect(plan.configuration.authenticators.isEmpty)
        #expect(plan.log == LogSettings())
        #expect(plan.warnings.isEmpty)
    }

    @Test("The options set the limits")
    func limits() async throws {
        let limits = try await self.plan(
            """
            --max-connections 1 --max-packet-size 20 --max-queued-messages 0 --max-queued-bytes 4 --max-inflight-messages 5 \
            --max-inflight-bytes 6 --max-keepalive 10 --max-qos 1 --max-topic-alias 0 --max-session-expiry 7 \
            --max-memory 1048576 --max-publisher-delay 8
            """
        ).configuration.limits
        #expect(limits.maximumConnections == 1)
        #expect(limits.maximumPacketSize == 20)
        #expect(limits.maximumQueuedMessages == 0)
        #expect(limits.maximumQueuedBytes == 4)
        #expect(limits.maximumInFlightMessages == 5)
        #expect(limits.receiveMaximum == 5)
        #expect(limits.maximumInFlightBytes == 6)
        #expect(limits.maximumKeepAlive == 10)
        #expect(limits.maximumQoS == .atLeastOnce)
        #expect(limits.topicAliasMaximum == 0)
        #expect(limits.maximumSessionExpiry == .seconds(7))
        #expect(limits.maximumMemory == 1 << 20)
        #expect(limits.maximumPublisherDelay == .milliseconds(8))
    }

    @Test("The options set the password file, the access file and anonymous access")
    func accounts() async throws {
        let configuration = try await self.plan("--password-file p --acl-file a --allow-anonymous").configuration
        #expect(configuration.authenticators.sources == ["p"])
        #expect(configuration.authorizers.sources == ["a"])
        #expect(configuration.listeners.map(\.anonymous) == [.allowed])
    }

    @Test(
        "--identifier-conflict sets the conflict policy, also together with a configuration file",
        arguments: [
            ("", .replaceSession), ("--identifier-conflict replace", .replaceSession),
            ("--identifier-conflict users-first", .replaceUnlessAnonymous),
            ("--identifier-conflict refuse", .refuseClient), ("-c f --identifier-conflict refuse", .refuseClient),
        ] as [(String, MQTTBrokerConfiguration.Behavior.IdentifierConflict)])
    func identifierConflict(
        arguments: String, conflict: MQTTBrokerConfiguration.Behavior.IdentifierConflict
    ) async throws {
        let behavior = try await self.plan(arguments, files: ["f": "listener 1884\n"]).configuration.behavior
        #expect(behavior.identifierConflict == conflict)
        #expect(behavior.endsSessionsOfRemovedUsers)
    }

    @Test("--keep-sessions-of-removed-users keeps the sessions of removed users")
    func keptSessions() async throws {
        let plan = try await self.plan("--keep-sessions-of-removed-users")
        #expect(!plan.configuration.behavior.endsSessionsOfRemovedUsers)
    }

    @Test(
        "Rules that depend on user names are refused if user names are not verified",
        arguments: [
            (
                "--acl-file rules --allow-anonymous",
                "The access rules, line 2: 'user u' never applies, because user names are not verified; give --password-file, or --trust-usernames to trust them."
            ),
            (
                "-c acl.conf",
                "The access rules, line 2: 'user u' never applies, because user names are not verified; set password_file, or start the broker with --trust-usernames to trust them."
            ),
            (
                "--use-username-as-clientid",
                "--use-username-as-clientid needs verified user names; give --password-file, or --trust-usernames to trust them."
            ),
            (
                "-c name.conf",
                "use_username_as_clientid needs verified user names; set password_file, or start the broker with --trust-usernames to trust them."
            ),
        ])
    func unverifiedNames(arguments: String, message: String) async throws {
        let files = [
            "acl.conf": "listener 1884\nallow_anonymous true\nacl_file rules\n",
            "name.conf": "listener 1884\nallow_anonymous true\nuse_username_as_clientid true\n",
        ]
        let failure = await #expect(throws: CommandFailure.self) { try await self.plan(arguments, files: files) }
        #expect(failure?.message == message)
        let trusting = try await self.plan("\(arguments) --trust-usernames", files: files).configuration
        #expect(trusting.listeners.map(\.trustsUnverifiedUsernames) == [true])
        guard !arguments.hasPrefix("-c") else { return }
        let verifying = try await self.plan("\(arguments) --password-file p", files: files).configuration
        #expect(verifying.listeners.map(\.trustsUnverifiedUsernames) == [false])
    }

    @Test("A listener for other machines causes a warning if no client from there can connect")
    func warnings() async throws {
        let warnings = try await self.plan("--listen mqtt://0.0.0.0,mqtt://localhost,mqtt://127.0.0.2:5").warnings
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("mqtt://0.0.0.0:1883") == true)
        #expect(try await self.plan("--listen mqtt://0.0.0.0 --allow-anonymous").warnings.isEmpty)
        #expect(try await self.plan("--listen mqtt://0.0.0.0 --password-file p").warnings.isEmpty)
    }

    @Test("TLS options set the certificate, and the CA for client certificates")
    func tls() async throws {
        let options = try BrokerCommand.parse(
            "--tls-cert c --tls-key k --tls-ca a".split(separator: " ").map(String.init)
        ).options
        let tls = try #require(options.tls(passphrase: "secret"))
        #expect(tls.certificate == .init(chain: .file("c"), key: .file("k"), passphrase: "secret"))
        #expect(tls.clientTrustRoots == .file("a"))
        #expect(!tls.requiresClientCertificate)
        let strict = try BrokerCommand.parse(
            "--tls-cert c --tls-key k --tls-ca a --tls-require-certificate".split(separator: " ").map(String.init))
        #expect(strict.options.tls(passphrase: nil)?.requiresClientCertificate == true)
        #expect(strict.options.tls(passphrase: nil)?.revocationLists == [])
        let revoking = try BrokerCommand.parse(
            "--tls-cert c --tls-key k --tls-ca a --tls-crl r".split(separator: " ").map(String.init))
        #expect(revoking.options.tls(passphrase: nil)?.revocationLists == [.file("r")])
        #expect(try BrokerCommand.parse([]).options.tls(passphrase: nil) == nil)
        let bundle = try BrokerCommand.parse(["--tls-cert", "c.p12"])
        #expect(bundle.options.tls(passphrase: "p")?.certificate == .pkcs12(.file("c.p12"), passphrase: "p"))
    }

    @Test(
        "Contradictory options are reported in one sentence",
        arguments: [
            ("-c f -p 1", "leave out --port"), ("-c f --max-qos 1", "leave out --max-qos"),
            ("-c f --max-connections 1", "leave out --max-connections"),
            ("-c f --allow-anonymous", "leave out --allow-anonymous"),
            ("-c f --use-username-as-clientid", "leave out --use-username-as-clientid"),
            ("-p 1 --listen mqtt://a", "give one of them"),
            ("-d", "stays in the foreground"), ("--tls-key k", "--tls-key needs its certificate"),
            ("--tls-ca a", "--tls-ca needs TLS"), ("--tls-require-certificate", "needs TLS"),
            ("--tls-cert c --tls-key k --tls-require-certificate", "--tls-ca as well"),
            ("--tls-crl r", "--tls-crl needs TLS"), ("--tls-cert c --tls-key k --tls-crl r", "--tls-ca as well"),
            ("-c f --tls-crl r", "leave out --tls-crl"),
            ("--max-connections 0", "--max-connections must be from 1 to"), ("--max-packet-size 19", "from 20 to"),
            ("--max-keepalive 9", "from 10 to 65535"), ("--max-inflight-messages 65536", "from 1 to 65535"),
            ("--max-topic-alias 65536", "from 0 to 65535"), ("--max-session-expiry 4294967296", "from 0 to"),
        ])
    func conflicts(arguments: String, reason: String) async throws {
        let error = await #expect(throws: (any Error).self) { try await self.plan(arguments) }
        let message = try BrokerCommand.message(for: #require(error))
        #expect(message.contains(reason), "\(message)")
    }

    @Test(
        "An invalid address is reported in one sentence",
        arguments: [
            ("1883", "not an address to listen on"), ("http://a", "not an address to listen on"),
            ("mqtt+unix://run/a", "three slashes"), ("ws://a/b?c=d", "more than a host and a port"),
            ("wss://a", "needs a certificate"), ("mqtt://a --allow-origin https://a", "needs a listener for WebSocket"),
            ("ws://a --allow-origin a.example", "not the origin of a page"),
            ("mqtt://a --socket-mode 660", "needs a Unix domain socket"),
            ("mqtt://a --trust-proxy x", "not an IP address or a range"),
            ("mqtt://a --proxy-protocol", "give --trust-proxy"),
            ("mqtt://a:65536", "no port from 0"), ("mqtt://::1", "in brackets"), ("mqtt://[::1", "no ]"),
            ("mqtt://a/topic", "more than a host and a port"), ("mqtt://me@a", "more than a host and a port"),
            ("mqtts://a", "needs a certificate"), ("mqtt://a --tls-cert c --tls-key k", "needs a listener with TLS"),
        ])
    func badPlaces(url: String, reason: String) async throws {
        let failure = await #expect(throws: CommandFailure.self) { try await self.plan("--listen \(url)") }
        #expect(failure?.message?.contains(reason) == true, "\(failure?.message ?? "")")
        #expect(failure?.exitCode == 1)
    }

    @Test("-c reads a file, and -v logs everything, regardless of the file")
    func file() async throws {
        let files = ["f": "listener 1884\nmax_qos 1\nlog_type none\nsys_interval 1\nsys_interval 2\n"]
        let plan = try await self.plan("-c f -v", files: files)
        #expect(plan.addresses == [ListenerAddress(scheme: .mqtt, host: "*", port: 1884)])
        #expect(plan.configuration.listeners.map(\.maximumQoS) == [.atLeastOnce])
        #expect(plan.log.kinds == Set(LogSettings.Kind.allCases))
        #expect(
            plan.warnings == [
                "f:5: sys_interval: this line overrides f:4.",
                "No client can connect to mqtt://*:1884: set password_file, or allow_anonymous true.",
            ])
    }

    @Test(
        "A file that lets some clients connect causes no warning",
        arguments: ["listener 1884\nallow_anonymous true", "max_qos 1", "listener 1884\npassword_file p"])
    func fileWithClients(text: String) async throws {
        #expect(try await self.plan("-c f", files: ["f": text, "p": ""]).warnings.isEmpty)
    }

    @Test("All errors in a file are reported, one line each")
    func fileProblems() async throws {
        var lines: [String] = []
        let failure = await #expect(throws: CommandFailure.self) {
            try await self.plan("-c f", files: ["f": "frob\nmax_qos 3\nuser me\n"]) { lines.append($0) }
        }
        lines.append(failure?.message ?? "")
        #expect(
            lines.map { $0.split(separator: " ").prefix(2).joined(separator: " ") } == [
                "f:1: frob:", "f:2: max_qos:", "f:3: user:",
            ])
        let missing = await #expect(throws: CommandFailure.self) { try await self.plan("-c g") }
        #expect(missing?.message == "The configuration file 'g' does not exist.")
    }
}
#endif
