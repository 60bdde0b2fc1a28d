import CurlewTransport
package import Foundation
import Synchronization

/// A program that a test runs. It is killed when the object is released.
package final class Subprocess: Sendable {
    /// The result of a program.
    package struct Outcome: Equatable, Sendable {
        /// The exit code; if a signal ended the program, the signal's number, negative.
        package var exitCode: Int32
        package var output: String
        package var errors: String

        package init(exitCode: Int32, output: String, errors: String) {
            self.exitCode = exitCode
            self.output = output
            self.errors = errors
        }
    }

    /// What the program writes to standard output.
    package let output: PipeText
    /// What the program writes to standard error.
    package let errors: PipeText
    private let process: Process
    private let input: Pipe?
    private let exitCode = OneShot<Int32>()

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - program: Its path, or its name if it is on the path.
    ///   - environment: Its environment. Default: the environment of the tests.
    ///   - hasInput: Whether its standard input is a pipe to write to; otherwise it is at its end.
    ///   - hasReader: Whether its standard output has a reader; otherwise writing there fails.
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

    /// Starts one program at a time: a child started between the creation of a pipe and its use would keep the pipe
    /// open.
    private static let starting = Mutex(())

    deinit {
        self.send(SIGKILL)
        try? self.input?.fileHandleForWriting.close()
    }

    /// A child inherits its parent thread's blocked signals, and the Swift runtime's threads block SIGTERM.
    private static func withoutBlockedSignals(_ start: () throws -> Void) rethrows {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try start()
    }

    // MARK: Input

    package func write(_ text: String) throws {
        try self.input?.fileHandleForWriting.write(contentsOf: Data(text.utf8))
    }
    package func endInput() throws { try self.input?.fileHandleForWriting.close() }

    /// Whether it has not ended.
    package var isRunning: Bool { self.process.isRunning }

    /// Sends the program a signal, unless it has ended.
    package func send(_ signal: Int32) { if self.process.isRunning { kill(self.process.processIdentifier, signal) } }

    // MARK: Results

    /// Waits until the program has written `text` to standard output; `false` if it ended first.
    package func hasWritten(_ text: String) async -> Bool { await self.output.contains(text) }

    /// Waits until the program has written `text` to standard error; `false` if it ended first.
    package func hasSaid(_ text: String) async -> Bool { await self.errors.contains(text) }

    /// Waits for the next line on standard output that fits, after those already returned.
    @discardableResult
    package func line(where fits: (String) -> Bool = { _ in true }) async throws -> String {
        if let line = await self.output.line(where: fits) { return line }
        throw self.failure("ended, or the test's time was over, before it wrote the line")
    }

    /// Waits until the program has ended, and returns its exit code.
    @discardableResult
    package func end() async throws -> Int32 {
        guard let exitCode = await self.exitCode.wait() else { throw self.failure("did not end in the test's time") }
        return exitCode
    }

    /// Waits until the program has ended and all of its output has arrived.
    package func outcome() async throws -> Outcome {
        let exitCode = try await self.end()
        return Outcome(exitCode: exitCode, output: await self.output.whole(), errors: await self.errors.whole())
    }

    /// Waits until the program has ended, which must be with exit code 0, and returns its standard output.
    @discardableResult
    package func success() async throws -> String {
        let outcome = try await self.outcome()
        guard outcome.exitCode == 0 else { throw self.failure("ended with exit code \(outcome.exitCode)") }
        return outcome.output
    }

    /// A failure of the program, with all of its output.
    package func failure(_ what: String) -> TestFailure {
        let name = self.process.executableURL?.lastPathComponent ?? "the program"
        return TestFailure("\(name) \(what); it wrote:\n\(self.output.soFar)\(self.errors.soFar)")
    }

    /// The path of a program. Debian keeps daemons in directories that are only on root's path.
    package static func find(_ program: String) -> String? {
        if program.contains("/") { return FileManager.default.isExecutableFile(atPath: program) ? program : nil }
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return (folders + ["/usr/local/sbin", "/usr/sbin", "/sbin", "/opt/homebrew/sbin", "/opt/homebrew/bin"])
            .map { "\($0)/\(program)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

/// The reason why a test could not continue.
package struct TestFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

extension Subprocess {
    /// The folder of the package's built programs, which also contains the tests.
    package static let products: URL = {
        let bundle = CommandLine.arguments.first { $0.contains(".xctest") } ?? CommandLine.arguments[0]
        var folder = URL(filePath: bundle)
        while folder.path.contains(".xctest") { folder.deleteLastPathComponent() }
        return folder
    }()
}
