#if Tools
import Logging
import Synchronization

/// Keeps log lines until the destination of the log is known, then forwards them and all later ones.
final class EarlyLog: Sendable {
    private struct State {
        var target: Logger?
        var waiting: [(level: Logger.Level, message: Logger.Message)] = []
    }

    /// Guards the waiting lines and their destination.
    private let state = Mutex(State())

    /// The logger to use until then.
    var logger: Logger { Logger(label: "curlew.broker") { _ in Handler(log: self) } }

    /// Forwards the waiting lines, and all later ones, to a logger.
    func attach(_ target: Logger) {
        let waiting = self.state.withLock { state in
            state.target = target
            return state.waiting
        }
        for (level, message) in waiting { target.log(level: level, message) }
    }

    private func log(_ level: Logger.Level, _ message: Logger.Message) {
        let target = self.state.withLock { state in
            if state.target == nil { state.waiting.append((level, message)) }
            return state.target
        }
        target?.log(level: level, message)
    }

    private struct Handler: LogHandler {
        let log: EarlyLog
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]

        init(log: EarlyLog) { self.log = log }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) { self.log.log(event.level, event.message) }
    }
}
#endif
