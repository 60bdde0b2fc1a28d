#if Tools
import CurlewBroker
import Testing

@testable import CurlewCommand

@Suite("Each option of mosquitto.conf")
struct MosquittoOptionTests {
    /// The supported options, including `max_qos`, which is `maximum_qos` in mosquitto's manual.
    private static let promisedNames = """
        listener port bind_address protocol websockets_headers_size http_dir websockets_origin socket_domain max_connections per_listener_settings allow_anonymous \
        password_file acl_file allow_zero_length_clientid auto_id_prefix use_username_as_clientid cafile capath crlfile certfile \
        keyfile require_certificate use_identity_as_username use_subject_as_username tls_version ciphers psk_file \
        psk_hint max_inflight_messages max_inflight_bytes max_queued_messages max_queued_bytes memory_limit queue_qos0_messages \
        upgrade_outgoing_qos maximum_qos max_topic_alias retain_available max_packet_size message_size_limit \
        max_keepalive persistent_client_expiration sys_interval set_tcp_nodelay check_retain_source log_dest log_type
        """.split(separator: " ").map(String.init)

    @Test("Every supported option is known, and is not among the refused ones", arguments: Self.promisedNames)
    func promised(option: String) {
        #expect(MosquittoOption.named(option) != nil)
        #expect(RefusedMosquittoOptions.reason(for: option) == nil)
    }

    @Test("No other options are known, except include_dir, a second name, and persistence false")
    func noneBesides() {
        let others = Set(MosquittoOption.all.map(\.name)).subtracting(Self.promisedNames)
        #expect(others == ["include_dir", "max_qos", "persistence"])
    }

    /// A line, and a description of its effect.
    struct Good: CustomTestStringConvertible, Sendable {
        let line: String
        let read: @Sendable (MosquittoConfiguration) -> String
        let expected: String

        init(_ line: String, _ expected: String, _ read: @escaping @Sendable (MosquittoConfiguration) -> String) {
            self.line = line
            self.read = read
            self.expected = expected
        }

        var testDescription: String { self.line }
    }

    private static func broker(
        _ line: String, _ expected: String,
        _ read: @escaping @Sendable (MosquittoConfiguration) -> any CustomStringConvertible
    ) -> Good { Good(line, expected) { "\(read($0))" } }

    private static func listener(
        _ line: String, _ expected: String,
        _ read: @escaping @Sendable (MosquittoListener) -> any CustomStringConvertible
    ) -> Good { Good(line, expected) { $0.listeners.count == 1 ? "\(read($0.listeners[0]))" : "not one listener" } }

    static let ofListener: [Good] = [
        Self.listener("listener 1884", "1884 nil any") { "\($0.port ?? 0) \($0.host ?? "nil") \($0.family)" },
        Self.listener("listener 1884 192.0.2.1", "1884 192.0.2.1") { "\($0.port ?? 0) \($0.host ?? "nil")" },
        Self.listener("port 1885", "1885 nil false") { "\($0.port ?? 0) \($0.host ?? "nil") \($0.isLocal)" },
        Self.listener("bind_address 127.0.0.1", "1883 127.0.0.1") { "\($0.port ?? 0) \($0.host ?? "nil")" },
        Self.listener("listener 0 /run/m.sock", "nil /run/m.sock") {
            "\($0.port.map { "\($0)" } ?? "nil") \($0.socketFile ?? "")"
        },
        Self.listener("protocol mqtt", "false") { $0.isWebSocket },
        Self.listener("protocol websockets", "true") { $0.isWebSocket },
        Self.listener("protocol websockets\nwebsockets_headers_size 4096", "4096") { $0.headerSize ?? 0 },
        Self.listener("protocol websockets\nhttp_dir /srv/my page", "/srv/my page") { $0.staticFiles ?? "" },
        Self.listener(
            "protocol websockets\nwebsockets_origin https://a\nwebsockets_origin https://b", "https://a https://b"
        ) {
            $0.origins.sorted().joined(separator: " ")
        },
        Self.listener("socket_domain ipv4", "ipv4") { "\($0.family)" },
        Self.listener("socket_domain ipv6", "ipv6") { "\($0.family)" },
        Self.listener("max_connections 5", "5") { $0.maximumConnections ?? -1 },
        Self.listener("max_connections -1", "nil") { "\($0.maximumConnections.map { "\($0)" } ?? "nil")" },
        Self.listener("max_connections 0", "nil") { "\($0.maximumConnections.map { "\($0)" } ?? "nil")" },
        Self.listener("maximum_qos 1", "1") { $0.maximumQoS.rawValue },
        Self.listener("max_qos 0", "0") { $0.maximumQoS.rawValue },
        Self.listener("max_topic_alias 65535", "65535") { $0.topicAliasMaximum },
        Self.listener("max_topic_alias 0", "0") { $0.topicAliasMaximum },
        Self.listener("use_username_as_clientid true", "true") { $0.usesUsernameAsClientIdentifier },
    ]

    static let ofSecurity: [Good] = [
        Self.listener("allow_anonymous true", "true") { $0.security.allowsAnonymous ?? false },
        Self.listener("allow_anonymous 0", "false") { $0.security.allowsAnonymous ?? true },
        Self.listener("password_file /a b/c", "/a b/c") { $0.security.passwordFile ?? "" },
        Self.listener("acl_file /a#b", "/a#b") { $0.security.accessFile ?? "" },
        Self.listener("allow_zero_length_clientid false", "false") { $0.security.assignsClientIdentifiers },
        Self.listener("auto_id_prefix x y", "x y") { $0.security.assignedIdentifierPrefix },
        Self.listener("per_listener_settings true\nallow_anonymous true", "true") {
            $0.security.allowsAnonymous ?? false
        },
        Self.listener("psk_file /k\npsk_hint h", "/k h") {
            "\($0.security.preSharedKeyFile ?? "") \($0.tls.preSharedKeyHint ?? "")"
        },
    ]

    private static let certificate = "certfile /c d\nkeyfile /k\n"
    private static let demanding = certificate + "cafile /a\nrequire_certificate true\n"

    static let ofTLS: [Good] = [
        Self.listener(certificate, "/c d /k") { "\($0.tls.certificateFile ?? "") \($0.tls.keyFile ?? "")" },
        Self.listener(certificate + "capath /a b", "/a b") { $0.tls.authoritiesFolder ?? "" },
        Self.listener(demanding, "/a true") { "\($0.tls.authoritiesFile ?? "") \($0.tls.requiresCertificate)" },
        Self.listener(demanding + "crlfile /r l", "/r l") { $0.tls.revocationFile ?? "" },
        Self.listener(demanding + "use_identity_as_username true", "true") { $0.tls.usesCommonNameAsUsername },
        Self.listener(demanding + "use_subject_as_username true", "true") { $0.tls.usesSubjectAsUsername },
        Self.listener(certificate + "tls_version tlsv1.3", "TLS 1.3") { $0.tls.minimumVersion ?? .tls10 },
        Self.listener(certificate + "tls_version tlsv1.2", "TLS 1.2") { $0.tls.minimumVersion ?? .tls10 },
        Self.listener(certificate + "tls_version tlsv1.1", "TLS 1.1") { $0.tls.minimumVersion ?? .tls10 },
        Self.listener(certificate + "ciphers AES128-SHA:AES256-SHA", "AES128-SHA AES256-SHA") {
            $0.tls.cipherSuites.joined(separator: " ")
        },
    ]

    static let ofBroker: [Good] = [
        Self.broker("max_inflight_messages 7", "7 7") {
            "\($0.limits.maximumInFlightMessages) \($0.limits.receiveMaximum)"
        },
        Self.broker("max_inflight_messages 0", "65535") { $0.limits.maximumInFlightMessages },
        Self.broker("max_inflight_bytes 100", "100") { $0.limits.maximumInFlightBytes ?? 0 },
        Self.broker("max_inflight_bytes 0", "0") { $0.limits.maximumInFlightBytes ?? 0 },
        Self.broker("max_queued_messages 10", "10") { $0.limits.maximumQueuedMessages },
        Self.broker("max_queued_messages 0", "\(Int.max)") { $0.limits.maximumQueuedMessages },
        Self.broker("max_queued_bytes 10", "10") { $0.limits.maximumQueuedBytes },
        Self.broker("max_queued_bytes 0", "\(Int.max)") { $0.limits.maximumQueuedBytes },
        Self.broker("memory_limit 1048576", "1048576") { $0.limits.maximumMemory ?? 0 },
        Self.broker("memory_limit 0", "\(Int.max)") { $0.limits.maximumMemory ?? 0 },
        Self.broker("queue_qos0_messages true", "true") { $0.behavior.queuesAtMostOnce },
        Self.broker("upgrade_outgoing_qos true", "true") { $0.behavior.upgradesOutgoingQoS },
        Self.broker("retain_available false", "false") { $0.behavior.retainAvailable },
        Self.broker("check_retain_source false", "false") { $0.behavior.checksRetainSource },
        Self.broker("max_packet_size 20", "20") { $0.limits.maximumPacketSize },
        Self.broker("message_size_limit 100", "100") { $0.maximumPayload ?? -1 },
        Self.broker("message_size_limit 0", "-1") { $0.maximumPayload ?? -1 },
        Self.broker("max_keepalive 10", "10") { $0.limits.maximumKeepAlive },
        Self.broker("persistent_client_expiration 2h", "true") { $0.limits.maximumSessionExpiry == .seconds(7200) },
        Self.broker("persistent_client_expiration 14d", "true") {
            $0.limits.maximumSessionExpiry == .seconds(14 * 86_400)
        },
        Self.broker("persistent_client_expiration 1w", "true") {
            $0.limits.maximumSessionExpiry == .seconds(604_800)
        },
        Self.broker("persistent_client_expiration 2m", "true") {
            $0.limits.maximumSessionExpiry == .seconds(60 * 86_400)
        },
        Self.broker("persistent_client_expiration 1y", "true") {
            $0.limits.maximumSessionExpiry == .seconds(365 * 86_400)
        },
        Self.broker("sys_interval 0", "true") { $0.systemTopicInterval == .zero },
        Self.broker("sys_interval 5", "true") { $0.systemTopicInterval == .seconds(5) },
        Self.broker("set_tcp_nodelay true", "1") { $0.listeners.count },
        Self.broker("persistence false", "1") { $0.listeners.count },
        Self.broker("log_dest stdout", "true") { $0.log.destinations == [.standardOutput] },
        Self.broker("log_dest stdout\nlog_dest stderr", "true") {
            $0.log.destinations == [.standardOutput, .standardError]
        },
        Self.broker("log_dest file /var/log/a b.log", "/var/log/a b.log") { $0.log.file ?? "" },
        Self.broker("log_dest none", "true") { $0.log.destinations.isEmpty },
        Self.broker("log_type error\nlog_type subscribe", "true") { $0.log.kinds == [.error, .subscribe] },
        Self.broker("log_type all", "true") { $0.log.kinds == Set(LogSettings.Kind.allCases) },
        Self.broker("log_type error\nlog_type none\nlog_type debug", "true") { $0.log.kinds == [.debug] },
    ]

    @Test("A valid value has its effect", arguments: Self.ofListener + Self.ofSecurity + Self.ofTLS + Self.ofBroker)
    func good(option: Good) throws {
        #expect(option.read(try MosquittoFiles.configuration(option.line)) == option.expected)
    }

    @Test("Every option is tested with a valid value")
    func everyGoodOne() {
        let all = Self.ofListener + Self.ofSecurity + Self.ofTLS + Self.ofBroker
        let tried = all.flatMap { $0.line.split(separator: "\n") }.compactMap { $0.split(separator: " ").first }
        #expect(Set(tried.map(String.init)).isSuperset(of: Self.promisedNames))
    }

    static let badLines: [(String, String)] = [
        ("listener", "it needs a port"), ("listener 0", "give its absolute path"),
        ("listener 0 m.sock", "give its absolute path"),
        ("listener 65536", "not a number from 0 to 65535"), ("listener mqtt", "not a number"),
        ("listener 1883 localhost now", "remove \"now\""), ("port 0", "not a number from 1 to 65535"),
        ("port", "no value"), ("bind_address", "no value"), ("bind_address a b", "takes only one value"),
        ("protocol MQTT", "not one of mqtt, websockets"),
        ("websockets_headers_size x", "not a number"), ("websockets_origin a.example", "not the origin of a page"),
        ("websockets_origin", "no value"), ("http_dir", "no value"),
        ("socket_domain unix", "not one of ipv4, ipv6"), ("max_connections many", "not a number"),
        ("max_connections -2", "not a number"), ("per_listener_settings maybe", "neither true nor false"),
        ("allow_anonymous TRUE", "neither true nor false"), ("allow_anonymous true false", "takes only one value"),
        ("password_file", "no value"), ("acl_file ", "no value"), ("psk_file", "no value"),
        ("allow_zero_length_clientid", "no value"), ("auto_id_prefix", "no value"),
        ("use_username_as_clientid 2", "neither true nor false"), ("cafile", "no value"), ("capath", "no value"),
        ("crlfile", "no value"),
        ("certfile", "no value"), ("keyfile", "no value"), ("require_certificate no", "neither true nor false"),
        ("use_identity_as_username no", "neither true nor false"),
        ("use_subject_as_username no", "neither true nor false"),
        ("tls_version tlsv1", "not one of tlsv1.3, tlsv1.2, tlsv1.1"),
        ("ciphers HIGH:!aNULL", "\"HIGH\" is an expression of OpenSSL, which is not supported"),
        ("ciphers AES128-SHA:frob", "\"frob\" is not an available cipher suite"),
        ("psk_hint", "no value"), ("max_inflight_messages 65536", "not a number from 0 to 65535"),
        ("max_inflight_messages 12x", "not a number"), ("max_inflight_bytes -1", "not a number"),
        ("memory_limit -1", "not a number"),
        ("max_queued_messages -1", "not a number"),
        ("max_queued_bytes 99999999999999999999", "not a number"),
        ("queue_qos0_messages", "no value"), ("upgrade_outgoing_qos yes", "neither true nor false"),
        ("maximum_qos 3", "not a number from 0 to 2"), ("max_qos -1", "not a number from 0 to 2"),
        ("max_topic_alias 65536", "not a number from 0 to 65535"), ("retain_available on", "neither true nor false"),
        ("max_packet_size 19", "not a number from 20 to 268435460 (bytes)"),
        ("max_packet_size 268435461", "not a number"),
        ("message_size_limit 268435456", "not a number from 0 to 268435455"),
        ("max_keepalive 9", "not a number from 10 to 65535 (seconds)"), ("max_keepalive 65536", "not a number"),
        ("persistent_client_expiration 5", "not a period"), ("persistent_client_expiration 0d", "not a period"),
        ("persistent_client_expiration 5x", "not a period"),
        ("persistent_client_expiration 2 m", "takes only one value"),
        ("persistent_client_expiration 9999999999y", "not a period"),
        ("sys_interval 65536", "not a number from 0 to 65535"),
        ("sys_interval -1", "not a number"), ("set_tcp_nodelay false", "always sent at once"),
        ("set_tcp_nodelay", "no value"), ("check_retain_source x", "neither true nor false"),
        ("log_dest", "no value"), ("log_dest syslog", "syslog is not supported"),
        ("log_dest topic", "topic is not supported"),
        ("log_dest dlt", "dlt is not supported"), ("log_dest file", "does not name the file"),
        ("log_dest x", "not one of"),
        ("log_dest stderr x", "takes only one value"), ("log_dest file a\nlog_dest file b", "be only one file"),
        ("log_type", "no value"), ("log_type info", "not one of debug, information"),
        ("log_type websockets", "no log messages of type websockets"),
        ("log_type error warning", "takes only one value"),
        ("persistence true", "only in memory"),
    ]

    @Test("An invalid value is reported with file, line, option and reason", arguments: Self.badLines)
    func bad(line: String, reason: String) throws {
        let problems = try MosquittoFiles.problems("# first\n\(line)\n")
        try #require(problems.count == 1, "\(problems)")
        let number = 1 + line.split(separator: "\n").count
        let name = line.prefix { $0 != " " }
        #expect(problems[0].hasPrefix("m.conf:\(number): \(name.prefix { $0 != "\n" }): "), "\(problems)")
        #expect(problems[0].contains(reason), "\(problems)")
        #expect(problems[0].hasSuffix("."))
    }

    @Test("Every option is tested with an invalid value")
    func everyBadOne() {
        let tried = Self.badLines.compactMap { $0.0.split(separator: " ").first.map(String.init) }
        #expect(Set(tried).isSuperset(of: Self.promisedNames))
    }

    @Test(
        "mosquitto's other options are refused, each with its reason",
        arguments: RefusedMosquittoOptions.reasons.keys.sorted() + [
            "bridge_cafile", "bridge_protocol_version", "auth_opt_host", "plugin_opt_config",
        ])
    func refused(option: String) throws {
        let reason = try #require(RefusedMosquittoOptions.reason(for: option))
        #expect(try MosquittoFiles.problems("\(option) true\n") == ["m.conf:1: \(option): \(reason)"])
        #expect(MosquittoOption.named(option) == nil)
    }

    @Test("An option that mosquitto does not have is reported as unknown")
    func unknown() throws {
        #expect(
            try MosquittoFiles.problems("frob 1\n") == [
                "m.conf:1: frob: there is no such option; correct or remove it."
            ])
    }
}
#endif
