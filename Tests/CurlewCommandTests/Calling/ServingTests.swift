#if Tools
import CurlewBroker
import Foundation
import MosquittoFixture
import Testing

@Suite("curlew serve: its output and its end", .timeLimit(.minutes(5)))
struct ServingTests {
    private func call(_ port: Int, _ arguments: String...) async throws -> Subprocess.Outcome {
        let command = try Subprocess.curlew(["call", "-p", "\(port)", "-W", "60"] + arguments)
        try command.endInput()
        return try await command.outcome()
    }

    /// Starts a server that writes `ready` to standard error.
    private func serve(_ port: Int, _ arguments: String..., hasReader: Bool = true) async throws -> Subprocess {
        let command = ["serve", "-p", "\(port)", "--ready-fd", "2"] + arguments
        let server = try Subprocess.curlew(command, hasReader: hasReader)
        #expect(await server.hasSaid("ready"))
        return server
    }

    @Test("-v prints method and parameters of each call on one line")
    func verbose() async throws {
        try await withLocalBroker { _, port in
            let server = try await self.serve(port, "d", "Set", "-v", "-C", "1")
            #expect(try await self.call(port, "d", "Set", "{\"b\":[1],\"a\":\"x\\ny\"}").exitCode == 0)
            #expect(try await server.success() == "Set {\"a\":\"x\\ny\",\"b\":[1]}\n")
        }
    }

    @Test("A reader of -v that exits ends the command after the answer, and is no error of the call")
    func closedReader() async throws {
        try await withLocalBroker { _, port in
            let server = try await self.serve(port, "d", "Ping=1", "-v", hasReader: false)
            #expect(try await self.call(port, "d", "Ping") == .init(exitCode: 0, output: "1\n", errors: ""))
            #expect(try await server.outcome().exitCode == 0)
        }
    }

    @Test("The failure of a command is reported on both sides")
    func failedCommand() async throws {
        try await withLocalBroker { _, port in
            let server = try await self.serve(port, "d", "--command", "Fail=exit 3", "-C", "1")
            #expect(try await self.call(port, "d", "Fail").errors.contains("The command failed (code 3)"))
            #expect(try await server.outcome().errors.contains("The command of the method 'Fail' failed: exit code 3."))
        }
    }

    @Test("A call of an unknown method gets an error and counts")
    func unknownMethod() async throws {
        try await withLocalBroker { _, port in
            let server = try await self.serve(port, "d", "Ping=1", "-v", "-C", "1")
            #expect(try await self.call(port, "d", "Pong").errors.contains("No handler for Pong"))
            #expect(try await server.success() == "")
        }
    }

    @Test("Ctrl-C is the usual end, unless calls of -C are missing")
    func interrupted() async throws {
        try await withLocalBroker { _, port in
            let endless = try await self.serve(port, "d", "Ping")
            endless.send(SIGINT)
            try await endless.success()
            let counting = try await self.serve(port, "d", "Ping", "-C", "2")
            counting.send(SIGINT)
            #expect(
                try await counting.outcome()
                    == .init(
                        exitCode: 128 + SIGINT, output: "", errors: "ready\ncurlew serve: 0 of 2 calls received.\n"))
        }
    }
}
#endif
