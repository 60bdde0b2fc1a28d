#if Tools
import Foundation
import MosquittoFixture
import Testing

/// The built command against a real broker.
@Suite(
    "curlew and mosquitto",
    .enabled(if: Peers.haveMosquitto, "mosquitto is not installed; scripts/test installs it"),
    .timeLimit(.minutes(5)))
struct EndToEndTests {
    typealias Outcome = Subprocess.Outcome

    private static let versions = ["3.1", "3.1.1", "5"]

    /// Starts a subscriber and waits until the broker has accepted its subscription.
    private func subscriber(_ broker: Mosquitto, _ arguments: String...) async throws -> Subprocess {
        let command = try Subprocess.curlew(["sub", "-p", "\(broker.port())", "-d"] + arguments)
        #expect(await command.hasSaid("received SUBACK"))
        return command
    }

    /// Runs a command without input to its end.
    private func run(_ arguments: String..., environment: [String: String] = [:]) async throws -> Outcome {
        try await self.run(arguments, environment: environment)
    }

    private func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> Outcome {
        let command = try Subprocess.curlew(arguments, environment: environment)
        try command.endInput()
        return try await command.outcome()
    }

    @Test("Published payloads arrive byte for byte", arguments: Self.versions, ["0", "1", "2"])
    func publish(version: String, qos: String) async throws {
        try await Mosquitto.run { broker in
            let subscriber = try await self.subscriber(
                broker, "-t", "a/+", "-q", qos, "-v", "-C", "3", "-V", version)
            for message in [["-m", "-5"], ["-n"], ["-m", "ä\nö"]] {
                let outcome = try await self.run(
                    ["pub", "-p", "\(broker.port())", "-t", "a/b", "-q", qos, "-V", version] + message)
                #expect(outcome == Outcome(exitCode: 0, output: "", errors: ""))
            }
            let outcome = try await subscriber.outcome()
            #expect(outcome.exitCode == 0)
            #expect(outcome.output == "a/b -5\na/b (null)\na/b ä\nö\n")
        }
    }

    @Test("-f sends a file, -s all of standard input, -l each of its lines")
    func inputs() async throws {
        try await Mosquitto.run { broker in
            let subscriber = try await self.subscriber(broker, "-t", "in", "-C", "5", "-N", "-q", "1")
            let server = try ["-p", "\(broker.port())", "-t", "in", "-q", "1"]
            let file = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
            try Data("file\n".utf8).write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            #expect(try await self.run(["pub", "-f", file.path] + server).exitCode == 0)
            for (option, input) in [("-s", "whole\ninput\n"), ("-l", "one\n\ntwo")] {
                let publisher = try Subprocess.curlew(["pub", option] + server)
                try publisher.write(input)
                try publisher.endInput()
                #expect(try await publisher.outcome() == Outcome(exitCode: 0, output: "", errors: ""))
            }
            // The empty line between the two prints nothing.
            #expect(try await subscriber.outcome().output == "file\nwhole\ninput\nonetwo")
        }
    }

    @Test("No line is lost when the broker restarts in the middle", arguments: Self.versions)
    func brokerRestart(version: String) async throws {
        try await Mosquitto.run(.init(isPersistent: true, logsPackets: false)) { broker in
            let port = try "\(broker.port())"
            let subscriber = try await self.subscriber(
                broker, "-t", "lines", "-q", "1", "-i", "keeper", "-c", "-V", "3.1.1")
            let publisher = try Subprocess.curlew(
                "pub", "-p", port, "-t", "lines", "-l", "-q", "1", "-V", version)
            let lines = (0..<1000).map { "line \($0)\n" }
            try publisher.write(lines[..<500].joined())
            #expect(await subscriber.hasWritten("line 100\n"))
            try await broker.stop()
            try publisher.write(lines[500...].joined())
            try await broker.startAgain()
            try publisher.endInput()
            #expect(try await publisher.outcome().exitCode == 0)
            // Earlier messages arrive before this one.
            let end = try await self.run("pub", "-p", port, "-t", "lines", "-m", "the end", "-q", "1")
            #expect(end.exitCode == 0)
            #expect(await subscriber.hasWritten("the end\n"))
            subscriber.send(SIGTERM)
            let arrived = Set(try await subscriber.outcome().output.split(separator: "\n").map { "\($0)\n" })
            #expect(arrived.isSuperset(of: lines))
        }
    }

    @Test("Ten thousand lines arrive in order", arguments: Self.versions, ["0", "1", "2"])
    func manyLines(version: String, qos: String) async throws {
        try await Mosquitto.run(.init(logsPackets: false)) { broker in
            let subscriber = try Subprocess.curlew(
                "sub", "-p", "\(broker.port())", "-t", "n", "-q", qos, "-C", "10000", "-V", version)
            let server = try ["-p", "\(broker.port())", "-V", version]
            // Without -d, which would print each packet: a retained message shows that the subscription exists.
            #expect(try await self.run(["pub", "-t", "n", "-r", "-m", "ready"] + server).exitCode == 0)
            #expect(await subscriber.hasWritten("ready"))
            let publisher = try Subprocess.curlew(["pub", "-t", "n", "-l", "-q", qos] + server)
            let lines = (1..<10_000).map { "\($0)\n" }.joined()
            try publisher.write(lines)
            try publisher.endInput()
            #expect(try await publisher.outcome() == Outcome(exitCode: 0, output: "", errors: ""))
            #expect(try await subscriber.outcome() == Outcome(exitCode: 0, output: "ready\n" + lines, errors: ""))
        }
    }

    @Test("A request gets a reply; in MQTT 3.1.1, on the response topic that both commands name")
    func request() async throws {
        try await Mosquitto.run { broker in
            let server = try ["-p", "\(broker.port())", "-t", "svc/ping"]
            for options in [[], ["-e", "svc/pong"], ["-e", "svc/pong", "-V", "3.1.1"]] {
                let responder = try Subprocess.curlew(
                    ["respond", "-m", "pong", "-C", "1", "-v", "-d"] + options + server)
                #expect(await responder.hasSaid("received SUBACK"))
                let outcome = try await self.run(["request", "-m", "hi", "-W", "60"] + options + server)
                #expect(outcome == Outcome(exitCode: 0, output: "pong\n", errors: ""))
                let answered = try await responder.outcome()
                #expect(answered.exitCode == 0)
                #expect(answered.output == "svc/ping hi\n")
            }
        }
    }

    @Test("A request without a subscribed responder fails at once if the broker reports it")
    func nobody() async throws {
        try await Mosquitto.run { broker in
            let outcome = try await self.run(
                "request", "-p", "\(broker.port())", "-t", "nobody", "-m", "x", "-q", "1", "-W", "60")
            #expect(outcome.exitCode == 1)
            #expect(outcome.errors.contains("Nobody has subscribed"))
        }
    }

    @Test(
        "-W ends each command with exit code 27",
        arguments: ["sub -t a", "request -t a -m b -q 0", "respond -t a -m b", "pub -t a -l"])
    func timeLimit(command: String) async throws {
        try await Mosquitto.run { broker in
            let command = try Subprocess.curlew(
                command.split(separator: " ").map(String.init) + ["-p", "\(broker.port())", "-W", "0.2"])
            let outcome = try await command.outcome()
            #expect(outcome.exitCode == 27)
            #expect(outcome.errors.contains("0.2 seconds"))
        }
    }

    @Test(
        "If the broker refuses the connection, the exit code is the reason code of the protocol version",
        arguments: [("3.1", 5), ("3.1.1", 5), ("5", 135)] as [(String, Int32)])
    func refused(version: String, exitCode: Int32) async throws {
        try await Mosquitto.run(.init(allowsAnonymous: false)) { broker in
            let outcome = try await self.run(
                "pub", "-p", "\(broker.port())", "-t", "a", "-m", "b", "-u", "me", "-V", version,
                environment: ["CURLEW_PASSWORD": "secret"])
            #expect(outcome.exitCode == exitCode)
            #expect(outcome.errors.contains("refused"))
            #expect(!outcome.errors.contains("secret"))
        }
    }

    @Test("A password can be given in the environment, in a URL or with -P")
    func password() async throws {
        var settings = Mosquitto.Settings(lines: ["password_file {folder}/passwords"], allowsAnonymous: false)
        settings.files["passwords"] = try await Mosquitto.passwordFile(["me": "secret"])
        try await Mosquitto.run(settings) { broker in
            let port = try "\(broker.port())"
            let message = ["pub", "-t", "a", "-m", "b"]
            let ways: [([String], [String: String])] = [
                (["-p", port, "-u", "me", "-P", "secret"], [:]),
                (["-p", port, "-u", "me"], ["CURLEW_PASSWORD": "secret"]),
                (
                    [],
                    ["MQTT_PORT": port, "MQTT_USERNAME": "me", "CURLEW_PASSWORD": "secret", "MQTT_PASSWORD": "x"]
                ),
            ]
            for (arguments, environment) in ways {
                #expect(try await self.run(message + arguments, environment: environment).exitCode == 0)
            }
            for url in ["mqtt://me:secret@localhost:\(port)/a", "mqtt://me@localhost:\(port)/a"] {
                let outcome = try await self.run(
                    "pub", url, "-m", "b", environment: ["CURLEW_PASSWORD": "secret"])
                #expect(outcome.exitCode == 0)
            }
        }
    }

    @Test("Ctrl-C and SIGTERM make a subscriber disconnect and exit with code 0", arguments: [SIGINT, SIGTERM])
    func interrupt(signal: Int32) async throws {
        try await Mosquitto.run { broker in
            let subscriber = try await self.subscriber(broker, "-t", "a", "--will-topic", "will")
            subscriber.send(signal)
            let outcome = try await subscriber.outcome()
            #expect(outcome.exitCode == 0)
            #expect(outcome.errors.contains("sending DISCONNECT"))
        }
    }

    @Test("Ctrl-C during pub -l reports what became of the lines")
    func interruptLines() async throws {
        try await Mosquitto.run { broker in
            let publisher = try Subprocess.curlew(
                "pub", "-p", "\(broker.port())", "-t", "a", "-l", "-q", "1", "-d")
            try publisher.write("one\n")
            #expect(await publisher.hasSaid("received PUBACK"))
            publisher.send(SIGINT)
            let outcome = try await publisher.outcome()
            #expect(outcome.exitCode == 128 + SIGINT)
            #expect(outcome.errors.contains("The one line read was delivered"))
        }
    }

    @Test("A subscriber whose output has no reader exits silently")
    func brokenPipe() async throws {
        try await Mosquitto.run { broker in
            let subscriber = try Subprocess.curlew(
                ["sub", "-p", "\(broker.port())", "-t", "a", "-d"], hasReader: false)
            #expect(await subscriber.hasSaid("received SUBACK"))
            #expect(try await self.run("pub", "-p", "\(broker.port())", "-t", "a", "-m", "b").exitCode == 0)
            let outcome = try await subscriber.outcome()
            #expect(outcome.exitCode == 0)
            #expect(!outcome.errors.contains("curlew sub:"))
        }
    }

    @Test("A subscriber whose reader has exited exits before the next message arrives")
    func closedPipe() async throws {
        try await Mosquitto.run { broker in
            let subscriber = try Subprocess.script(
                """
                (curlew sub -p \(broker.port()) -t a; echo $? >&2) | { read line; echo "$line"; }
                """)
            // Retained, so that it arrives even if it is published before the subscription.
            let publisher = try Subprocess.curlew(
                "pub", "-p", "\(broker.port())", "-t", "a", "-m", "first", "-r")
            #expect(try await publisher.end() == 0)
            let outcome = try await subscriber.outcome()
            #expect(outcome == .init(exitCode: 0, output: "first\n", errors: "0\n"))
        }
    }

    @Test("A resumed session delivers its messages one run at a time and loses none")
    func keptSession() async throws {
        try await Mosquitto.run { broker async throws in
            let server = try ["-p", "\(broker.port())", "-t", "k", "-q", "1"]
            let listen = ["sub", "-c", "-i", "one", "-C", "1"] + server
            #expect(try await self.run(["pub", "-r", "-m", "first"] + server).exitCode == 0)
            #expect(try await self.run(listen).output == "first\n")
            #expect(try await self.run(["pub", "-r", "-n"] + server).exitCode == 0)
            for message in ["1", "2", "3"] {
                #expect(try await self.run(["pub", "-m", message] + server).exitCode == 0)
            }
            for message in ["", "1", "2", "3"] {
                #expect(try await self.run(listen + ["-v"]).output == "k \(message.isEmpty ? "(null)" : message)\n")
            }
        }
    }

    @Test("-d prints the packets to standard error, without passwords")
    func trace() async throws {
        try await Mosquitto.run { broker in
            let outcome = try await self.run(
                "pub", "-p", "\(broker.port())", "-t", "a", "-m", "b", "-q", "2", "-d", "-u", "me", "-P", "secret",
                "-i",
                "x")
            let expected = [
                "x sending CONNECT", "x received CONNACK (0)",
                "x sending PUBLISH (d0, q2, r0, m1, 'a', ... (1 bytes))", "x received PUBREC (Mid: 1, ",
                "x sending PUBREL (Mid: 1, RC: 0)", "x received PUBCOMP (Mid: 1, RC: 0)",
                "x sending DISCONNECT (0)",
            ]
            let lines = outcome.errors.split(separator: "\n").map(String.init)
            var position = lines.startIndex
            for text in expected {
                let found = lines[position...].firstIndex { $0.contains(text) }
                #expect(found != nil, "There is no \(text) where it belongs in:\n\(outcome.errors)")
                position = found.map { $0 + 1 } ?? position
            }
            #expect(!outcome.errors.contains("secret"))
            #expect(outcome.output == "")
        }
    }

    @Test("TLS verifies the broker's certificate, and errors name the reason")
    func tls() async throws {
        try await Mosquitto.run { broker in
            let port = try broker.port(.tls)
            let message = ["pub", "-t", "a", "-m", "b", "-h", "localhost"]
            let trusted = ["--cafile", "\(Peers.certificates)/ca.pem"]
            #expect(try await self.run(message + ["-p", "\(port)"] + trusted).exitCode == 0)
            #expect(try await self.run(["pub", "mqtts://localhost:\(port)/a", "-m", "b"] + trusted).exitCode == 0)
            let untrusted = try await self.run(
                message + ["-p", "\(port)", "--cafile", "\(Peers.certificates)/other-ca.pem"])
            #expect(untrusted.exitCode == 1)
            #expect(untrusted.errors.contains("certificate"))
            let notTLS = try await self.run(message + ["-p", "\(broker.port())"] + trusted)
            #expect(notTLS.exitCode == 1)
            #expect(notTLS.errors.hasPrefix("curlew pub: "))
        }
    }
}

@Suite("curlew without a broker", .timeLimit(.minutes(1)))
struct NoBrokerTests {
    @Test("A broker that is not running is reported in one sentence, with exit code 1")
    func unreachable() async throws {
        let port = try await freePort()
        let command = try Subprocess.curlew("pub", "-h", "127.0.0.1", "-p", "\(port)", "-t", "a", "-m", "b")
        let outcome = try await command.outcome()
        #expect(outcome.exitCode == 1)
        #expect(
            outcome.errors
                == "curlew pub: 127.0.0.1:\(port) refused the connection; is the broker running, and is the port right?\n"
        )
    }

    @Test(
        "An invalid argument is reported in one line, with exit code 1",
        arguments: [
            "frob", "sub --frob", "sub -t a -q 3", "sub -t a -V 4", "sub", "pub -t a", "pub -t a -m b -n",
            "pub -t a -t b -m c", "pub -t a/+ -m b", "sub -t a/#/b", "sub -t a -p 0", "sub -t a -c",
            "sub -t a -x 5 -V 3.1", "sub mqtt://localhost/a -h localhost", "sub http://localhost/a",
            "sub -t a --will-qos 1", "sub -t a --cert /tmp/x", "sub mqtt://localhost/a --cafile /tmp/x",
            "sub -t a --psk 00", "sub -t a --psk 0 --psk-identity x", "pub -t a -f /does/not/exist",
            "request -t a -m b -V 3.1.1", "respond -t a", "sub -t a -h mqtt://localhost", "sub -t a -P x -V 3.1.1",
            "sub -t a --cafile /does/not/exist",
        ])
    func usage(arguments: String) async throws {
        let command = try Subprocess.curlew(arguments.split(separator: " ").map(String.init))
        let outcome = try await command.outcome()
        #expect(outcome.exitCode == 1)
        #expect(outcome.output == "")
        #expect(outcome.errors.hasPrefix("curlew"))
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
    }

    @Test("--help and --version exit with code 0", arguments: ["--help", "pub --help", "sub --help", "--version"])
    func help(arguments: String) async throws {
        let command = try Subprocess.curlew(arguments.split(separator: " ").map(String.init))
        let outcome = try await command.outcome()
        #expect(outcome.exitCode == 0)
        #expect(outcome.output.contains("curlew"))
        #expect(outcome.errors == "")
    }
}
#endif
