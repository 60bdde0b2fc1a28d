#if Tools
import Logging
import Synchronization

/// Keeps what is logged before it is known where to, and passes it on from then.
final class EarlyLog: Sendable {
    private struct State {
        var target: Logger?
        var waiting: [(level: Logger.Level, message: Logger.Message)] = []
    }

    /// Guards what waits, and whom it waits for.
    private let state = Mutex(State())

    /// What to log with.
    var logger: Logger { Logger(label: "curlew.broker") { _ in Handler(log: self) } }

    /// From now on all goes there, and first what has waited.
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
