/// What a rule says about the topics of its filter.
struct AccessRights: OptionSet, Sendable, Hashable {
    let rawValue: UInt8

    /// Messages of these topics may be received.
    static let read = Self(rawValue: 1)
    /// Messages may be published to these topics.
    static let write = Self(rawValue: 2)
    /// Neither, whatever the rules beside it say.
    static let deny = Self(rawValue: 4)
}
