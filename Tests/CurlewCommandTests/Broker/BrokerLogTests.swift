#if Tools
import CurlewBroker
import Foundation
import Logging
import Synchronization
import Testing

@testable import CurlewCommand

@Suite("The broker's log")
struct BrokerLogTests {
    private static func line(_ message: String, _ metadata: [(key: String, value: String)] = []) -> LogLine {
        LogLine(
            time: Moment(seconds: 0, nanoseconds: 7_000_000), level: .info, message: message, metadata: metadata)
    }

    @Test("A line has time, level, message and metadata")
    func form() {
        let line = Self.line(
            "connected", [("client", "a"), ("empty", ""), ("said", "b c=\"d\\"), ("topic", "a\nb\u{1B}[31m")])
        let text = String(decoding: line.bytes(hasColour: false), as: UTF8.self)
        #expect(
            text.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.007[+-]\d{4} info connected .*\n/) != nil,
            "\(text)")
        #expect(
            text.hasSuffix(
                #" connected client=a empty="" said="b c=\"d\\" topic="a\\u{A}b\\u{1B}[31m""# + "\n"), "\(text)")
        let coloured = String(decoding: line.bytes(hasColour: true), as: UTF8.self)
        #expect(coloured.contains(" \u{1B}[32minfo\u{1B}[0m connected "))
    }

    /// The output of a logger of these kinds when each level is used once.
    private func levels(_ kinds: Set<LogSettings.Kind>) -> [Logger.Level] {
        let sink = Written()
        let logger = Logger(label: "test") { _ in LineLogHandler(kinds: kinds) { sink.add($0) } }
        for level in Logger.Level.allCases { logger.log(level: level, "x") }
        return sink.lines.map(\.level)
    }

    @Test("Only the enabled kinds of swift-log's events are written")
    func kinds() {
        #expect(self.levels(LogSettings().kinds) == [.info, .notice, .warning, .error, .critical])
        #expect(self.levels([.error]) == [.error, .critical])
        #expect(self.levels([.information, .error]) == [.info, .error, .critical])
        #expect(self.levels([.debug]) == [.debug])
        #expect(self.levels([.subscribe]) == [])
        #expect(self.levels([]) == [])
    }

    @Test("The metadata of logger and event are merged")
    func metadata() {
        let sink = Written()
        var logger = Logger(label: "test") { _ in LineLogHandler(kinds: [.error]) { sink.add($0) } }
        logger[metadataKey: "b"] = "1"
        logger[metadataKey: "c"] = "2"
        logger.error("failed", error: SystemError.brokenPipe, metadata: ["a": "0", "c": "3"])
        #expect(sink.lines.map { $0.metadata.map(\.key) } == [["a", "b", "c", "error"]])
        #expect(sink.lines.first?.metadata.map(\.value) == ["0", "1", "3", "Broken pipe"])
    }

    @Test("Subscriptions are logged if the settings ask for it")
    func subscriptions() throws {
        let sink = Written()
        let client = MQTTBrokerClient(identifier: "c", username: "u")
        let events: [MQTTBrokerEvent] = [
            .subscribed(client, try TopicFilter("a/#"), SubscriptionOptions(qos: .atLeastOnce)),
            .unsubscribed(client, try TopicFilter("a/#")),
        ]
        #expect(SubscriptionLog(kinds: [.debug]) { sink.add($0) } == nil)
        let both = try #require(SubscriptionLog(kinds: [.subscribe, .unsubscribe]) { sink.add($0) })
        #expect(both.interests == .subscriptions)
        for event in events { both.observe(event) }
        #expect(sink.lines.map(\.message) == ["subscribed", "unsubscribed"])
        #expect(
            sink.lines[0].metadata.map { "\($0.key)=\($0.value)" } == [
                "client=c", "filter=a/#", "qos=1", "username=u",
            ])
        let one = try #require(SubscriptionLog(kinds: [.unsubscribe]) { sink.add($0) })
        for event in events { one.observe(event) }
        #expect(sink.lines.map(\.message) == ["subscribed", "unsubscribed", "unsubscribed"])
    }

    @Test("A log file is appended to, and reopened after it was moved")
    func file() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "log").path
        let moved = folder.appending(path: "moved").path
        try "before\n".write(toFile: path, atomically: false, encoding: .utf8)
        let sink = try LogSink([.file(path)], hasColour: true)
        sink.write(Self.line("one"))
        await sink.finish(within: .seconds(60))
        try FileManager.default.moveItem(atPath: path, toPath: moved)
        sink.write(Self.line("two"))
        try sink.reopen()
        sink.write(Self.line("three"))
        await sink.finish(within: .seconds(60))
        func messages(_ path: String) throws -> [String] {
            try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
                String($0.split(separator: " ").last ?? "")
            }
        }
        #expect(try messages(moved) == ["before", "one", "two"])
        #expect(try messages(path) == ["three"])
    }

    @Test("A log file that cannot be written is reported in one sentence")
    func noFile() {
        let failure = #expect(throws: CommandFailure.self) { try LogSink([.file("/nowhere/log")], hasColour: false) }
        #expect(failure?.message == "The log file '/nowhere/log' cannot be written: No such file or directory.")
    }
}

/// The log lines that were written.
final class Written: Sendable {
    private let state = Mutex<[LogLine]>([])

    var lines: [LogLine] { self.state.withLock { $0 } }

    func add(_ line: LogLine) { self.state.withLock { $0.append(line) } }
}
#endif
