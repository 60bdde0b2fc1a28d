import CurlewTransport
import Foundation
import Synchronization

/// A program that a test runs. It ends with the object at the latest.
package final class Subprocess: Sendable {
    /// What it came to.
    package struct Outcome: Equatable, Sendable {
        /// Its exit code; the number of the signal that ended it, negative, where one did.
        package var exitCode: Int32
        package var output: String
        package var errors: String

        package init(exitCode: Int32, output: String, errors: String) {
            self.exitCode = exitCode
            self.output = output
            self.errors = errors
        }
    }

    /// What it writes to standard output.
    package let output: PipeText
    /// What it writes to standard error.
    package let errors: PipeText
    private let process: Process
    private let input: Pipe?
    private let exitCode = OneShot<Int32>()

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - program: Its path, or its name where it is on the path.
    ///   - environment: Its environment. Default: that of the tests.
    ///   - hasInput: Whether there is an input to write to; otherwise it is at its end.
    ///   - hasReader: Whether anybody reads its standard output; otherwise writing there fails.
    package init(
        _ program: String, _ arguments: [String], environment: [String: String]? = nil, hasInput: Bool = false,
        hasReader: Bool = true
    ) throws {
        guard let path = Self.find(program) else { throw TestFailure("\(program) is not installed") }
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        if let environment { process.environment = environment }
        process.terminationHandler = { [exitCode] process in
            exitCode.set(process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus)
        }
        let (output, errors, input) = try Self.starting.withLock { _ in
            let (output, errors, input) = (Pipe(), Pipe(), hasInput ? Pipe() : nil)
            process.standardInput = input ?? FileHandle.nullDevice
            process.standardOutput = output
            process.standardError = errors
            try Self.withoutBlockedSignals { try process.run() }
            return (output, errors, input)
        }
        self.process = process
        self.input = input
        self.output = hasReader ? PipeText(output) : PipeText()
        if !hasReader { try output.fileHandleForReading.close() }
        self.errors = PipeText(errors)
    }

    /// One at a time: a child that was started between the making of a pipe and its use would keep the pipe open.
    private static let starting = Mutex(())

    deinit {
        self.send(SIGKILL)
        try? self.input?.fileHandleForWriting.close()
    }

    /// A child inherits the signals that its parent's thread blocks, and those of the Swift runtime block SIGTERM.
    private static func withoutBlockedSignals(_ start: () throws -> Void) rethrows {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try start()
    }

    // MARK: What it is given

    package func write(_ text: String) throws {
        try self.input?.fileHandleForWriting.write(contentsOf: Data(text.utf8))
    }
    package func endInput() throws { try self.input?.fileHandleForWriting.close() }

    /// Sends it a signal, if it has not ended yet.
    package func send(_ signal: Int32) { if self.process.isRunning { kill(self.process.processIdentifier, signal) } }

    // MARK: What comes of it

    /// Waits until it has written `text` to standard output; `false` when it ended without.
    package func hasWritten(_ text: String) async -> Bool { await self.output.contains(text) }

    /// Waits until it has written `text` to standard error; `false` when it ended without.
    package func hasSaid(_ text: String) async -> Bool { await self.errors.contains(text) }

    /// Waits for the first line on standard output that fits, after those that others were given.
    @discardableResult
    package func line(where fits: (String) -> Bool = { _ in true }) async throws -> String {
        if let line = await self.output.line(where: fits) { return line }
        throw self.failure("ended, or the test's time was over, before it wrote the line")
    }

    /// Waits until it has ended, and returns its exit code.
    @discardableResult
    package func end() async throws -> Int32 {
        guard let exitCode = await self.exitCode.wait() else { throw self.failure("did not end in the test's time") }
        return exitCode
    }

    /// Waits until it has ended and all that it wrote is here.
    package func outcome() async throws -> Outcome {
        let exitCode = try await self.end()
        return Outcome(exitCode: exitCode, output: await self.output.whole(), errors: await self.errors.whole())
    }

    /// Waits until it has ended, which it must do without a failure, and returns what it wrote to standard output.
    @discardableResult
    package func success() async throws -> String {
        let outcome = try await self.outcome()
        guard outcome.exitCode == 0 else { throw self.failure("ended with exit code \(outcome.exitCode)") }
        return outcome.output
    }

    /// A failure of the program, with all that it wrote.
    package func failure(_ what: String) -> TestFailure {
        let name = self.process.executableURL?.lastPathComponent ?? "the program"
        return TestFailure("\(name) \(what); it wrote:\n\(self.output.soFar)\(self.errors.soFar)")
    }

    /// Where a program is. Debian keeps daemons in directories that only root has on the path.
    package static func find(_ program: String) -> String? {
        if program.contains("/") { return FileManager.default.isExecutableFile(atPath: program) ? program : nil }
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return (folders + ["/usr/local/sbin", "/usr/sbin", "/sbin", "/opt/homebrew/sbin", "/opt/homebrew/bin"])
            .map { "\($0)/\(program)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

/// Why a test could not do what it wanted.
package struct TestFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
