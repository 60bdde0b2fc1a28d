#if Tools
import CurlewBroker
import Foundation
import MosquittoFixture
import Testing

@Suite("curlew call and serve", .timeLimit(.minutes(5)))
struct CallingTests {
    /// Starts `curlew serve` and waits until it is subscribed.
    private func serve(_ port: Int, _ arguments: String) async throws -> Subprocess {
        let server = try Subprocess.script("exec curlew serve -p \(port) --ready-fd 3 \(arguments) 3>&1")
        #expect(try await server.line() == "ready")
        return server
    }

    private func call(_ port: Int, _ arguments: String...) async throws -> Subprocess.Outcome {
        let command = try Subprocess.curlew(["call", "-p", "\(port)", "-W", "60"] + arguments)
        try command.endInput()
        return try await command.outcome()
    }

    @Test(
        "A device is called in each dialect",
        arguments: [
            "mqtt5", "mqtt5:cmd/{device}/{method}", "jsonrpc", "shelly", "thingsboard", "thingsboard-gateway",
            "zigbee2mqtt-bridge", "azure",
        ])
    func dialects(name: String) async throws {
        try await withLocalBroker { _, port in
            let server = try await self.serve(port, "lamp --dialect '\(name)' 'Lamp.Get={\"on\":true}' Echo")
            defer { server.send(SIGKILL) }
            let get = try await self.call(port, "lamp", "Lamp.Get", "--dialect", name)
            #expect(get == .init(exitCode: 0, output: "{\"on\":true}\n", errors: ""))
            let echo = try await self.call(port, "lamp", "Echo", "{\"a\":[1]}", "--dialect", name)
            #expect(echo.output.contains("\"a\":[1]"))
            let unknown = try await self.call(port, "lamp", "Lamp.Set", "--dialect", name)
            #expect(unknown.exitCode == 20)
            #expect(unknown.errors.contains("lamp answered with an error: No handler for Lamp.Set"))
        }
    }

    @Test("Tasmota: parameters and answers may be plain text")
    func tasmota() async throws {
        try await withLocalBroker { _, port in
            let server = try await self.serve(port, "plug --dialect tasmota:home/%topic%/%prefix% Power=ON -v")
            defer { server.send(SIGKILL) }
            let outcome = try await self.call(
                port, "plug", "Power", "ON", "--dialect", "tasmota:home/%topic%/%prefix%")
            #expect(outcome == .init(exitCode: 0, output: "{\"Power\":\"ON\"}\n", errors: ""))
            #expect(try await server.line() == "Power \"ON\"")
        }
    }

    @Test("Commands answer calls; their exit code is the code of the error")
    func commands() async throws {
        try await withLocalBroker { _, port in
            let server = try await self.serve(
                port, "d --dialect jsonrpc --command 'Up=tr a-z A-Z' --command 'Fail=exit 3' -C 2")
            let up = try await self.call(port, "d", "Up", "hello", "--dialect", "jsonrpc")
            #expect(up.output == "\"HELLO\"\n")
            let fail = try await self.call(port, "d", "Fail", "--dialect", "jsonrpc")
            #expect(fail.exitCode == 20)
            #expect(fail.errors.contains("The command failed (code 3)"))
            try await server.success()
        }
    }

    @Test("Many devices: a line for each, a summary, and an exit code for failures of one kind")
    func many() async throws {
        try await withLocalBroker { _, port in
            let servers = [try await self.serve(port, "one Ping=1"), try await self.serve(port, "two Ping=2")]
            defer { for server in servers { server.send(SIGKILL) } }
            let command = try Subprocess.curlew(["call", "-p", "\(port)", "--devices", "-", "Ping"])
            try command.write("one\ntwo\n# a comment\n\noff\n")
            try command.endInput()
            let outcome = try await command.outcome()
            let lines = outcome.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
            #expect(lines.contains { $0.hasPrefix("one answered") && $0.hasSuffix("ms 1") })
            #expect(lines.contains { $0.hasPrefix("two answered") && $0.hasSuffix("ms 2") })
            #expect(lines.contains { $0.hasPrefix("off no responder") })
            #expect(outcome.errors.contains("3 devices: 2 answered, 1 no responder; median time to answer "))
            #expect(outcome.exitCode == 21)
            let json = try await self.call(port, "--device", "one", "--method", "Ping", "--output", "json")
            #expect(json.output.contains("\"answer\":1") && json.output.contains("\"outcome\":\"answered\""))
        }
    }

    @Test("Each kind of failure has its exit code")
    func exitCodes() async throws {
        try await withLocalBroker { _, port in
            let off = try await self.call(port, "off", "Ping")
            #expect(off.exitCode == 21)
            #expect(off.errors.contains("Nobody receives calls of off"))
            let listener = try Subprocess.script("exec curlew sub silent/rpc/+ -p \(port) --ready-fd 3 3>&1")
            try await listener.line()
            defer { listener.send(SIGKILL) }
            let silent = try await Subprocess.curlew("call", "-p", "\(port)", "-W", "1", "silent", "Ping").outcome()
            #expect(silent.exitCode == 27)
        }
        try await withLocalBroker({ $0.limits.maximumPacketSize = 300 }) { _, port in
            let large = try await self.call(port, "d", "Ping", String(repeating: "x", count: 500))
            #expect(large.exitCode == 23)
            #expect(large.errors.contains("the message was not sent"))
        }
    }

    @Test(
        "Bad arguments are refused with a sentence",
        arguments: [
            ("call", "The device is missing"), ("call d", "The method is missing"),
            ("call d m 1 2", "Unexpected argument '2'"), ("call d m --dialect foo", "must be one of mqtt5"),
            ("call d m {x", "not valid JSON"),
            ("call d m --at-once 0", "at least 1"), ("call --devices missing.txt m", "does not exist"),
            ("call --devices / m", "The file '/' of --devices cannot be read"),
            ("call --devices - m", "Standard input, which --devices reads, names no device."),
            ("call --devices - m -", "Devices and parameters both come from standard input"),
            ("call --devices - --method m --params -", "both come from standard input"),
            ("call --devices f d Ping", "'Ping' stands where the parameters of the method 'd' belong, but is not JSON"),
            ("call --device d e Ping", "give more devices with --device, and text with --params."),
            ("call d --method Ping extra", "'extra' stands where the parameters of the method 'Ping' belong"),
            ("call --method m", "The device is missing"), ("call --devices f", "The method is missing"),
            ("call a/+ m", "The name of the device, 'a/+', contains + or #"),
            ("call d m#", "The name of the method, 'm#', contains + or #"),
            ("call --device= m", "The name of the device is empty."),
            ("call d --method=", "The name of the method is empty."),
            ("serve --device= A=1", "The name of the device is empty."),
            ("serve a/# A=1", "The name of the device, 'a/#', contains + or #"),
            (
                "call d m -V 3.1.1",
                "No call can be sent: the dialect mqtt5 needs MQTT 5, but the version is set to 3.1.1"
            ),
            ("call d m -V 3.1 --dialect mqtt5:rpc/{device}", "No call can be sent"),
            ("serve d A -V 3.1.1", "No call can be answered: the dialect mqtt5 needs MQTT 5"),
            ("serve d A mqtt://h?version=3.1.1", "leave out -V or choose another dialect (--dialect jsonrpc, shelly, "),
            ("serve d On --dialect zigbee2mqtt", "The method 'On' would never be called"),
            ("call d m -t x", "not an option of this command"), ("serve", "The device is missing"),
            ("serve d", "There is no method"), ("serve d A=1 A=2", "given twice"),
            ("serve d --command X", "has no command"), ("collect", "The topic is missing"),
            ("call mqtt://h/topic d m", "leave it out"),
            ("call d m --device-password x", "leave out --device-password"),
        ])
    func badArguments(arguments: String, expected: String) async throws {
        let command = try Subprocess.curlew(arguments.split(separator: " ").map(String.init))
        try command.endInput()
        let outcome = try await command.outcome()
        #expect(outcome.exitCode == 1)
        #expect(outcome.output == "")
        #expect(outcome.errors.contains(expected), "\(outcome.errors)")
        #expect(outcome.errors.count { $0 == "\n" } == 1)
    }
}
#endif
