import Curlew
import Foundation
import Synchronization

/// A mosquitto of a test's own, on free ports, with its files in a folder that goes with it.
final class Mosquitto: Sendable {
    /// A way in.
    enum Listener: String, Sendable, CaseIterable, CustomStringConvertible {
        case tcp = "TCP"
        case tls = "TLS"
        /// Demands a client's certificate.
        case mutualTLS = "TLS with client certificates"
        case preSharedKey = "TLS with pre-shared keys"
        /// The certificate is not valid any more.
        case expired = "TLS, expired"
        /// The certificate is for another host.
        case elsewhere = "TLS, elsewhere"

        var description: String { self.rawValue }
        var isSecure: Bool { self != .tcp }

        fileprivate var settings: [String] {
            let folder = Peers.certificates
            func certificate(_ name: String) -> [String] {
                ["certfile \(folder)/\(name).pem", "keyfile \(folder)/\(name).key.pem"]
            }
            return switch self {
            case .tcp: []
            case .tls: certificate("server")
            case .mutualTLS: certificate("server") + ["cafile \(folder)/ca.pem", "require_certificate true"]
            case .preSharedKey: ["psk_hint curlew"]
            case .expired: certificate("expired")
            case .elsewhere: certificate("elsewhere")
            }
        }
    }

    struct Settings: Sendable {
        var listeners: [Listener] = [.tcp, .tls]
        /// Lines for the configuration file. `{folder}` stands for the folder of the broker's files.
        var lines: [String] = []
        /// Files to write, by name.
        var files: [String: String] = [:]
        var allowsAnonymous = true
        /// Whether it remembers sessions and messages when it is started again.
        var isPersistent = false
    }

    private let settings: Settings
    private let folder: URL
    private let ports: [Listener: Int]
    private let process: Mutex<Subprocess>
    private let clients = Mutex<[MQTTClient]>([])

    private init(_ settings: Settings, _ folder: URL, _ ports: [Listener: Int], _ process: Subprocess) {
        self.settings = settings
        self.folder = folder
        self.ports = ports
        self.process = Mutex(process)
    }

    /// Runs a test with a broker. Afterwards the broker is stopped, and so are the clients that were made for it.
    static func run(
        _ settings: Settings = Settings(), _ test: (Mosquitto) async throws -> Void
    ) async throws {
        let broker = try await self.start(settings)
        do {
            try await test(broker)
        } catch {
            await broker.cleanUp()
            throw error
        }
        await broker.cleanUp()
    }

    private static func start(_ settings: Settings) async throws -> Mosquitto {
        let folder = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, content) in settings.files {
            try Data(content.utf8).write(to: folder.appending(path: name))
        }
        var refusals: [String] = []
        for _ in 0..<20 {
            // Below the range from which systems take the ports of outgoing connections: after a restart it is still free.
            var ports: [Listener: Int] = [:]
            for listener in settings.listeners { ports[listener] = Int.random(in: 20_000..<32_000) }
            try Data(self.configuration(settings, ports, folder).utf8).write(
                to: folder.appending(path: "mosquitto.conf"))
            let process = try Subprocess.start("mosquitto", ["-c", folder.appending(path: "mosquitto.conf").path])
            if await self.isReady(process) { return Mosquitto(settings, folder, ports, process) }
            refusals.append(process.output)
            guard process.output.contains("in use") else { break }
        }
        try? FileManager.default.removeItem(at: folder)
        throw TestFailure("mosquitto did not start: \(refusals.last ?? "")")
    }

    /// It says so when all listeners are open.
    private static func isReady(_ process: Subprocess) async -> Bool {
        for await line in process.lines where line.contains(" running") { return true }
        process.kill()
        return false
    }

    private static func configuration(_ settings: Settings, _ ports: [Listener: Int], _ folder: URL) -> String {
        var lines = [
            // Does not give up its rights, where it has any, so that it can read and write the folder.
            "user root",
            "log_dest stderr", "log_type all", "connection_messages true",
            // Without this it holds small packets back for 40 ms.
            "set_tcp_nodelay true",
            "allow_anonymous \(settings.allowsAnonymous)",
            "max_queued_messages 0",
            "persistence \(settings.isPersistent)", "persistence_location \(folder.path)/",
        ]
        lines += settings.lines.map { $0.replacing("{folder}", with: folder.path) }
        for listener in settings.listeners {
            lines.append("listener \(ports[listener] ?? 0) 127.0.0.1")
            lines += listener.settings
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func cleanUp() async {
        if ProcessInfo.processInfo.environment["DBG"] != nil { print(self.process.withLock { $0 }.output) }
        for client in self.clients.withLock({ $0 }) { await client.disconnect(drain: .zero) }
        self.process.withLock { $0 }.kill()
        try? FileManager.default.removeItem(at: self.folder)
    }

    /// Stops it in order: what it has to remember is written.
    func stop() async throws {
        let process = self.process.withLock { $0 }
        process.terminate()
        try await process.status()
    }

    /// Starts it again after `stop()`, on the same ports.
    func startAgain() async throws {
        let process = try Subprocess.start("mosquitto", ["-c", self.folder.appending(path: "mosquitto.conf").path])
        self.process.withLock { $0 = process }
        guard await Self.isReady(process) else { throw TestFailure("mosquitto did not start again: \(process.output)") }
    }

    /// Waits for a line of its log.
    func log(says text: String) async throws {
        try await self.process.withLock { $0 }.line { $0.contains(text) }
    }

    func port(_ listener: Listener = .tcp) throws -> String {
        guard let port = self.ports[listener] else { throw TestFailure("the broker has no listener \(listener)") }
        return String(port)
    }

    // MARK: Clients

    /// How a client connects to it.
    func configuration(_ setup: Setup) throws -> MQTTConfiguration {
        guard let port = self.ports[setup.listener] else {
            throw TestFailure("the broker has no listener \(setup.listener)")
        }
        var configuration = MQTTConfiguration(
            server: setup.listener.isSecure ? .mqtts("127.0.0.1", port: port) : .mqtt("127.0.0.1", port: port))
        configuration.connection.version = .exactly(setup.version)
        configuration.tls.trustRoots = .file("\(Peers.certificates)/ca.pem")
        configuration.reconnect.base = .milliseconds(50)
        configuration.reconnect.cap = .milliseconds(200)
        configuration.reconnect.floor = .milliseconds(10)
        return configuration
    }

    /// A client that is not connected yet; it is disconnected when the test is over.
    func client(_ setup: Setup, _ change: (inout MQTTConfiguration) -> Void = { _ in }) throws -> MQTTClient {
        var configuration = try self.configuration(setup)
        change(&configuration)
        let client = try MQTTClient(configuration)
        self.clients.withLock { $0.append(client) }
        return client
    }

    /// A client that is connected.
    func connect(_ setup: Setup, _ change: (inout MQTTConfiguration) -> Void = { _ in }) async throws -> MQTTClient {
        let client = try self.client(setup, change)
        try await client.connect()
        return client
    }
}
