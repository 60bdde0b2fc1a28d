#if Tools
import Curlew

/// A lost connection, and what was reported about it.
struct Outage {
    /// The number of connections in a row that may end because the broker violates the protocol. If it does so every
    /// time, reconnecting is pointless.
    private static let maximumViolations = 5

    /// Whether the connection is lost.
    private(set) var isUnderWay = false
    private var violations = 0
    private var said: String?

    /// The connection was lost. Returns whether to reconnect.
    mutating func began(_ error: MQTTError) -> Bool {
        self.isUnderWay = true
        self.violations = error.code == .protocolViolation ? self.violations + 1 : 0
        return self.violations < Self.maximumViolations
    }

    /// The client reconnects because of this error. Returns what to report; `nil` if that was reported before.
    mutating func news(of error: MQTTError) -> String? {
        guard self.isUnderWay, self.said != error.sentence else { return nil }
        defer { self.said = error.sentence }
        return self.said == nil
            ? "The connection was lost; reconnecting: \(error.sentence)" : "Still reconnecting: \(error.sentence)"
    }

    /// The client is connected. Returns whether it was disconnected before.
    mutating func ended() -> Bool {
        defer {
            self.isUnderWay = false
            self.said = nil
        }
        return self.isUnderWay
    }
}
#endif
