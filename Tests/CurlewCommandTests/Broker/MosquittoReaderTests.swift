#if Tools
import CurlewBroker
import CurlewCore
import Testing

@testable import CurlewCommand

@Suite("Reading a mosquitto.conf")
struct MosquittoReaderTests {
    // MARK: Lines

    @Test("Comments, empty lines, indentation, spaces in values, a BOM and CRLF are accepted")
    func lines() throws {
        let configuration = try MosquittoFiles.configuration(
            "\u{FEFF}# a comment\r\n\r\n   \r\n  # indented\r\nlistener 1884   # behind a number\r\n\tmaximum_qos\t 1  \r\n"
                + "password_file  /a  b # c \r\nallow_anonymous true # yes")
        #expect(configuration.listeners.map(\.port) == [1884])
        #expect(configuration.listeners[0].maximumQoS == .atLeastOnce)
        #expect(configuration.listeners[0].security.passwordFile == "/a  b # c")
        #expect(configuration.listeners[0].security.allowsAnonymous == true)
    }

    @Test("All errors are reported at once, in the order of the lines")
    func allProblems() throws {
        let text = """
            listener 1883
            maximum_qos 7

            # a comment
            bridge_cafile /x
            listener 1883
            cafile /x
            frob
            """
        let problems = try MosquittoFiles.problems(text)
        #expect(
            problems.map { $0.split(separator: " ")[0] } == [
                "m.conf:2:", "m.conf:5:", "m.conf:6:", "m.conf:7:", "m.conf:8:",
            ])
    }

    @Test("A line that is not UTF-8 is an error, unless it names a file")
    func notUTF8() throws {
        let name = String(keeping: [0x2F, 0xE4])
        #expect(try MosquittoFiles.problems("psk_hint \(name)") == ["m.conf:1: psk_hint: the line is not UTF-8."])
        let configuration = try MosquittoFiles.configuration("listener 1884\npassword_file \(name)")
        #expect(configuration.listeners[0].security.passwordFile?.keptBytes == [0x2F, 0xE4])
        #expect(try MosquittoFiles.problems("psk_hint \u{FFFD}").allSatisfy { !$0.contains("UTF-8") })
    }

    @Test(
        "A repeated text option is refused; of repeated numbers and booleans, the last applies, with a warning")
    func repetition() throws {
        #expect(
            try MosquittoFiles.problems("acl_file a\nacl_file b\n") == [
                "m.conf:2: acl_file: it is already set in m.conf:1; remove one of the two lines."
            ])
        let configuration = try MosquittoFiles.configuration("sys_interval 1\nsys_interval 2\n")
        #expect(configuration.systemTopicInterval == .seconds(2))
        #expect(
            configuration.warnings.map(\.description) == [
                "m.conf:2: sys_interval: this line overrides m.conf:1."
            ])
        // A different listener may set it again.
        let two = try MosquittoFiles.configuration("listener 1\nmax_qos 1\nlistener 2\nmax_qos 0\n")
        #expect(two.warnings.isEmpty)
        #expect(two.listeners.map(\.maximumQoS.rawValue) == [1, 0])
    }

    // MARK: Files

    @Test("A folder is included at its line, in mosquitto's order, and each file begins without a listener")
    func inclusion() throws {
        let others = [
            "d/b.conf": "sys_interval 1\n", "d/B.conf": "sys_interval 2\n", "d/01.conf": "listener 1885\n",
            "d/a.txt": "frob\n", "d/c.conf~": "frob\n",
        ]
        let configuration = try MosquittoFiles.configuration("listener 1884\ninclude_dir d\nmax_qos 1\n", others)
        #expect(configuration.listeners.map(\.port) == [1884, 1885])
        #expect(configuration.listeners.map(\.maximumQoS.rawValue) == [1, 2])
        #expect(configuration.systemTopicInterval == .seconds(1))
        #expect(
            configuration.warnings.map(\.description) == [
                "d/b.conf:1: sys_interval: this line overrides d/B.conf:1."
            ])
    }

    @Test("Included files are in mosquitto's order")
    func order() throws {
        let names = ["b_b", "ba", "b", "B", "Ba", ".x", "01", "a", "A", "00"]
        let files = MosquittoFiles(Dictionary(uniqueKeysWithValues: names.map { ("d/\($0).conf", "") })).files
        #expect(
            try files.configurations(in: "d")
                == [".x", "00", "01", "A", "a", "B", "Ba", "b", "ba", "b_b"].map { "d/\($0).conf" })
    }

    @Test("An error in an included file names the file")
    func problemsInside() throws {
        let others = ["d/a.conf": "\nmax_qos 9\n", "d/b.conf": "include_dir e\n"]
        #expect(
            try MosquittoFiles.problems("include_dir d\nmax_qos 8\n", others) == [
                "d/a.conf:2: max_qos: \"9\" is not a number from 0 to 2.",
                "d/b.conf:1: include_dir: only the main file can include others; move the line there.",
                "m.conf:2: max_qos: \"8\" is not a number from 0 to 2.",
            ])
    }

    @Test("A folder that cannot be read is an error")
    func noFolder() throws {
        let problems = try MosquittoFiles.problems("include_dir nowhere\n")
        #expect(problems == ["m.conf:1: include_dir: 'nowhere' cannot be read: No such file or directory."])
    }

    // MARK: Listeners

    @Test("Without a listener, there is one for this machine only")
    func localListener() throws {
        let configuration = try MosquittoFiles.configuration("max_connections 5\n")
        let listener = try #require(configuration.listeners.first)
        #expect(configuration.listeners.count == 1)
        #expect(listener.isLocal)
        #expect(listener.address == ListenerAddress(scheme: .mqtt, host: "127.0.0.1", port: 1883))
        #expect(listener.maximumConnections == 5)
    }

    @Test("port or bind_address adds the default listener to the others")
    func defaultListener() throws {
        let configuration = try MosquittoFiles.configuration("max_qos 1\nlistener 1884\nport 1885\nmax_qos 0\n")
        #expect(configuration.listeners.map(\.port) == [1884, 1885])
        #expect(configuration.listeners.map(\.maximumQoS.rawValue) == [0, 1])
        #expect(configuration.listeners.map(\.isLocal) == [false, false])
    }

    @Test("An option before the first listener, without a default listener, is an error")
    func strayOption() throws {
        let problems = try MosquittoFiles.problems("max_qos 1\nlistener 1884\n")
        #expect(
            problems == [
                "m.conf:1: max_qos: it comes before the first listener and therefore applies to none; move it below one, or set port."
            ])
    }

    @Test("Two listeners with the same address are refused; the same port on different addresses is allowed")
    func sameAddress() throws {
        #expect(
            try MosquittoFiles.problems("listener 1\nlistener 1\n") == [
                "m.conf:2: listener: port 1 is already used by the listener of m.conf:1; give another."
            ])
        #expect(try MosquittoFiles.problems("listener 1 192.0.2.1\nlistener 1 192.0.2.2\n") == [])
        #expect(
            try MosquittoFiles.problems("listener 1\nsocket_domain ipv4\nlistener 1\nsocket_domain ipv6\n") == [])
        #expect(
            try MosquittoFiles.problems("listener 1\nport 1\n") == [
                "m.conf:1: listener: port 1 is already used by the default listener; give another."
            ])
    }

    @Test("Access settings apply to all listeners or, with per_listener_settings, to one")
    func perListener() throws {
        let shared = try MosquittoFiles.configuration(
            "listener 1\npassword_file p\nlistener 2\nallow_anonymous true\n")
        #expect(shared.listeners.map(\.security.passwordFile) == ["p", "p"])
        #expect(shared.listeners.map(\.security.allowsAnonymous) == [true, true])
        let own = try MosquittoFiles.configuration(
            "per_listener_settings true\nlistener 1\npassword_file p\nlistener 2\npassword_file q\nallow_anonymous true\n"
        )
        #expect(own.listeners.map(\.security.passwordFile) == ["p", "q"])
        #expect(own.listeners.map(\.security.allowsAnonymous) == [nil, true])
    }

    @Test("per_listener_settings must come first")
    func perListenerFirst() throws {
        let problems = try MosquittoFiles.problems("listener 1\nacl_file a\nper_listener_settings true\n")
        #expect(
            problems == [
                "m.conf:3: per_listener_settings: it must come before the options that it affects, and so before m.conf:2."
            ])
    }

    @Test(
        "socket_domain must match the address, and cannot be combined with a name",
        arguments: [
            ("127.0.0.1", "ipv6", "127.0.0.1 is not an IPv6 address"), ("::1", "ipv4", "::1 is not an IPv4 address"),
            ("localhost", "ipv4", "a host name means the first of its addresses"),
        ])
    func family(host: String, family: String, reason: String) throws {
        let problems = try MosquittoFiles.problems("listener 1 \(host)\nsocket_domain \(family)\n")
        #expect(problems.count == 1, "\(problems)")
        #expect(problems.first?.hasPrefix("m.conf:2: socket_domain: ") == true, "\(problems)")
        #expect(problems.first?.contains(reason) == true, "\(problems)")
        #expect(try MosquittoFiles.problems("listener 1 ::1\nsocket_domain ipv6\n").isEmpty)
        #expect(try MosquittoFiles.problems("listener 1 192.0.2.1\nsocket_domain ipv4\n").isEmpty)
    }

    // MARK: TLS

    @Test(
        "Contradictory options are refused with their line",
        arguments: [
            ("certfile c", 2, "certfile: a certificate needs its private key"),
            ("keyfile k", 2, "keyfile: a private key needs its certificate"),
            ("cafile a", 2, "cafile: the listener does not use TLS"),
            ("capath a", 2, "capath: the listener does not use TLS"),
            ("crlfile l", 2, "crlfile: the listener does not use TLS"),
            ("tls_version tlsv1.2", 2, "tls_version: the listener does not use TLS"),
            ("ciphers AES128-SHA", 2, "ciphers: the listener does not use TLS"),
            ("require_certificate true", 2, "require_certificate: the listener does not use TLS"),
            ("use_identity_as_username true", 2, "use_identity_as_username: the listener does not use TLS"),
            (
                "certfile c\nkeyfile k\nrequire_certificate true", 4,
                "require_certificate: the CAs of client certificates"
            ),
            (
                "certfile c\nkeyfile k\nuse_subject_as_username true", 4,
                "use_subject_as_username: it needs client certificates"
            ),
            ("certfile c\nkeyfile k\ncrlfile l", 4, "crlfile: it needs client certificates"),
            ("psk_file f\npsk_hint h\ncrlfile l", 4, "crlfile: pre-shared keys replace certificates"),
            ("certfile c\nkeyfile k\ncafile a\ncapath b", 5, "capath: cafile is set as well"),
            ("psk_hint h", 2, "psk_hint: there are no keys"),
            ("websockets_origin https://a", 2, "websockets_origin: the listener does not use WebSocket"),
            ("http_dir /srv", 2, "http_dir: the listener does not use WebSocket"),
            ("websockets_headers_size 1", 2, "websockets_headers_size: the listener does not use WebSocket"),
            ("listener 0 /a\nprotocol websockets", 3, "protocol: a Unix domain socket has neither TLS nor WebSocket"),
            ("listener 0 /a\nlistener 0 /a", 3, "listener: /a is already used by the listener of"),
            ("psk_file f", 2, "psk_file: no listener uses these keys"),
            ("psk_file f\npsk_hint h\nciphers AES128-SHA", 4, "ciphers: pre-shared keys have"),
            ("psk_file f\npsk_hint h\ntls_version tlsv1.3", 4, "tls_version: pre-shared keys work only with TLS 1.2"),
            ("psk_file f\npsk_hint h\nuse_identity_as_username true", 4, "use_identity_as_username: the name of a"),
            ("psk_file f\npsk_hint h\ncertfile c\nkeyfile k", 4, "certfile: pre-shared keys replace certificates"),
        ])
    func contradictions(lines: String, number: Int, problem: String) throws {
        let problems = try MosquittoFiles.problems("listener 8883\n\(lines)\n")
        #expect(problems.count == 1, "\(problems)")
        #expect(problems.first?.hasPrefix("m.conf:\(number): \(problem)") == true, "\(problems)")
    }

    @Test("CAs without require_certificate cause a warning")
    func idleAuthorities() throws {
        let configuration = try MosquittoFiles.configuration("listener 8883\ncertfile c\nkeyfile k\ncafile a\n")
        #expect(configuration.warnings.map(\.place.line) == [4])
    }
}
#endif
