#if Tools
import Foundation
import MosquittoFixture
import Testing

/// The built `curlew broker`, with the built client commands and mosquitto's.
@Suite("curlew broker", .timeLimit(.minutes(5)))
struct BrokerEndToEndTests {
    /// A running broker and its port.
    private struct Running {
        let process: Subprocess
        let port: String
        let lines: [String]
    }

    /// Starts a broker and waits until it listens.
    private func start(_ arguments: String..., listeners: Int = 1) async throws -> Running {
        let process = try Subprocess.curlew(["broker"] + arguments)
        var lines: [String] = []
        for _ in 0..<listeners {
            lines.append(try await process.line { $0.hasPrefix("listening on ") })
        }
        return Running(
            process: process, port: String(lines[0].split(separator: ":").last ?? ""), lines: lines)
    }

    private func run(_ arguments: String...) async throws -> Subprocess.Outcome {
        let command = try Subprocess.curlew(arguments)
        try command.endInput()
        return try await command.outcome()
    }

    /// Stops a broker as systemd does.
    private func stop(_ broker: Running) async throws -> Subprocess.Outcome {
        broker.process.send(SIGTERM)
        return try await broker.process.outcome()
    }

    private func withFolder(_ body: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "curlew-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder)
    }

    @Test("A client of another protocol gets an answer if possible, and the log names the protocol")
    func otherProtocols() async throws {
        let broker = try await self.start("-p", "0")
        for (request, protocolName) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP"),
            ("GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", "WebSocket"),
            ("POST /api HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP"),
        ] {
            let answer = try await RawClient.answer(to: Array(request.utf8), port: Int(broker.port) ?? 0)
            #expect(answer.hasPrefix("HTTP/1.1 400 ") && answer.contains("speaks MQTT"))
            #expect(await broker.process.hasSaid("the client speaks \(protocolName), and this port MQTT"))
        }
        let client = try await self.run("pub", "mqtts://127.0.0.1:\(broker.port)/a", "-m", "x")
        #expect(client.exitCode == 1)
        #expect(client.errors.contains("did not answer in TLS"), "\(client.errors)")
        #expect(await broker.process.hasSaid("the client speaks TLS, and this port MQTT"))
        _ = try await self.stop(broker)
    }

    @Test(
        "It prints its listeners, serves clients, and exits with code 0 after a signal",
        arguments: [SIGTERM, SIGINT])
    func service(signal: Int32) async throws {
        let broker = try await self.start("-p", "0")
        #expect(broker.lines == ["listening on mqtt://127.0.0.1:\(broker.port)"])
        let subscriber = try Subprocess.curlew(
            "sub", "-p", broker.port, "-t", "a/+", "-q", "2", "-C", "1", "-d")
        #expect(await subscriber.hasSaid("received SUBACK"))
        #expect(
            try await self.run("pub", "-p", broker.port, "-t", "a/b", "-m", "hello", "-q", "2").exitCode
                == 0)
        #expect(try await subscriber.outcome().output == "hello\n")
        broker.process.send(signal)
        #expect(try await broker.process.outcome().exitCode == 0)
    }

    @Test(
        "mosquitto's clients work with it",
        .enabled(if: Peers.haveMosquitto, "mosquitto is not installed; scripts/test installs it"),
        arguments: ["mqttv31", "mqttv311", "mqttv5"])
    func mosquitto(version: String) async throws {
        let broker = try await self.start("-p", "0")
        let path = try #require(Subprocess.find("mosquitto_pub"))
        let publisher = try Subprocess(
            path,
            ["-p", broker.port, "-t", "a", "-m", "kept", "-r", "-q", "1", "-i", "m", "-V", version])
        #expect(try await publisher.outcome().exitCode == 0)
        let subscriber = try Subprocess(
            try #require(Subprocess.find("mosquitto_sub")),
            ["-p", broker.port, "-t", "a", "-C", "1", "-i", "n", "-V", version])
        #expect(try await subscriber.outcome().output == "kept\n")
        #expect(try await self.stop(broker).exitCode == 0)
    }

    @Test(
        "A configuration file sets listeners and access; SIGHUP reloads passwords and disconnects clients without one"
    )
    func configurationFile() async throws {
        try await self.withFolder { folder in
            let passwords = folder.appending(path: "passwords").path
            let log = folder.appending(path: "log").path
            let port = try await freePort()
            let file = folder.appending(path: "m.conf").path
            try """
            listener \(port) 127.0.0.1
            allow_anonymous false
            password_file \(passwords)
            log_dest file \(log)
            log_dest stderr
            """.write(toFile: file, atomically: false, encoding: .utf8)
            try Self.me.write(toFile: passwords, atomically: false, encoding: .utf8)
            let broker = try await self.start("-c", file)
            #expect(broker.lines == ["listening on mqtt://127.0.0.1:\(port)"])
            let publish = ["pub", "-p", broker.port, "-t", "a", "-m", "x", "-V", "3.1.1"]
            func exitCode(_ user: String) async throws -> Int32 {
                let command = try Subprocess.curlew(publish + ["-u", user, "-P", "secret"])
                try command.endInput()
                return try await command.outcome().exitCode
            }
            #expect(try await exitCode("me") == 0)
            #expect(try await exitCode("you") == 4)
            let connected = try Subprocess.curlew(
                "sub", "-p", broker.port, "-t", "a", "-u", "me", "-P", "secret", "-d")
            #expect(await connected.hasSaid("received SUBACK"))
            try Self.you.write(toFile: passwords, atomically: true, encoding: .utf8)
            try FileManager.default.moveItem(atPath: log, toPath: "\(log).1")
            broker.process.send(SIGHUP)
            #expect(await broker.process.hasSaid("Files reloaded"))
            #expect(await connected.hasSaid("received DISCONNECT"))
            connected.send(SIGKILL)
            #expect(try await exitCode("me") == 4)
            #expect(try await exitCode("you") == 0)
            #expect(try await self.stop(broker).exitCode == 0)
            #expect(FileManager.default.fileExists(atPath: log))
        }
    }

    /// The password of both is "secret".
    private static let me = "me:\(secret)\n"
    private static let you = "you:\(secret)\n"
    private static let secret =
        "$7$101$k+3XfWYnTCSPKkZL$Vge45ConMnO9S5zigV5/dk2s+BR/7HDismnTLCbc8CnzrwRsopfG1XSHP7nglKWEzJwg8gB3yv/q0Hg2Irc3DQ=="

    @Test("A TLS listener that requires client certificates accepts only clients that have one")
    func tls() async throws {
        let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "CurlewTransportTests/Fixtures").path
        let broker = try await self.start(
            "--listen", "mqtts://127.0.0.1:0", "--tls-cert", "\(fixtures)/server.pem", "--tls-key",
            "\(fixtures)/server.key.pem", "--tls-ca", "\(fixtures)/ca.pem", "--tls-require-certificate")
        #expect(broker.lines == ["listening on mqtts://127.0.0.1:\(broker.port)"])
        let server = [
            "pub", "-h", "localhost", "-p", broker.port, "-t", "a", "-m", "x", "--cafile",
            "\(fixtures)/ca.pem",
        ]
        let known = try Subprocess.curlew(
            server + ["--cert", "\(fixtures)/client.pem", "--key", "\(fixtures)/client.key.pem"])
        try known.endInput()
        #expect(try await known.outcome() == .init(exitCode: 0, output: "", errors: ""))
        let unknown = try Subprocess.curlew(server + ["-W", "20"])
        try unknown.endInput()
        #expect(try await unknown.outcome().exitCode != 0)
        #expect(try await self.stop(broker).exitCode == 0)
    }

    @Test("A listener on all addresses treats clients on this machine as local")
    func everywhere() async throws {
        let broker = try await self.start("--listen", "mqtt://*:0")
        #expect(broker.lines == ["listening on mqtt://*:\(broker.port)"])
        #expect(await broker.process.hasSaid("Only clients on this machine can connect"))
        #expect(try await self.run("pub", "-h", "127.0.0.1", "-p", broker.port, "-t", "a", "-m", "x").exitCode == 0)
        #expect(try await self.run("pub", "-h", "localhost", "-p", broker.port, "-t", "a", "-m", "x").exitCode == 0)
        #expect(try await self.stop(broker).exitCode == 0)
    }

    @Test("If it cannot start, it prints one sentence and exits with code 1")
    func failures() async throws {
        let broker = try await self.start("-p", "0")
        try await self.withFolder { folder in
            let file = folder.appending(path: "m.conf").path
            try "frob\nmax_qos 3\n".write(toFile: file, atomically: false, encoding: .utf8)
            let cases: [([String], [String])] = [
                (["-p", broker.port], [broker.port]),
                (["-c", file], ["\(file):1: frob", "\(file):2: max_qos"]),
                (["-c", "/nowhere"], ["'/nowhere' does not exist"]),
                (["--password-file", "/nowhere"], ["/nowhere"]),
                (["--tls-cert", "/nowhere", "--tls-key", "/nowhere"], ["/nowhere"]),
                (["-d"], ["foreground"]),
                (["-c", file, "-p", "1"], ["leave out --port"]),
            ]
            for (arguments, sentences) in cases {
                let outcome = try await self.run(["broker"] + arguments)
                #expect(outcome.exitCode == 1, "\(arguments)")
                #expect(outcome.output == "", "\(arguments)")
                let lines = outcome.errors.split(separator: "\n")
                #expect(lines.count == sentences.count, "\(outcome.errors)")
                for (line, sentence) in zip(lines, sentences) {
                    #expect(line.hasPrefix("curlew broker: ") && line.contains(sentence), "\(line)")
                }
            }
        }
        #expect(try await self.stop(broker).exitCode == 0)
    }

    /// Starts a broker from a shell that first runs `setUp`.
    private func start(inShell setUp: String, _ arguments: String) async throws -> Running {
        let curlew = Subprocess.products.appending(path: "curlew").path
        let process = try Subprocess("/bin/sh", ["-c", "\(setUp); exec '\(curlew)' broker -p 0 \(arguments)"])
        let line = try await process.line { $0.hasPrefix("listening on ") }
        return Running(process: process, port: String(line.split(separator: ":").last ?? ""), lines: [line])
    }

    @Test("A log that nobody reads does not block clients")
    func unreadLog() async throws {
        try await self.withFolder { folder in
            let pipe = folder.appending(path: "pipe").path
            // A process keeps the pipe open for reading but never reads.
            let broker = try await self.start(inShell: "mkfifo '\(pipe)'; exec 3<>'\(pipe)'", "-v 2>'\(pipe)'")
            // Each client causes several log lines; a pipe holds 64 KiB.
            for number in 0..<600 {
                let identifier = Array(String(repeating: "\(number % 10)", count: 20).utf8)
                let socket = try #require(RawSocket(port: broker.port))
                socket.write([0x10, 32, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 0, 0, 20] + identifier)
                guard socket.read() == [0x20, 2, 0, 0] else {
                    Issue.record("client \(number) got no CONNACK")
                    break
                }
            }
            #expect(try await self.run("pub", "-p", broker.port, "-t", "a", "-m", "x", "-W", "30").exitCode == 0)
            #expect(try await self.stop(broker).exitCode == 0)
        }
    }

    @Test("Everything a client sent before it closed the connection is processed, including its DISCONNECT")
    func sentBeforeClosing() async throws {
        let count = 60_000
        let broker = try await self.start("-p", "0")
        let subscriber = try Subprocess.curlew(
            "sub", "-p", broker.port, "-t", "t", "-F", "%t", "-C", "\(count)", "-d")
        let watcher = try Subprocess.curlew(
            "sub", "-p", broker.port, "-t", "will", "-t", "last", "-F", "%t", "-C", "1", "-d")
        #expect(await subscriber.hasSaid("received SUBACK"))
        #expect(await watcher.hasSaid("received SUBACK"))
        do {
            let socket = try #require(RawSocket(port: broker.port))
            let will = [0, 4] + Array("will".utf8) + [0, 0]
            socket.write([0x10, 21, 0, 4] + Array("MQTT".utf8) + [4, 0x06, 0, 0, 0, 1, 0x61] + will)
            #expect(socket.read() == [0x20, 2, 0, 0])
            let message: [UInt8] = [0x30, 3, 0, 1, 0x74]
            socket.write(Array(repeatElement(message, count: count).joined()) + [0xE0, 0])
        }
        #expect(try await subscriber.success() == String(repeating: "t\n", count: count))
        // The same client connects again; by then, its previous connection has ended.
        #expect(try await self.run("pub", "-p", broker.port, "-i", "a", "-t", "last", "-m", "x").exitCode == 0)
        #expect(try await watcher.success() == "last\n")
        #expect(try await self.stop(broker).exitCode == 0)
    }

    @Test("When file descriptors run out, it logs that once, and continues when one is free")
    func outOfDescriptors() async throws {
        let broker = try await self.start(inShell: "ulimit -n 64", "")
        var sockets = (0..<100).compactMap { _ in RawSocket(port: broker.port) }
        #expect(await broker.process.hasSaid("No connection can be accepted"))
        sockets.removeAll()
        #expect(try await self.run("pub", "-p", broker.port, "-t", "a", "-m", "x", "-W", "60").exitCode == 0)
        let outcome = try await self.stop(broker)
        #expect(outcome.exitCode == 0)
        let lines = outcome.errors.split(separator: "\n").filter { $0.contains("No connection can be accepted") }
        #expect(lines.count == 1)
        #expect(lines.first?.contains("raise its limit ('ulimit -n')") == true)
    }

    private func run(_ arguments: [String]) async throws -> Subprocess.Outcome {
        let command = try Subprocess.curlew(arguments)
        try command.endInput()
        return try await command.outcome()
    }
}
#endif
