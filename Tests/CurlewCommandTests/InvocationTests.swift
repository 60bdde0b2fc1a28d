#if Tools
import ArgumentParser
import CurlewCore
import Testing

@testable import CurlewCommand

@Suite("Arguments, environment and options file")
struct InvocationTests {
    private func arguments(
        _ words: String, _ variables: [String: String] = [:], file: String? = nil
    ) throws -> [String] {
        let variables = variables.merging(["HOME": "/home/me"]) { own, _ in own }
        return try Invocation(words.split(separator: " ").map(String.init)) {
            variables[$0]
        } readFile: { path in
            path == "/home/me/.config/\(words.prefix { $0 != " " })" || path == "/own" ? file : nil
        }.arguments
    }

    @Test("Arguments override the environment, which overrides the file")
    func layers() throws {
        #expect(
            try self.arguments(
                "curlew sub -q 1", ["CURLEW_COUNT": "2", "CURLEW_QOS": "2"], file: "count 3\n-v\nqos 0\n")
                == ["sub", "-v", "--count", "2", "-q", "1"])
    }

    @Test("An option also overrides other options for the same setting")
    func subjects() throws {
        let file = "message x\nhost a\nport 1\n-F %p\n-i me\n-P secret\n"
        #expect(
            try self.arguments("curlew pub -n", file: file) == [
                "pub", "--host", "a", "--port", "1", "-i", "me", "-P", "secret", "-n",
            ])
        #expect(
            try self.arguments("curlew pub mqtt://b -n -I you --password-file f", file: file)
                == ["pub", "mqtt://b", "-n", "-I", "you", "--password-file", "f"])
        #expect(
            try self.arguments("curlew sub", ["MQTT_URL": "mqtt://c", "CURLEW_OUTPUT": "json"], file: file)
                == ["sub", "-i", "me", "-P", "secret", "--output", "json"])
    }

    @Test("The words of a property stay together")
    func properties() throws {
        #expect(
            try self.arguments("curlew pub -D publish user-property a b -D publish content-type c -n")
                == [
                    "pub", "-D", self.joined("publish", "user-property", "a", "b"), "-D",
                    self.joined("publish", "content-type", "c"), "-n",
                ])
        #expect(
            try self.arguments("curlew pub -n", file: "-D publish content-type a b\n")
                == ["pub", "-D", self.joined("publish", "content-type", "a b"), "-n"])
    }

    private func joined(_ words: String...) -> String {
        words.joined(separator: String(Character(GivenOption.separator)))
    }

    @Test("A flag variable in the environment is true or false")
    func flags() throws {
        #expect(try self.arguments("curlew pub -n", ["CURLEW_RETAIN": "yes"]) == ["pub", "--retain", "-n"])
        #expect(try self.arguments("curlew pub -n", ["CURLEW_RETAIN": "off"]) == ["pub", "-n"])
        #expect(throws: CommandFailure.self) { try self.arguments("curlew pub -n", ["CURLEW_RETAIN": "maybe"]) }
    }

    @Test("Called through a link, the command behaves like mosquitto's, with its file and without the environment")
    func links() throws {
        #expect(
            try self.arguments("mosquitto_pub -t a -m x -t b", ["CURLEW_QOS": "1"], file: "-t c\n-r\n")
                == ["pub", "--as-mosquitto", "-r", "-m", "x", "-t", "b"])
        #expect(
            try self.arguments("mosquitto_sub -t a", file: "# none\n-t b\n") == [
                "sub", "--as-mosquitto", "-t", "b", "-t", "a",
            ])
        #expect(try self.arguments("mosquitto_rr -n") == ["request", "--as-mosquitto", "-n"])
        #expect(throws: CommandFailure.self) { try self.arguments("mosquitto_pub -n", file: "qos 1\n") }
    }

    @Test("The broker has its own variables and ignores those for clients")
    func broker() throws {
        let variables = [
            "CURLEW_PORT": "1", "CURLEW_PASSWORD_FILE": "/x", "CURLEW_BROKER_LISTEN": "mqtt://a",
            "CURLEW_BROKER_MAX_QOS": "1", "CURLEW_BROKER_ALLOW_ANONYMOUS": "true",
        ]
        #expect(
            try self.arguments("curlew broker -v", variables, file: "port 2\n")
                == ["broker", "--listen", "mqtt://a", "--allow-anonymous", "--max-qos", "1", "-v"])
        #expect(
            try self.arguments("curlew broker -p 3 -c", variables)
                == ["broker", "--allow-anonymous", "--max-qos", "1", "-p", "3", "-c"])
    }

    @Test("An options file given with -o replaces the default file and must exist")
    func files() throws {
        #expect(try self.arguments("curlew sub -o /own", file: "qos 1\n") == ["sub", "--qos", "1", "-o", "/own"])
        #expect(throws: CommandFailure.self) { try self.arguments("curlew sub -o /not/there") }
        #expect(throws: CommandFailure.self) { try self.arguments("curlew sub", file: "frob 1\n") }
    }

    @Test("An error names its origin")
    func origins() throws {
        let invocation = try Invocation(["curlew", "sub"]) {
            $0 == "CURLEW_COUNT" ? "x" : nil
        } readFile: { _ in
            nil
        }
        #expect(invocation.explained("'x' is bad for '--count'").hasSuffix("variable CURLEW_COUNT)"))
        #expect(invocation.explained("'x' is bad for '--qos'") == "'x' is bad for '--qos'")
    }

    // MARK: Positional arguments

    @Test("An argument that is not a URL is a topic; for pub and request, the next one is the message")
    func plainWords() throws {
        #expect(try self.arguments("curlew sub home/# b") == ["sub", "--topic", "home/#", "--topic", "b"])
        #expect(try self.arguments("curlew pub a/b on -r") == ["pub", "--topic", "a/b", "--message", "on", "-r"])
        #expect(
            try self.arguments("curlew request a b -W 1").prefix(5) == [
                "request", "--topic", "a", "--message", "b",
            ])
        #expect(try self.arguments("curlew pub -t a -- -5") == ["pub", "-t", "a", "--message", "-5"])
        #expect(try self.arguments("curlew pub mqtt://h/a on") == ["pub", "mqtt://h/a", "--message", "on"])
        #expect(try self.arguments("curlew pub mqtt://h a on").dropFirst(2) == ["--topic", "a", "--message", "on"])
        #expect(try self.arguments("curlew bench pub a") == ["bench", "pub", "--topic", "a"])
        #expect(
            try self.arguments("curlew pub a -m b", ["CURLEW_TOPIC": "c"], file: "topic d\nmessage e")
                == ["pub", "--topic", "a", "-m", "b"])
    }

    // MARK: Bytes

    @Test(
        "Payloads, passwords and file names may be any bytes; other arguments must be UTF-8 and are unescaped"
    )
    func bytes() throws {
        let byte = String(keeping: [0xFF])
        let mark = String(keeping: "\u{10FEFF}".utf8)
        for (option, subcommand) in [
            ("-m", "pub"), ("-P", "sub"), ("-f", "pub"), ("--will-payload", "sub"), ("--exec", "respond"),
        ] {
            for value in [byte, mark] {
                #expect(try self.arguments("curlew \(subcommand) \(option) \(value)").last == value)
            }
        }
        #expect(try self.arguments("curlew sub -t \(mark)") == ["sub", "-t", "\u{10FEFF}"])
        #expect(try self.arguments("curlew pub t \(byte)").last == byte)
        for text in ["-t \(byte)", "-i \(byte)", "-u \(byte)", "--topic=\(byte)", "\(byte)", "mqtt://h/\(byte)"] {
            let failure = #expect(throws: CommandFailure.self) { try self.arguments("curlew sub \(text)") }
            #expect(failure?.message?.contains("is not UTF-8 text") == true)
        }
        #expect(try self.arguments("curlew pub -n", file: "will-payload \(byte)").contains(byte))
        #expect(try self.arguments("curlew pub -n", ["CURLEW_WILL_PAYLOAD": byte]).contains(byte))
        let failure = #expect(throws: CommandFailure.self) {
            try self.arguments("curlew sub", ["CURLEW_WILL_TOPIC": byte])
        }
        #expect(failure?.message?.contains("this comes from the environment variable CURLEW_WILL_TOPIC") == true)
    }

    // MARK: Mistakes

    @Test(
        "Errors about unknown words suggest what was meant",
        arguments: [
            ("curlew publish -t a", "did you mean 'pub'?"), ("curlew subb", "did you mean 'sub'?"),
            ("curlew pbu", "did you mean 'pub'?"), ("curlew frob", "there are pub, sub"),
            ("curlew help nosuch", "There is no command 'nosuch'"),
            ("curlew bench sbu", "did you mean 'bench sub'?"),
            ("curlew -t a", "comes before the options"), ("curlew sub --json", "did you mean '--output json'?"),
            ("curlew sub --topci a", "did you mean '--topic'?"), ("curlew sub -t a -q1", "as in '-q 1'"),
            ("curlew sub -m x", "'curlew pub', 'curlew request', 'curlew respond'"),
            ("curlew pub -m a -m a", "-m is given twice"), ("curlew pub -f a --file=b", "--file is given twice"),
            ("curlew pub a b c", "Unexpected argument 'c'"), ("curlew sub -t a -h", "-h needs the host"),
            ("curlew bench pub --nosuch", "Unknown option '--nosuch'"),
            ("mosquitto_pub -m a -m b", "-m is given twice"),
        ])
    func mistakes(words: String, expected: String) {
        let error = #expect(throws: ValidationError.self) { try self.arguments(words) }
        #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
    }

    @Test(
        "Help and version are available under the usual spellings",
        arguments: [
            ("curlew -h", "--help"), ("curlew version", "--version"), ("curlew sub -h", "sub --help"),
            ("curlew broker -h", "broker --help"), ("curlew passwd -h", "passwd --help"),
            ("curlew bench -h", "bench --help"), ("curlew bench pub -h", "bench pub --help"),
            ("curlew help sub", "help sub"), ("curlew pub -q 1 -q 2 a b", "pub -q 1 -q 2 --topic a --message b"),
            ("mosquitto_sub -q 1 -q 2", "sub --as-mosquitto -q 1 -q 2"),
        ])
    func help(words: String, expected: String) throws {
        #expect(try self.arguments(words).joined(separator: " ") == expected)
    }

    @Test("Unknown variables cause a warning, except with --quiet")
    func unknownVariables() throws {
        func warnings(_ words: String...) throws -> [String] {
            try Invocation(
                words, variable: { _ in nil },
                names: ["CURLEW_HSOT", "CURLEW_HOST", "CURLEW_BROKER_LISTEN", "CURLEW_FROB", "MQTT_FROB"],
                readFile: { _ in nil }
            ).warnings
        }
        let expected = [
            "The environment variable CURLEW_FROB is unknown and has no effect.",
            "The environment variable CURLEW_HSOT is unknown and has no effect; did you mean CURLEW_HOST?",
        ]
        #expect(try warnings("curlew", "sub", "a") == expected)
        #expect(try warnings("curlew", "broker") == expected)
        #expect(try warnings("curlew", "sub", "a", "--quiet").isEmpty)
        #expect(try warnings("mosquitto_sub", "-t", "a").isEmpty)
        #expect(try warnings("curlew", "passwd", "a").isEmpty)
    }

    @Test("A line of an options file may contain any character except a line break, and errors name the line")
    func fileLines() throws {
        #expect(
            try self.arguments("curlew pub", file: "topic a\r\nmessage \u{301}x\u{2028}y\u{85}\n")
                == ["pub", "--topic", "a", "--message", "\u{301}x\u{2028}y\u{85}"])
        let failure = #expect(throws: CommandFailure.self) {
            try self.arguments("curlew sub", file: "qos 1\n\nhots x\n")
        }
        #expect(failure?.message?.hasSuffix("line 3: unknown option 'hots'; did you mean 'host'?") == true)
    }

    @Test("The command names match the parser's")
    func names() {
        #expect(CommandNames.root == RootCommand.configuration.commandName)
        #expect(CommandNames.all == RootCommand.configuration.subcommands.map { $0.configuration.commandName })
        #expect(CommandNames.benchmarks == BenchCommand.configuration.subcommands.map { $0.configuration.commandName })
    }

    @Test(
        "Errors name the command as it was called, and the help that lists its options",
        arguments: [
            (["curlew"], "curlew", "curlew"), (["./curlew", "sub", "t"], "curlew sub", "curlew sub"),
            (["curlew", "frob"], "curlew", "curlew"), (["curlew", "bench", "-n"], "curlew bench", "curlew bench"),
            (["curlew", "bench", "rtt"], "curlew bench", "curlew bench rtt"),
            (["/bin/mosquitto_pub", "-t", "t"], "mosquitto_pub", "mosquitto_pub"),
        ])
    func speaker(words: [String], name: String, helpName: String) {
        #expect(CommandNames.speaker(of: words) == .init(name: name, helpName: helpName))
    }

    @Test("The option table matches the parser's", arguments: Subcommand.allCases)
    func table(subcommand: Subcommand) throws {
        let benchmarks = BenchCommand.configuration.subcommands.map { $0.helpMessage(includeHidden: true) }
        let commands: [Subcommand: String] = [
            .bench: benchmarks.joined(separator: "\n"),
            .pub: PublishCommand.helpMessage(includeHidden: true),
            .sub: SubscribeCommand.helpMessage(includeHidden: true),
            .request: RequestCommand.helpMessage(includeHidden: true),
            .respond: RespondCommand.helpMessage(includeHidden: true),
            .collect: CollectCommand.helpMessage(includeHidden: true),
            .call: CallCommand.helpMessage(includeHidden: true),
            .serve: ServeCommand.helpMessage(includeHidden: true),
            .broker: BrokerCommand.helpMessage(includeHidden: true),
        ]
        let help = try #require(commands[subcommand])
        let lines = help.split(separator: "\n").map { $0.drop { $0 == " " } }.filter { $0.hasPrefix("-") }
        var names: Set<String> = []
        for line in lines {
            for word in line.split(whereSeparator: { " ,".contains($0) }).prefix(while: { $0.hasPrefix("-") }) {
                names.insert(String(word))
            }
        }
        // Help text may begin with a number, as in -1.
        for name in names where name != "--version" && name != "--help" && name != "-1" {
            let known = KnownOption.named(name[...], in: subcommand.table)
            #expect(known?.isOf(subcommand) == true, "\(name)")
        }
        for option in KnownOption.all where option.subcommands.contains(subcommand) {
            guard !Self.hidden.contains(option.long) else { continue }
            #expect(names.contains("--\(option.long)"), "--\(option.long)")
            if let short = option.short { #expect(names.contains("-\(short)"), "-\(short)") }
        }
    }

    /// Options that are refused, or accepted only for old scripts; the help does not list them.
    private static let hidden: Set = [
        "srv", "proxy", "unix", "ws", "tls-engine", "tls-engine-kpass-sha1", "keyform", "daemon",
    ]
}
#endif
