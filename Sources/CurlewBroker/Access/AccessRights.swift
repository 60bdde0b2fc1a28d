/// The rights that a rule states for the topics of its filter.
struct AccessRights: OptionSet, Sendable, Hashable {
    let rawValue: UInt8

    /// Messages of these topics may be received.
    static let read = Self(rawValue: 1)
    /// Messages may be published to these topics.
    static let write = Self(rawValue: 2)
    /// Neither is allowed, even if other rules allow it.
    static let deny = Self(rawValue: 4)
}
