#if Tools
    import Curlew
    import CurlewTransport
    import Foundation
    import NIOCore
    import Testing

    /// A mosquitto of a test's own.
    final class Broker: Sendable {
        let port: Int
        /// Those of further listeners, which the configuration calls `{port NAME}`.
        let ports: [String: Int]
        private let process: RunningCommand
        private let folder: URL

        /// What a test with a broker needs; where it is missing the test is skipped, unless nothing may be skipped.
        static let isMissing: Bool = {
            ProcessInfo.processInfo.environment["CURLEW_REQUIRE_PEERS"] != "1" && Broker.program("mosquitto") == nil
        }()

        /// Runs a test with a broker, and stops it afterwards.
        ///
        /// - Parameter lines: For its configuration; `{folder}` stands for the folder of its files.
        static func run(
            _ lines: [String] = ["allow_anonymous true"], files: [String: String] = [:],
            _ test: (Broker) async throws -> Void
        ) async throws {
            let broker = try await Broker.start(lines, files)
            defer { broker.stop() }
            try await test(broker)
        }

        private init(port: Int, _ ports: [String: Int], _ process: RunningCommand, _ folder: URL) {
            self.port = port
            self.ports = ports
            self.process = process
            self.folder = folder
        }

        private static func start(_ lines: [String], _ files: [String: String]) async throws -> Broker {
            guard let program = Self.program("mosquitto") else { throw MissingBroker() }
            let folder = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for (name, content) in files { try Data(content.utf8).write(to: folder.appending(path: name)) }
            // A port that was free may be taken before mosquitto has it; then it ends at once.
            var lastWords = ""
            for _ in 0..<10 {
                let port = try await Self.freePort()
                var configuration = ["user root", "set_tcp_nodelay true", "listener \(port) 127.0.0.1"]
                configuration += lines.map { $0.replacing("{folder}", with: folder.path) }
                var ports: [String: Int] = [:]
                for index in configuration.indices {
                    guard let match = configuration[index].firstMatch(of: #/\{port ([a-z]+)\}/#) else { continue }
                    let port = try await Self.freePort()
                    ports[String(match.1)] = port
                    configuration[index].replaceSubrange(match.range, with: "\(port)")
                }
                let file = folder.appending(path: "mosquitto.conf")
                try Data((configuration.joined(separator: "\n") + "\n").utf8).write(to: file)
                let broker = Broker(port: port, ports, try RunningCommand(program, ["-c", file.path]), folder)
                if try await broker.isReady() { return broker }
                lastWords = await broker.process.outcome().errors
            }
            throw BrokerDidNotStart(lastWords: lastWords)
        }

        /// Whether it is up; `false` when it has ended.
        private func isReady() async throws -> Bool {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await self.waitUntilReady()
                    return true
                }
                group.addTask {
                    await self.process.ended()
                    return false
                }
                defer { group.cancelAll() }
                return try await group.next() ?? false
            }
        }

        private func stop() {
            self.process.send(SIGKILL)
            try? FileManager.default.removeItem(at: self.folder)
        }

        /// It is when it answers a CONNECT, in whatever way.
        private func waitUntilReady() async throws {
            var configuration = MQTTConfiguration(server: .mqtt("127.0.0.1", port: self.port))
            configuration.reconnect.floor = .milliseconds(5)
            configuration.reconnect.base = .milliseconds(5)
            configuration.reconnect.cap = .milliseconds(20)
            let client = try MQTTClient(configuration)
            do {
                try await client.connectWithRetries()
            } catch {
                guard error.code == .connectionRefused else { throw error }
            }
            await client.disconnect()
        }

        /// Where the system finds a program; also where Debian hides those of servers.
        static func program(_ name: String) -> URL? {
            let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
            return (path.split(separator: ":") + ["/usr/sbin", "/usr/local/sbin"])
                .map { URL(filePath: String($0)).appending(path: name) }
                .first { FileManager.default.isExecutableFile(atPath: $0.path) }
        }

        /// A port that nobody listens at.
        static func freePort() async throws -> Int {
            let listener = try await SocketListener.bind(host: "127.0.0.1", port: 0) { _ in DeafHandler() }
            await listener.close()
            return listener.port
        }
    }

    private final class DeafHandler: LinkHandler {
        func linkRead(_ bytes: ByteBuffer) {}
        func linkReadCompleted() {}
        func linkWritabilityChanged(_ isWritable: Bool) {}
        func linkClosed(_ error: TransportError?) {}
    }

    struct BrokerDidNotStart: Error, CustomStringConvertible {
        let lastWords: String
        var description: String { "mosquitto ended at once, ten times: \(self.lastWords)" }
    }

    struct MissingBroker: Error, CustomStringConvertible {
        let description = "There is no mosquitto on this machine, and CURLEW_REQUIRE_PEERS demands one."
    }

    extension Trait where Self == ConditionTrait {
        static var needsBroker: Self {
            .disabled(if: Broker.isMissing, "There is no mosquitto on this machine; scripts/test installs it.")
        }
    }
#endif
