package import Foundation
import Synchronization

/// A test's own mosquitto, or `curlew broker` in its place, on free ports, with a folder that is deleted afterwards.
package final class Mosquitto: Sendable {
    package struct Settings: Sendable {
        package var listeners: [Listener]
        /// Lines for the configuration file. `{folder}` is replaced by the broker's folder.
        package var lines: [String]
        /// Files to write into the folder, by name.
        package var files: [String: String]
        package var allowsAnonymous: Bool
        /// Whether the broker keeps sessions and messages over a restart.
        package var isPersistent: Bool
        /// Whether `log(says:)` sees each packet.
        package var logsPackets: Bool

        package init(
            listeners: [Listener] = [.tcp, .tls], lines: [String] = [], files: [String: String] = [:],
            allowsAnonymous: Bool = true, isPersistent: Bool = false, logsPackets: Bool = true
        ) {
            self.listeners = listeners
            self.lines = lines
            self.files = files
            self.allowsAnonymous = allowsAnonymous
            self.isPersistent = isPersistent
            self.logsPackets = logsPackets
        }
    }

    /// The program that the broker runs.
    package let program: BrokerProgram
    private let folder: URL
    private let ports: [Listener: Int]
    private let process: Mutex<Subprocess>
    /// Closures to run at the end of the test.
    private let endings = Mutex<[@Sendable () async -> Void]>([])

    private init(_ program: BrokerProgram, _ folder: URL, _ ports: [Listener: Int], _ process: Subprocess) {
        self.program = program
        self.folder = folder
        self.ports = ports
        self.process = Mutex(process)
    }

    /// Limits the number of brokers. All tests run at once; too many brokers would compete for the processors and need
    /// more open files than Foundation can handle when it starts a process. The time that a test waits here counts
    /// towards its time limit.
    private static let gate = Gate(16)

    /// Runs a test with a broker. Afterwards, the broker and everything made for it are stopped.
    package static func run(
        _ settings: Settings = Settings(), on program: BrokerProgram = .mosquitto,
        _ test: (Mosquitto) async throws -> Void
    ) async throws {
        await self.gate.enter()
        do {
            try await self.runNow(settings, program, test)
        } catch {
            await self.gate.leave()
            throw error
        }
        await self.gate.leave()
    }

    private static func runNow(
        _ settings: Settings, _ program: BrokerProgram, _ test: (Mosquitto) async throws -> Void
    ) async throws {
        let broker = try await self.start(settings, program)
        do {
            try await test(broker)
        } catch {
            await broker.cleanUp()
            throw error
        }
        await broker.cleanUp()
    }

    /// The port given last. Ports are below the range for outgoing connections, so that they are still free after a restart.
    private static let port = Mutex(Int.random(in: 20_000..<32_000))

    /// A port that no other listener of these tests has been given: two random ones could be the same.
    package static func nextPort() -> Int {
        self.port.withLock { port in
            port = port == 31_999 ? 20_000 : port + 1
            return port
        }
    }

    private static func start(_ settings: Settings, _ program: BrokerProgram) async throws -> Mosquitto {
        let folder = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, content) in settings.files {
            try Data(content.utf8).write(to: folder.appending(path: name))
        }
        var refusal = ""
        for _ in 0..<20 {
            var ports: [Listener: Int] = [:]
            for listener in settings.listeners { ports[listener] = self.nextPort() }
            let file = folder.appending(path: "mosquitto.conf")
            try Data(self.configuration(settings, program, ports, folder).utf8).write(to: file)
            let process = try program.start(file)
            if await program.isReady(process, listeners: ports.count) {
                return Mosquitto(program, folder, ports, process)
            }
            refusal = await process.errors.whole()
            guard refusal.contains("in use") else { break }
        }
        try? FileManager.default.removeItem(at: folder)
        throw TestFailure("\(program) did not start: \(refusal)")
    }

    private static func configuration(
        _ settings: Settings, _ program: BrokerProgram, _ ports: [Listener: Int], _ folder: URL
    ) -> String {
        var lines = [
            "log_dest stderr",
            // Without this, small packets are delayed by 40 ms.
            "set_tcp_nodelay true",
            "allow_anonymous \(settings.allowsAnonymous)",
            // Not 0 for no limit: mosquitto 2.0.11 then closes the connection after a publish that it refuses.
            "max_queued_messages 1000000",
            "persistence \(settings.isPersistent)",
        ]
        lines += program.ownLines(folder)
        if settings.logsPackets { lines.append("log_type all") }
        lines += settings.lines.map { $0.replacing("{folder}", with: folder.path) }
        for listener in settings.listeners {
            lines.append(
                listener == .unix
                    ? "listener 0 \(Self.socketFile(folder))" : "listener \(ports[listener] ?? 0) 127.0.0.1")
            lines += listener.settings
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func cleanUp() async {
        for ending in self.endings.withLock({ $0 }) { await ending() }
        self.process.withLock { $0 }.send(SIGKILL)
        try? FileManager.default.removeItem(at: self.folder)
        try? FileManager.default.removeItem(atPath: self.socketFile)
    }

    // MARK: Interface for tests

    /// Stops the broker in order, so that it writes its state. It must have served a client before: mosquitto 2.0
    /// ignores the signal just after it has reported that it is running.
    package func stop() async throws {
        let process = self.process.withLock { $0 }
        process.send(SIGTERM)
        try await process.end()
    }

    /// Restarts the broker after `stop()`, on the same ports.
    package func startAgain() async throws {
        let process = try self.program.start(self.folder.appending(path: "mosquitto.conf"))
        self.process.withLock { $0 = process }
        guard await self.program.isReady(process, listeners: self.ports.count) else {
            throw process.failure("did not start again")
        }
    }

    /// Waits for the next log line that contains the text, after those already returned.
    package func log(says text: String) async throws {
        let process = self.process.withLock { $0 }
        guard await process.errors.line(where: { $0.contains(text) }) != nil else {
            throw process.failure("ended, or the test's time was over, before its log said \"\(text)\"")
        }
    }

    /// Waits until a client has subscribed whose identifier begins with `client`, after those already returned.
    package func subscribed(_ client: String) async throws {
        try await self.log(says: self.program.subscribed(client))
    }

    /// The path of the Unix domain socket. A path in a temporary folder of some systems would be too long.
    package var socketFile: String { Self.socketFile(self.folder) }

    private static func socketFile(_ folder: URL) -> String { "/tmp/\(folder.lastPathComponent.suffix(36)).sock" }

    /// The port of a listener.
    package func port(_ listener: Listener = .tcp) throws -> Int {
        guard let port = self.ports[listener] else { throw TestFailure("the broker has no listener \(listener)") }
        return port
    }

    /// Runs a closure at the end of the test, whether the test succeeds or fails.
    package func atEnd(_ ending: @escaping @Sendable () async -> Void) { self.endings.withLock { $0.append(ending) } }

    /// Starts a program that is killed at the end of the test.
    package func start(_ program: String, _ arguments: [String]) throws -> Subprocess {
        let process = try Subprocess(program, arguments)
        self.atEnd { process.send(SIGKILL) }
        return process
    }

    /// Writes a file into the broker's folder and returns its path.
    package func write(_ content: Data, to name: String) throws -> String {
        let file = self.folder.appending(path: name)
        try content.write(to: file)
        return file.path
    }

    /// The content of a password file, made by mosquitto_passwd.
    package static func passwordFile(_ users: [String: String]) async throws -> String {
        let file = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data().write(to: file)
        for (user, password) in users {
            try await Subprocess("mosquitto_passwd", ["-b", file.path, user, password]).success()
        }
        return try String(contentsOf: file, encoding: .utf8)
    }
}
