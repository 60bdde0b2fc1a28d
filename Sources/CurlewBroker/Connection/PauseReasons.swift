/// Why nothing is read from a client. Several reasons may hold at once; reading resumes when none is left.
struct PauseReasons: OptionSet, Sendable {
    let rawValue: UInt8

    /// The client is being authenticated, or waits for its session.
    static let connecting = Self(rawValue: 1 << 0)
    /// The client has sent more than its rate limits allow.
    static let rate = Self(rawValue: 1 << 1)
    /// The store is behind.
    static let store = Self(rawValue: 1 << 2)
    /// Answers do not leave.
    static let answers = Self(rawValue: 1 << 3)
    /// What was read is not processed yet: other connections have their turn first.
    static let turn = Self(rawValue: 1 << 4)
    /// As much of what the client has published as may waits for its receivers.
    static let receivers = Self(rawValue: 1 << 5)
}
