#if Tools
import Logging

/// Writes the events of swift-log whose kind is enabled, one line each.
struct LineLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let kinds: Set<LogSettings.Kind>
    private let write: @Sendable (LogLine) -> Void

    /// - Parameter write: Called with each line.
    init(kinds: Set<LogSettings.Kind>, write: @escaping @Sendable (LogLine) -> Void) {
        self.kinds = kinds
        self.write = write
        // Messages of disabled levels are not even composed.
        self.logLevel = Logger.Level.allCases.first { $0 != .trace && kinds.contains($0.kind) } ?? .critical
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        guard self.kinds.contains(event.level.kind) else { return }
        var metadata = self.metadata
        if let provided = self.metadataProvider?.get() { metadata.merge(provided) { $1 } }
        if let own = event.metadata { metadata.merge(own) { $1 } }
        if let error = event.error { metadata["error"] = "\(error)" }
        self.write(
            LogLine(
                time: .now, level: event.level, message: "\(event.message)",
                metadata: metadata.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }))
    }
}
#endif
