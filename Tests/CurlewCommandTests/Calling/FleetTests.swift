#if Tools
import CurlewBroker
import Foundation
import MosquittoFixture
import Testing

@Suite("curlew call: lists of devices, input and output", .timeLimit(.minutes(5)))
struct FleetTests {
    /// Starts `curlew serve` and waits until it is subscribed.
    private func serve(_ port: Int, _ arguments: String) async throws -> Subprocess {
        let server = try Subprocess.script("exec curlew serve -p \(port) --ready-fd 3 \(arguments) 3>&1")
        #expect(try await server.line() == "ready")
        return server
    }

    private func call(_ port: Int, _ arguments: String..., input: String) async throws -> Subprocess.Outcome {
        let command = try Subprocess.curlew(["call", "-p", "\(port)", "-W", "60"] + arguments)
        try command.write(input)
        try command.endInput()
        return try await command.outcome()
    }

    @Test("A device that is named twice is called once")
    func duplicates() async throws {
        try await withLocalBroker { _, port in
            let server = try await self.serve(port, "one Ping=1 -C 1")
            let outcome = try await self.call(
                port, "--device", "one", "--device", "one", "--devices", "-", "Ping", input: "one\r\n one \n")
            #expect(outcome.exitCode == 0)
            #expect(outcome.output.count { $0 == "\n" } == 1)
            #expect(outcome.errors.contains("1 device: 1 answered"))
            try await server.success()
        }
    }

    @Test(
        "A list that cannot be meant is refused before anything is sent",
        arguments: [
            ("--devices - d1", "d1\nd2\n", "'d1' stands where the method belongs, but is one of the devices"),
            ("--devices - Ping", "d1\nd/#\n", "The name of the device, 'd/#', contains + or #"),
            ("--devices - Ping", "# none\n", "names no device"),
        ])
    func refusedLists(arguments: String, input: String, expected: String) async throws {
        let command = try Subprocess.curlew(["call"] + arguments.split(separator: " ").map(String.init))
        try command.write(input)
        try command.endInput()
        let outcome = try await command.outcome()
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains(expected), "\(outcome.errors)")
    }

    @Test("Input that is not UTF-8 is refused", arguments: ["--devices - Ping", "d Ping -"])
    func bytes(arguments: String) async throws {
        let outcome = try await Subprocess.script("printf '\\377' | curlew call \(arguments)").outcome()
        #expect(outcome.exitCode == 1)
        #expect(outcome.errors.contains("UTF-8"))
    }

    @Test("Parameters may come from standard input; text after an option needs --params, except in Tasmota")
    func parameters() async throws {
        try await withLocalBroker { _, port in
            let servers = [
                try await self.serve(port, "d Echo"), try await self.serve(port, "plug Power --dialect tasmota"),
            ]
            defer { for server in servers { server.send(SIGKILL) } }
            let piped = try await self.call(port, "d", "Echo", "-", input: "{\"a\":\n[1]}\n")
            #expect(piped.output == "{\"a\":[1]}\n")
            #expect(try await self.call(port, "d", "Echo", "-", input: "text\n").output == "\"text\"\n")
            let text = try await self.call(port, "--device", "d", "Echo", "--params", "text", input: "")
            #expect(text.output == "\"text\"\n")
            let json = try await self.call(port, "--device", "d", "Echo", "\"text\"", input: "")
            #expect(json.output == "\"text\"\n")
            let plug = try await self.call(
                port, "--device", "plug", "Power", "ON", "--dialect", "tasmota", input: "")
            #expect(plug.output == "{\"Power\":\"ON\"}\n")
        }
    }

    @Test("--pretty works in each output format")
    func pretty() async throws {
        try await withLocalBroker { _, port in
            let servers = [
                try await self.serve(port, "one 'Get={\"a\":[1]}'"), try await self.serve(port, "two Get=2"),
            ]
            defer { for server in servers { server.send(SIGKILL) } }
            let formatted = "{\n  \"a\": [\n    1\n  ]\n}\n"
            #expect(try await self.call(port, "one", "Get", "--pretty", input: "").output == formatted)
            let json = try await self.call(port, "one", "Get", "--pretty", "--output", "json", input: "")
            #expect(json.output.hasPrefix("{\n  \"answer\": {\n    \"a\": [\n"))
            #expect(json.output.hasSuffix("\n}\n"))
            let table = try await self.call(port, "--devices", "-", "Get", "--pretty", input: "one\ntwo")
            #expect(table.output.contains(" ms\n" + formatted))
            #expect(table.output.contains(" ms  2\n"))
        }
    }

    @Test("--quiet leaves out the summary and the sentence, but no result")
    func quiet() async throws {
        try await withLocalBroker { _, port in
            let table = try await self.call(port, "--devices", "-", "Get", "--quiet", input: "one\ntwo")
            #expect(table.exitCode == 21 && table.errors == "")
            #expect(table.output.count { $0 == "\n" } == 2)
            let one = try await self.call(port, "one", "Get", "--quiet", input: "")
            #expect(one == .init(exitCode: 21, output: "", errors: ""))
            let json = try await self.call(port, "one", "Get", "--output", "json", input: "")
            #expect(json.exitCode == 21 && json.output.contains("\"outcome\":\"no responder\""))
        }
    }

    @Test("An interrupted command says how many devices have answered")
    func interrupted() async throws {
        try await withLocalBroker { broker, port in
            let server = try await self.serve(port, "one Get=1")
            defer { server.send(SIGKILL) }
            let silent = try await broker.subscribe(to: "silent/rpc/+")
            let command = try Subprocess.curlew("call", "-p", "\(port)", "-W", "1000", "--devices", "-", "Get")
            try command.write("one\nsilent\n")
            try command.endInput()
            try await command.line { $0.hasPrefix("one") }
            command.send(SIGINT)
            let outcome = try await command.outcome()
            #expect(outcome.exitCode == 128 + SIGINT)
            #expect(outcome.errors.contains("1 of 2 devices: 1 answered"), "\(outcome.errors)")
            withExtendedLifetime(silent) {}
        }
    }

    // MARK: Before MQTT 5

    /// A broker that refuses versions after 3.1.1.
    private static let older: PacketServer.Script = { packet, _ in
        if case .connect(let connect) = packet, connect.version == .v5_0 {
            [.sendBytes([0x20, 2, 0, 1]), .close]
        } else {
            PacketServer.answer(to: packet)
        }
    }

    @Test(
        "A broker before MQTT 5 has no response topics, which mqtt5 needs",
        arguments: [
            (
                "call d Ping", 23,
                "No call can be sent: the dialect mqtt5 needs MQTT 5, but the broker only supports 3.1.1"
            ),
            ("call --device d --device e Ping", 23, "choose another dialect (--dialect jsonrpc, "),
            (
                "serve d Ping", 1,
                "No call can be answered: the dialect mqtt5 needs MQTT 5, but the broker only supports 3.1.1"
            ),
        ] as [(String, Int32, String)])
    func olderBroker(command: String, exitCode: Int32, expected: String) async throws {
        let server = try await PacketServer.start(Self.older)
        let process = try Subprocess.curlew(
            command.split(separator: " ").map(String.init) + ["-h", "127.0.0.1", "-p", "\(server.port)"])
        try process.endInput()
        let outcome = try await process.outcome()
        await server.stop()
        #expect(outcome.exitCode == exitCode)
        #expect(outcome.output == "")
        #expect(outcome.errors.contains(expected), "\(outcome.errors)")
    }

    @Test("Other dialects work with MQTT 3.1.1")
    func olderVersion() async throws {
        try await withLocalBroker { _, port in
            let server = try await self.serve(port, "d Get=1 --dialect jsonrpc -V 3.1.1")
            defer { server.send(SIGKILL) }
            let outcome = try await self.call(port, "d", "Get", "--dialect", "jsonrpc", "-V", "3.1.1", input: "")
            #expect(outcome == .init(exitCode: 0, output: "1\n", errors: ""))
        }
    }
}
#endif
