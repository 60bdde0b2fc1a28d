/// The order in which the members of a shared subscription are offered a message, until one accepts it (MQTT 5.0
/// section 4.8.2): in turn, and connected members first.
package struct SharedTurn: Sendable {
    /// At most so many absent members are skipped; after that, an absent one has to do.
    package static let mostProbes = 1024
    /// After so many members without room, the message is refused.
    package static let mostRefusals = 16

    private let memberCount: Int
    private let first: Int
    private var offered = 0
    private var refusals = 0

    /// - Parameters:
    ///   - memberCount: The number of members.
    ///   - turn: The number of the message; it decides which member is first.
    ///   - isConnected: Whether the member of that index is connected.
    package init(among memberCount: Int, turn: Int, isConnected: (Int) -> Bool) {
        self.memberCount = memberCount
        guard memberCount > 0 else {
            self.first = 0
            return
        }
        let first = Int(UInt(bitPattern: turn) % UInt(memberCount))
        let skipped = (0..<min(memberCount, Self.mostProbes)).first { isConnected((first + $0) % memberCount) }
        self.first = first + (skipped ?? 0)
    }

    /// The index of the member that is offered the message next; `nil` if there is none, or if enough have refused it.
    package mutating func next() -> Int? {
        guard self.offered < self.memberCount, self.refusals < Self.mostRefusals else { return nil }
        defer { self.offered += 1 }
        return (self.first + self.offered) % self.memberCount
    }

    /// The member has no room for the message.
    package mutating func refused() { self.refusals += 1 }
}
