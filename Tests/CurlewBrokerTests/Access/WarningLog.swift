import CurlewTransport
import Logging
import Synchronization

/// A log handler that keeps warnings. It has its own file because the broker defines its own `Mutex` in some builds.
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
