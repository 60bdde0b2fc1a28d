import Logging

/// A log handler whose lines a test can wait for.
struct LogLines: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level
    let lines: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation

    init(level: Logger.Level = .info) {
        self.logLevel = level
        (self.lines, self.continuation) = AsyncStream.makeStream()
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let details = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        self.continuation.yield("\(event.level) \(event.message)\(details)")
    }

    var logger: Logger { Logger(label: "test") { _ in self } }

    /// The next line that contains this text.
    func first(_ text: String) async -> String? {
        for await line in self.lines where line.contains(text) { return line }
        return nil
    }

    /// All lines so far; later lines are discarded.
    func all() async -> [String] {
        self.continuation.finish()
        return await self.lines.reduce(into: []) { $0.append($1) }
    }
}
