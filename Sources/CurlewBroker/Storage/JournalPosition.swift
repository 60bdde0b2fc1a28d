/// A place in the journal. A peer may be told of a change once the journal is committed up to the position of that
/// change.
struct JournalPosition: Comparable, Sendable {
    /// Counts changes from 1 on.
    let number: UInt64

    init(_ number: UInt64) { self.number = number }

    /// Before the first change: there is nothing to wait for.
    static let none = Self(0)

    static func < (left: Self, right: Self) -> Bool { left.number < right.number }

    /// Becomes the later of both positions.
    mutating func advance(to other: Self) { if other > self { self = other } }
}
