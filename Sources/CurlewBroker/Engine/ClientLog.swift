import CurlewCore
import CurlewTransport
import Logging
import Synchronization

/// Log lines that clients cause. Strangers can cause them as fast as they can connect, so only some lines of each kind
/// are written, and the rest are counted.
final class ClientLog: Sendable {
    enum Kind: String, CaseIterable, Sendable {
        case tooManyConnections = "connection refused: connection limit reached"
        case noConnect = "connection closed: the first packet is not CONNECT"
        case notMQTT = "connection closed: the data is not MQTT"
        case tooLate = "connection closed: no CONNECT in time"
        case refused = "client refused"
        case closed = "connection closed by the broker"
        case foreign = "connection closed: the client uses another protocol"
        case authenticatorFailed = "an authenticator failed"
        case authenticationFailed = "an authentication failed"
        case willLeftOut = "a will was ignored: the client may not publish below $SYS"
        case sessionReplaced = "a session was ended: another user has connected with its client identifier"
        case retainedFull = "a retained message was not kept: the limit is reached"
        case storedRetainedFull = "a stored retained message was dropped: the limit is reached"

        var level: Logger.Level {
            switch self {
            case .authenticatorFailed, .authenticationFailed: .error
            case .tooManyConnections, .retainedFull, .storedRetainedFull: .warning
            case .willLeftOut, .sessionReplaced: .notice
            case .noConnect, .notMQTT, .foreign, .tooLate, .refused, .closed: .info
            }
        }
    }

    private let logger: Logger
    private let clock: MonotonicClock
    /// Guards how many lines of each kind were written.
    private let throttles: Mutex<[Kind: LogThrottle]>

    init(_ logger: Logger, clock: MonotonicClock) {
        self.logger = logger
        self.clock = clock
        let now = clock.now()
        self.throttles = Mutex(
            Dictionary(uniqueKeysWithValues: Kind.allCases.map { ($0, LogThrottle(now: now)) }))
    }

    /// Whether details that identify a client may be logged in addition to its address: identifiers, user names and
    /// topics.
    var isDetailed: Bool { self.logger.logLevel <= .debug }

    /// Writes a line, unless there were many of its kind.
    ///
    /// - Parameter text: The text of the line. Default: that of the kind.
    func write(
        _ kind: Kind, saying text: @autoclosure () -> String? = nil, _ metadata: @autoclosure () -> Logger.Metadata
    ) {
        guard self.logger.logLevel <= kind.level else { return }
        let now = self.clock.now()
        guard self.throttles.withLock({ $0[kind]?.admits(now: now) ?? true }) else { return }
        self.logger.log(level: kind.level, "\(text() ?? kind.rawValue)", metadata: metadata())
    }

    /// Logs how many lines were suppressed; called once a second.
    func sayLeftOut() {
        for kind in Kind.allCases {
            let count = self.throttles.withLock { $0[kind]?.takeLeftOut() ?? 0 }
            guard count > 0 else { continue }
            self.logger.log(
                level: kind.level, "similar lines were suppressed",
                metadata: ["line": "\(kind.rawValue)", "count": "\(count)"])
        }
    }
}
