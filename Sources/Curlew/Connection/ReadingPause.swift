/// Why the connection of a client is not read for a while.
struct ReadingPause: OptionSet {
    let rawValue: UInt8

    /// The server makes us answer more than it takes.
    static let answers = Self(rawValue: 1)
    /// A consumer has more than it can deal with.
    static let consumer = Self(rawValue: 2)
}
