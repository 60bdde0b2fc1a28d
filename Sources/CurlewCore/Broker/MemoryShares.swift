/// How much of the broker's memory one client may hold, depending on how much all clients hold together.
///
/// A client may hold as much as is free after that, but always ``floor``. Who holds much is refused first, and what is left is always there for
/// those who hold little: a single greedy client gets half of the memory, and n of them get a share of 1/(n + 1) each.
package struct MemoryShares: Sendable, Equatable {
    /// How much all clients may hold together, in bytes.
    package let limit: Int
    /// How much a client may hold however full the memory is, until the largest holders have been made to give some back.
    package let floor: Int

    /// - Parameter limit: In bytes; `Int.max` for no limit.
    package init(limit: Int) {
        // So that sums of what is held never overflow.
        self.limit = min(max(0, limit), Int.max / 4)
        self.floor = max(4 << 10, min(64 << 10, self.limit / 1024))
    }

    /// How much more a client may hold.
    ///
    /// - Parameters:
    ///   - holding: What the client holds already.
    ///   - held: What all clients hold together.
    package func room(holding: Int, held: Int) -> Int {
        let free = self.limit - held
        // Up to the floor, the limit may be exceeded for a moment: whoever holds most has to make up for it.
        guard free + self.overdraft > 0 else { return 0 }
        return max(0, self.floor - holding, (free - holding) / 2)
    }

    /// Whether so little is left that the largest holders must give something back: one after another, greedy clients would else leave less and less.
    package func isFull(held: Int) -> Bool { held > self.limit - self.limit / 8 }

    /// How much the largest holders give back then: so much that they need not be looked for again at once.
    package func excess(held: Int) -> Int { max(0, held - (self.limit - self.limit / 4)) }

    /// By how much the limit may be exceeded for clients below the floor.
    private var overdraft: Int { self.limit / 16 }
}
