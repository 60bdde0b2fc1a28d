import CurlewCore
import CurlewTesting
import CurlewTransport
import Logging
import NIOCore
import Synchronization
import Testing

@testable import CurlewBroker

@Suite("Log lines about clients", .timeLimit(.minutes(1)))
struct ClientLogTests {
    @Test("Log lines about a flood of malformed connections are limited, and the omitted ones counted")
    func flood() async throws {
        let clock = TestClock()
        let lines = LogRecord(level: .info)
        try await withPeers(logger: lines.logger) {
            $0.clock = MonotonicClock(clock)
        } _: { peers in
            for _ in 0..<300 {
                let stranger = try await peers.open()
                stranger.send(ByteBuffer(bytes: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF]))
                _ = try await stranger.receiveEnd()
            }
            #expect(lines.count("the data is not MQTT") <= 102)
            for _ in 0..<3 { try await clock.advanceToSleeper(within: .seconds(1)) }
            let text = await lines.first("similar lines were suppressed")
            #expect(text.contains("count="))
        }
    }

    @Test("Log lines about clients of another protocol and about failing authenticators are limited")
    func otherFloods() async throws {
        struct Failing: MQTTBrokerAuthenticator {
            func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision {
                throw CancellationError()
            }
        }
        let lines = LogRecord(level: .info)
        try await withPeers(logger: lines.logger) {
            $0.clock = MonotonicClock(TestClock())
            $0.authenticators = [Failing()]
        } _: { peers in
            for _ in 0..<300 {
                let stranger = try await peers.open()
                try await stranger.send(.connect(Connect(clientIdentifier: "a", username: "u")))
                _ = try await stranger.receiveEnd()
            }
            #expect((1...100).contains(lines.count("an authenticator failed")))
            for _ in 0..<300 {
                let stranger = try await peers.open()
                stranger.send(ByteBuffer(string: "SSH-2.0-OpenSSH_9.6\r\n"))
                _ = try await stranger.receiveEnd()
            }
            #expect((1...100).contains(lines.count("the client speaks SSH, and this port MQTT")))
        }
    }

    @Test(
        "Client identifiers and user names are logged only at the debug level", arguments: [Logger.Level.info, .debug])
    func names(level: Logger.Level) async throws {
        struct Deny: MQTTBrokerAuthenticator {
            func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision {
                attempt.client.identifier == "friend" ? .allow : .deny(.badUserNameOrPassword)
            }
        }
        let lines = LogRecord(level: level)
        try await withPeers(logger: lines.logger) {
            $0.authenticators = [Deny()]
        } _: { peers in
            let stranger = try await peers.open()
            try await stranger.send(
                .connect(
                    Connect(clientIdentifier: "secret-device", username: "alice", password: MQTTPassword("x"))))
            _ = try await stranger.receiveEnd()
            let friend = try await peers.connect("friend")
            friend.send(ByteBuffer(bytes: [0xFF, 0xFF]))
            _ = try await friend.receiveEnd()
            #expect(lines.all.contains { $0.contains("client refused") })
            #expect(lines.all.contains { $0.contains("connection closed by the broker") })
            for name in ["secret-device", "alice", "friend"] {
                #expect(lines.all.contains { $0.contains(name) } == (level == .debug), "\(name)")
            }
        }
    }

    @Test("A disconnected client's authentication is cancelled, and no authenticator failure is logged")
    func gone() async throws {
        let (lines, slow) = (LogRecord(level: .debug), Slow())
        try await withPeers(logger: lines.logger) {
            $0.authenticators = [slow]
        } _: { peers in
            let peer = try await peers.open()
            try await peer.send(.connect(Connect(clientIdentifier: "a")))
            await slow.hasBegun()
            peer.close()
            await slow.wasCancelled()
            let other = try await peers.open()
            other.close()
            #expect(!lines.all.contains { $0.contains("an authenticator failed") })
        }
    }

    /// Never decides.
    private final class Slow: MQTTBrokerAuthenticator {
        private let begun = AsyncStream.makeStream(of: Void.self)
        private let cancelled = AsyncStream.makeStream(of: Void.self)

        func hasBegun() async { for await _ in self.begun.stream {} }
        func wasCancelled() async { for await _ in self.cancelled.stream {} }

        func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision {
            self.begun.continuation.finish()
            defer { self.cancelled.continuation.finish() }
            try await Task.sleep(for: .seconds(3600))
            return .allow
        }
    }
}

/// A log that keeps its lines with their metadata.
private final class LogRecord: Sendable {
    private let lines = Mutex<[String]>([])
    private let level: Logger.Level

    init(level: Logger.Level) { self.level = level }

    var all: [String] { self.lines.withLock { $0 } }

    /// The number of lines that contain this text.
    func count(_ text: String) -> Int { self.all.count { $0.contains(text) } }

    /// The first line that contains this text; waits for it.
    func first(_ text: String) async -> String {
        while true {
            if let line = self.all.first(where: { $0.contains(text) }) { return line }
            await Task.yield()
        }
    }

    var logger: Logger { Logger(label: "test") { _ in Handler(lines: self, logLevel: self.level) } }

    private struct Handler: LogHandler {
        let lines: LogRecord
        var logLevel: Logger.Level
        var metadata: Logger.Metadata = [:]

        init(lines: LogRecord, logLevel: Logger.Level) {
            self.lines = lines
            self.logLevel = logLevel
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let values = (event.metadata ?? [:]).map { "\($0.key)=\($0.value)" }.joined(separator: " ")
            self.lines.lines.withLock { $0.append("\(event.message) \(values)") }
        }
    }
}
