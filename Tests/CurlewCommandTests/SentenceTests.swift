#if Tools
import CurlewBroker
import Foundation
import MosquittoFixture
import Testing

/// Every command-line error is one sentence that uses the names of options and variables.
@Suite("Errors of curlew", .timeLimit(.minutes(3)))
struct SentenceTests {
    /// A command line, and its error after the command's name.
    private static let cases: [(String, String)] = [
        // Commands.
        ("publish -t a", "There is no command 'publish'; did you mean 'pub'? See 'curlew --help'."),
        ("subb -t a", "There is no command 'subb'; did you mean 'sub'? See 'curlew --help'."),
        ("pbu", "There is no command 'pbu'; did you mean 'pub'? See 'curlew --help'."),
        (
            "help nosuch",
            "There is no command 'nosuch'; there are pub, sub, request, respond, collect, call, serve, bench, broker, passwd and demo; see "
                + "'curlew --help'."
        ),
        ("bench sbu", "There is no command 'bench sbu'; did you mean 'bench sub'? See 'curlew bench --help'."),
        (
            "-t a",
            "The command comes before the options, as in 'curlew sub -t'; it is one of pub, sub, request, respond, "
                + "collect, call, serve, bench, broker, passwd and demo; see 'curlew --help'."
        ),
        // Options.
        ("sub a --json", "Unknown option '--json'; did you mean '--output json'? See 'curlew sub --help'."),
        ("sub a --topc b", "Unknown option '--topc'; did you mean '--topic'? See 'curlew sub --help'."),
        ("bench pub --nosuch", "Unknown option '--nosuch'; see 'curlew bench pub --help'."),
        ("broker --nosuch", "Unknown option '--nosuch'; see 'curlew broker --help'."),
        ("passwd --nosuch a b", "Unknown option '--nosuch'; see 'curlew passwd --help'."),
        (
            "sub a -m b",
            "'-m' is not an option of this command, but of 'curlew pub', 'curlew request', 'curlew respond'; see 'curlew sub --help'."
        ),
        ("pub a -m b -m b", "-m is given twice, but there is only one message; give it once; see 'curlew pub --help'."),
        ("sub a -p", "Missing value for '-p <1-65535>'; see 'curlew sub --help'."),
        ("sub a -h", "-h needs the host of the broker; see 'curlew sub --help'."),
        (
            "pub a b c",
            "Unexpected argument 'c': topic and message are already given; quote messages that contain spaces; see "
                + "'curlew pub --help'."
        ),
        // Values.
        (
            "sub a -W abc",
            "The value 'abc' is invalid for '-W <seconds>': it must be a number of seconds greater than 0, as in 2.5; see "
                + "'curlew sub --help'."
        ),
        (
            "sub a -C 0",
            "The value '0' is invalid for '-C <count>': it must be a whole number of at least 1; see 'curlew sub --help'."
        ),
        ("sub a -q 3", "The value '3' is invalid for '-q <0|1|2>': it must be 0, 1 or 2; see 'curlew sub --help'."),
        (
            "sub a -k -1",
            "The value '-1' is invalid for '-k <0-65535>': it must be a number of seconds from 0 to 65535; see "
                + "'curlew sub --help'."
        ),
        (
            "bench sub -n x",
            "The value 'x' is invalid for '-n <count>': it must be a whole number of at least 1; see 'curlew bench sub --help'."
        ),
        (
            "broker --max-connections x",
            "The value 'x' is invalid for '--max-connections <count>': it must be a whole number; see 'curlew broker --help'."
        ),
        (
            "broker --max-connections 0",
            "--max-connections must be from 1 to 2147483647, not 0; see 'curlew broker --help'."
        ),
        (
            "demo --devices 0",
            "The value '0' is invalid for '--devices <count>': it must be a whole number from 1 to 100; see 'curlew demo --help'."
        ),
        // Messages and topics.
        (
            "pub a",
            "The message is missing; give it with -m, -f, -s, -l, or -n for an empty one, or write it after the topic; see "
                + "'curlew pub --help'."
        ),
        ("pub -n", "The topic is missing; give it with -t, in the URL, or as an argument."),
        ("sub", "The topic is missing; give at least one with -t, in the URL, or as an argument."),
        ("pub a -f /does/not/exist", "The file '/does/not/exist' cannot be read: No such file or directory."),
        (
            "sub a -P x -V 3.1.1",
            "A password without a user name is not possible with MQTT 3.1.1; give one with -u, which may be ''."
        ),
        // Brokers.
        (
            "sub a -h localhost:1883",
            "-h takes only a host; give the port with -p, as in -h localhost -p 1883; see 'curlew sub --help'."
        ),
        (
            "sub a -h [::1]:1883",
            "-h takes only a host; give the port with -p, as in -h ::1 -p 1883; see 'curlew sub --help'."
        ),
        ("sub a -h mqtt://b", "-h takes only a host; give the URL without -h; see 'curlew sub --help'."),
        ("sub a -h b/c", "-h takes a host name or an address; 'b/c' is neither; see 'curlew sub --help'."),
        (
            "sub a -h fe80::1",
            "fe80::1 is valid on one network of this machine only; name its interface, as in fe80::1%eth0."
        ),
        (
            "sub a -h 127.0.0.1 -p {closed}",
            "127.0.0.1:{closed} refused the connection; is the broker running, and is the port right?"
        ),
        (
            "sub a -h 127.0.0.1 -h 127.0.0.1 -p {closed}",
            "Cannot connect to any of the 2 brokers; the last one tried: 127.0.0.1:{closed} refused the connection; is the broker "
                + "running, and is the port right?"
        ),
        // Files.
        (
            "sub a --password-file /dev/null",
            "The file '/dev/null' that --password-file names cannot be used: it is empty."
        ),
        ("sub a --password-file /nosuch", "The file '/nosuch' of --password-file does not exist."),
        (
            "sub a --cafile /nosuch",
            "The trusted authorities (--cafile) cannot be read from /nosuch: No such file or directory."
        ),
        ("sub a -o /nosuch", "The options file '/nosuch' does not exist."),
        ("broker -c /nosuch", "The configuration file '/nosuch' does not exist."),
    ]

    @Test("Each error is one sentence that says what to do", arguments: Self.cases)
    func sentences(line: String, sentence: String) async throws {
        let closed = line.contains("{closed}") ? try await freePort() : 0
        func fill(_ text: String) -> String { text.replacing("{closed}", with: "\(closed)") }
        let words = fill(line).split(separator: " ").map(String.init)
        let outcome = try await Subprocess.curlew(words, environment: ["XDG_CONFIG_HOME": "/nosuch"]).outcome()
        #expect(outcome.exitCode == 1)
        #expect(outcome.output == "")
        // The sentence follows the command's name.
        let said = outcome.errors.drop { $0 != ":" }.dropFirst(2)
        #expect(said == fill(sentence) + "\n")
    }

    @Test(
        "An error in an environment variable names the variable",
        arguments: [
            (
                "CURLEW_HOST", "b:1",
                "The environment variable CURLEW_HOST takes only a host; give the port with -p, as in -h b -p 1."
            ),
            (
                "CURLEW_PORT", "x",
                "The environment variable CURLEW_PORT is 'x'; it must be a number from 1 to 65535."
            ),
            (
                "CURLEW_COUNT", "0",
                "The value '0' is invalid for '--count <count>': it must be a whole number of at least 1 (this comes from the "
                    + "environment variable CURLEW_COUNT); see 'curlew sub --help'."
            ),
            (
                "CURLEW_PASSWORD_FILE", "/dev/null",
                "The file '/dev/null' that the environment variable CURLEW_PASSWORD_FILE names cannot be used: it is empty."
            ),
            (
                "CURLEW_RETAINED_ONLY", "perhaps",
                "The environment variable CURLEW_RETAINED_ONLY must be true or false."
            ),
        ])
    func variables(name: String, value: String, sentence: String) async throws {
        let outcome = try await Subprocess.curlew(["sub", "a"], environment: [name: value]).outcome()
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors == "curlew sub: \(sentence)\n")
    }

    @Test(
        "A certificate error names the option that helps",
        arguments: [
            ("server", "other-ca", "if that is your own authority, give it with --cafile;"),
            ("elsewhere", "ca", "connect by a name that it is for, or set that name with CURLEW_SERVER_NAME."),
        ])
    func certificates(server: String, authority: String, advice: String) async throws {
        try await withLocalBroker({ configuration in
            let tls = MQTTBrokerConfiguration.TLS(
                certificate: .init(
                    chain: .file("\(Peers.certificates)/\(server).pem"),
                    key: .file("\(Peers.certificates)/\(server).key.pem")))
            configuration.listeners = [.tcp(host: "127.0.0.1", port: 0, tls: tls)]
        }) { _, port in
            let outcome = try await Subprocess.curlew(
                "sub", "a", "-h", "localhost", "-p", "\(port)", "--cafile",
                "\(Peers.certificates)/\(authority).pem"
            ).outcome()
            #expect(outcome.exitCode == 1)
            #expect(outcome.errors.contains("; \(advice)"), "\(outcome.errors)")
        }
    }

    @Test(
        "A wrong password is reported as such",
        arguments: [["-u", "me", "-P", "wrong"], ["-u", "me", "-P", "wrong", "-V", "3.1.1"], []])
    func password(options: [String]) async throws {
        try await withLocalBroker({ $0.listeners[0].anonymous = .refused }) { _, port in
            let outcome = try await Subprocess.curlew(["pub", "a", "b", "-p", "\(port)"] + options).outcome()
            #expect(outcome.exitCode != 0)
            #expect(outcome.errors.contains("check the user name (-u) and the password (-P or --password-file)"))
        }
    }
}
#endif
