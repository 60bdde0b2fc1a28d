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

    func log(
        level: Logger.Level, message: Logger.Message, metadata: Logger.Metadata?, source: String, file: String,
        function: String, line: UInt
    ) {
        if level == .warning { self.lines.withLock { $0.append(message.description) } }
    }
}
