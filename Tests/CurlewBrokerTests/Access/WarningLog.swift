import Logging
import Synchronization

/// A log that keeps warnings. In a file of its own, for the broker has a mutex of its own in some builds.
final class WarningLog: LogHandler, Sendable {
    private let lines = Mutex<[String]>([])

    var warnings: [String] { self.lines.withLock { $0 } }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }

    func log(event: LogEvent) {
        if event.level == .warning { self.lines.withLock { $0.append(event.message.description) } }
    }
}
