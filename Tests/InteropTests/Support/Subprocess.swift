import Foundation
import Synchronization

/// A program that a test runs: its output comes line by line, and it ends with the test.
final class Subprocess: Sendable {
    /// What it writes, to either stream. Each line is seen once, by whoever asks first.
    let lines: AsyncStream<String>
    private let process: Mutex<Process>
    private let ended: AsyncStream<Int32>
    private let log = Mutex<[String]>([])

    private init(_ process: sending Process, lines: AsyncStream<String>, ended: AsyncStream<Int32>) {
        self.process = Mutex(process)
        self.lines = lines
        self.ended = ended
    }

    /// Starts a program that is on the path, or that is named by its own.
    static func start(_ program: String, _ arguments: [String]) throws -> Subprocess {
        guard let path = Self.find(program) else { throw TestFailure("\(program) is not installed") }
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        let (output, written) = AsyncStream.makeStream(of: String.self)
        let (ended, end) = AsyncStream.makeStream(of: Int32.self)
        process.terminationHandler = { process in
            end.yield(process.terminationStatus)
            end.finish()
        }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try Self.withoutBlockedSignals { try process.run() }
        let subprocess = Subprocess(process, lines: output, ended: ended)
        let handle = pipe.fileHandleForReading
        Thread.detachNewThread {
            var rest: [UInt8] = []
            while case let data = handle.availableData, !data.isEmpty {
                rest += data
                while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = String(decoding: rest[..<newline], as: UTF8.self)
                    rest.removeSubrange(...newline)
                    subprocess.log.withLock { $0.append(line) }
                    written.yield(line)
                }
            }
            written.finish()
        }
        return subprocess
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

    /// The first line that fits, after those that others were given.
    @discardableResult
    func line(where fits: (String) -> Bool) async throws -> String {
        for await line in self.lines where fits(line) { return line }
        throw TestFailure(
            "the program ended, or the test's time was over, before the line came. It wrote:\n\(self.output)")
    }

    /// All that it has written so far.
    var output: String { self.log.withLock { $0.joined(separator: "\n") } }

    /// Waits for its end. Call it once.
    @discardableResult
    func status() async throws -> Int32 {
        for await status in self.ended { return status }
        throw TestFailure("the program did not end in time. It wrote:\n\(self.output)")
    }

    /// Asks it to end.
    func terminate() { self.process.withLock { if $0.isRunning { $0.terminate() } } }

    /// Ends it, whatever it is doing.
    func kill() { self.process.withLock { if $0.isRunning { _ = Foundation.kill($0.processIdentifier, SIGKILL) } } }

    /// Runs a program to its end and returns its output.
    @discardableResult
    static func run(_ program: String, _ arguments: [String]) async throws -> String {
        let subprocess = try self.start(program, arguments)
        for await _ in subprocess.lines {}
        let status = try await subprocess.status()
        guard status == 0 else { throw TestFailure("\(program) ended with \(status):\n\(subprocess.output)") }
        return subprocess.output
    }

    /// Where a program is. Debian keeps daemons in directories that only root has on the path.
    static func find(_ program: String) -> String? {
        if program.contains("/") { return FileManager.default.isExecutableFile(atPath: program) ? program : nil }
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return (folders + ["/usr/local/sbin", "/usr/sbin", "/sbin", "/opt/homebrew/sbin", "/opt/homebrew/bin"])
            .map { "\($0)/\(program)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

/// Why a test could not do what it wanted.
struct TestFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
