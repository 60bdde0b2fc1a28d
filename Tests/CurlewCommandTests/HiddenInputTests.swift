#if Tools
import Foundation
import Synchronization
import Testing

@testable import CurlewCommand

@Suite("Typing a password at a terminal", .timeLimit(.minutes(5)))
struct HiddenInputTests {
    /// Both ends of a terminal.
    private final class PseudoTerminal: Sendable {
        private let person: Descriptor
        let command: Descriptor

        init() throws {
            var (person, command): (Int32, Int32) = (-1, -1)
            guard openpty(&person, &command, nil, nil, nil) == 0 else { throw SystemError.last }
            (self.person, self.command) = (Descriptor(number: person), Descriptor(number: command))
        }

        deinit {
            self.person.closeFile()
            self.command.closeFile()
        }

        func type(_ text: String) throws { try self.person.writeAll(Array(text.utf8)) }

        var isEchoing: Bool {
            var state = termios()
            tcgetattr(self.command.number, &state)
            return state.c_lflag & tcflag_t(ECHO) != 0
        }
    }

    /// Reads a password, typing one answer at each prompt.
    private func ask(_ answers: [String]) async throws -> Result<[UInt8], CommandFailure> {
        let terminal = try PseudoTerminal()
        let questions = Mutex<[String]>([])
        let input = PasswordInput(terminal.command) { text in questions.withLock { $0.append(text) } }
        async let result: Result<[UInt8], CommandFailure> = withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(returning: Result { () throws(CommandFailure) in try input.read() })
            }
        }
        for (count, answer) in answers.enumerated() {
            // Keys typed before the echo is off are discarded.
            while questions.withLock({ $0.filter { $0 != "\n" }.count }) <= count || terminal.isEchoing {
                await Task.yield()
            }
            try terminal.type(answer)
        }
        let outcome = await result
        #expect(terminal.isEchoing, "the terminal is left as it was")
        #expect(
            questions.withLock { $0 }
                == answers.indices.flatMap { [["Password: ", "Repeat password: "][$0], "\n"] })
        return outcome
    }

    @Test("The password is asked for twice and not echoed")
    func twice() async throws {
        #expect(try await self.ask(["geheim ü\r", "geheim ü\r"]) == .success(Array("geheim ü".utf8)))
    }

    @Test("Passwords that differ are refused, and so is an empty one")
    func differing() async throws {
        #expect(
            try await self.ask(["one\r", "two\r"])
                == .failure(CommandFailure("The passwords differ; nothing was changed.")))
        #expect(try await self.ask(["\r"]) == .failure(CommandFailure("The password is empty; nothing was changed.")))
    }

    @Test("Ctrl-C exits with the code of an interrupt; Ctrl-D does the same")
    func abandoned() async throws {
        #expect(try await self.ask(["on\u{3}"]) == .failure(CommandFailure(nil, exitCode: 130)))
        #expect(try await self.ask(["one\r", "\u{4}"]) == .failure(CommandFailure(nil, exitCode: 130)))
    }

    @Test(
        "Editing keys work on whole characters",
        arguments: [
            ("ab\u{7F}c", "ac"), ("aü\u{7F}b", "ab"), ("\u{8}\u{8}a", "a"), ("abc\u{15}d", "d"), ("名\u{7F}", ""),
        ])
    func correcting(keys: String, line: String) {
        var typed = HiddenInput.Line()
        let steps = keys.utf8.map { typed.take($0) }
        #expect(steps.allSatisfy { $0 == .goOn })
        #expect(typed.bytes == Array(line.utf8))
    }
}
#endif
