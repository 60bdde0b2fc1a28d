#if Tools
import Curlew

/// What a person has been told of a connection that is lost.
struct Outage {
    /// How many connections in a row may end because the server breaks the protocol: a server that does so each time would be
    /// asked for ever.
    private static let maximumViolations = 5

    /// Whether the connection is lost.
    private(set) var isUnderWay = false
    private var violations = 0
    private var said: String?

    /// The connection is lost. Returns whether to go on.
    mutating func began(_ error: MQTTError?) -> Bool {
        self.isUnderWay = true
        self.violations = error?.code == .protocolViolation ? self.violations + 1 : 0
        return self.violations < Self.maximumViolations
    }

    /// Another connection is to be made because of that error. Returns what to say; `nil` where it has been said.
    mutating func news(of error: MQTTError) -> String? {
        guard self.isUnderWay, self.said != error.sentence else { return nil }
        defer { self.said = error.sentence }
        return self.said == nil
            ? "The connection was lost; reconnecting: \(error.sentence)" : "Still reconnecting: \(error.sentence)"
    }

    /// There is a connection. Returns whether there was none.
    mutating func ended() -> Bool {
        defer {
            self.isUnderWay = false
            self.said = nil
        }
        return self.isUnderWay
    }
}
#endif
