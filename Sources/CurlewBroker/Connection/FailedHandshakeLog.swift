import CurlewCore
import CurlewTransport
import Logging
import Synchronization

/// Logs why handshakes of TLS, WebSocket and the PROXY protocol fail.
///
/// Anyone can cause as many failures as the network carries, so lines beyond a budget are counted and not written.
final class FailedHandshakeLog: Sendable {
    private struct State {
        var limit: RateLimit
        /// The number of failures that were not logged since the last line.
        var untold = 0
    }

    private let listener: String
    private let logger: Logger
    /// Guards the budget.
    private let state: Mutex<State>

    /// How many lines may be written at once; after that, one per second.
    static let burst = 20

    init(listener: String, logger: Logger, now: Timestamp) {
        self.listener = listener
        self.logger = logger
        self.state = Mutex(State(limit: RateLimit(perSecond: 1, burst: Self.burst, now: now)))
    }

    func note(_ failure: FailedHandshake, now: Timestamp) {
        let level = failure.isAbandoned ? Logger.Level.debug : .info
        guard self.logger.logLevel <= level else { return }
        let untold: Int? = self.state.withLock { state in
            guard state.limit.takeIfAllowed(1, now: now) else {
                state.untold += 1
                return nil
            }
            defer { state.untold = 0 }
            return state.untold
        }
        guard let untold else { return }
        var metadata: Logger.Metadata = [
            "address": "\(failure.peer)", "listener": "\(self.listener)", "reason": "\(failure.error.message)",
        ]
        if untold > 0 { metadata["suppressed"] = "\(untold)" }
        // Names of clients are logged only at debug level.
        if let name = failure.certificateName, self.logger.logLevel <= .debug { metadata["certificate"] = "\(name)" }
        self.logger.log(level: level, "\(failure.layer) handshake failed", metadata: metadata)
    }
}
