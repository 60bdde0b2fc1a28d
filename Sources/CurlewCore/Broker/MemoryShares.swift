/// How much of the broker's memory one client may hold, depending on the total that all clients hold.
///
/// A client may hold as much as remains free after that, and always ``floor``. The largest holders are refused first,
/// and something always remains for the small ones: a single greedy client gets half of the memory, and n of them get a
/// share of 1/(n + 1) each.
package struct MemoryShares: Sendable, Equatable {
    /// How much all clients together may hold, in bytes.
    package let limit: Int
    /// How much a client may hold even when memory is full, until the largest holders have been made to free some.
    package let floor: Int

    /// - Parameter limit: In bytes; `Int.max` for no limit.
    package init(limit: Int) {
        // So that sums never overflow.
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
        // Up to the floor, the limit may be exceeded briefly: the largest holder has to compensate for it.
        guard free + self.overdraft > 0 else { return 0 }
        return max(0, self.floor - holding, (free - holding) / 2)
    }

    /// Whether so little is left that the largest holders must free something. Otherwise, successive greedy clients
    /// would leave less and less.
    package func isFull(held: Int) -> Bool { held > self.limit - self.limit / 8 }

    /// How much the largest holders then free: enough that they need not be searched for again immediately.
    package func excess(held: Int) -> Int { max(0, held - (self.limit - self.limit / 4)) }

    /// By how much the limit may be exceeded for clients below the floor.
    private var overdraft: Int { self.limit / 16 }
}
