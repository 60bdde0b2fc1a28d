/// What happens to a session once its connection has ended: when its will is published, and when it ends itself (MQTT
/// 5.0 sections 3.1.2.5, 3.1.2.11.2 and 3.1.3.2.2).
package struct Departure: Equatable, Sendable {
    /// When the will is published.
    package enum Will: Equatable, Sendable {
        /// There is none, or the end of the session publishes it.
        case none
        case now
        case after(Duration)
    }

    /// When the session ends. Its end publishes a will that is still due [MQTT-3.1.3-9].
    package enum End: Equatable, Sendable {
        case now
        case after(Duration)
        case never
    }

    package let will: Will
    package let end: End

    /// - Parameters:
    ///   - expiry: When the session expires.
    ///   - willDelay: The Will Delay Interval; `nil` if there is no will.
    ///   - elapsed: How long ago the connection ended: more than zero after a restart of the broker.
    package init(expiry: SessionExpiry, willDelay: Duration?, elapsed: Duration = .zero) {
        self.end =
            switch expiry {
            case .atDisconnect: .now
            case .after(let seconds):
                Duration.seconds(Int64(seconds)) > elapsed ? .after(.seconds(Int64(seconds)) - elapsed) : .now
            case .never: .never
            }
        self.will =
            if let willDelay, self.end != .now { willDelay > elapsed ? .after(willDelay - elapsed) : .now } else {
                .none
            }
    }
}
