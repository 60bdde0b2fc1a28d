import CurlewCore
import CurlewTransport
import Logging
import Synchronization

/// Lines of the log that clients cause. Strangers can cause them as fast as they can connect, so of each kind only some are written, and the
/// others counted.
final class ClientLog: Sendable {
    enum Kind: String, CaseIterable, Sendable {
        case tooManyConnections = "connection refused: as many as allowed are open"
        case noConnect = "connection closed: its first packet is no CONNECT"
        case notMQTT = "connection closed: its bytes are no MQTT"
        case tooLate = "connection closed: it did not connect in time"
        case refused = "client refused"
        case closed = "connection closed by the broker"
        case foreign = "connection closed: its client speaks another protocol"
        case authenticatorFailed = "an authenticator failed"
        case authenticationFailed = "an authentication failed"
        case willLeftOut = "a will is left out: the client may not publish below $SYS"
        case sessionReplaced = "a session was ended: another user has connected with its client identifier"
        case retainedFull = "a retained message was not kept: the limit is reached"
        case storedRetainedFull = "a stored retained message is given up: the limit is reached"

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
    /// Guards how much of each kind was written.
    private let throttles: Mutex<[Kind: LogThrottle]>

    init(_ logger: Logger, clock: MonotonicClock) {
        self.logger = logger
        self.clock = clock
        let now = clock.now()
        self.throttles = Mutex(
            Dictionary(uniqueKeysWithValues: Kind.allCases.map { ($0, LogThrottle(now: now)) }))
    }

    /// Whether what tells one client from another, other than its address, may be written: identifiers, user names and topics.
    var isDetailed: Bool { self.logger.logLevel <= .debug }

    /// Writes a line, unless there were many of its kind.
    ///
    /// - Parameter text: What it says. Default: what all lines of that kind do.
    func write(
        _ kind: Kind, saying text: @autoclosure () -> String? = nil, _ metadata: @autoclosure () -> Logger.Metadata
    ) {
        guard self.logger.logLevel <= kind.level else { return }
        let now = self.clock.now()
        guard self.throttles.withLock({ $0[kind]?.admits(now: now) ?? true }) else { return }
        self.logger.log(level: kind.level, "\(text() ?? kind.rawValue)", metadata: metadata())
    }

    /// Says what was left out; called once a second.
    func sayLeftOut() {
        for kind in Kind.allCases {
            let count = self.throttles.withLock { $0[kind]?.takeLeftOut() ?? 0 }
            guard count > 0 else { continue }
            self.logger.log(
                level: kind.level, "similar lines were left out",
                metadata: ["line": "\(kind.rawValue)", "count": "\(count)"])
        }
    }
}
