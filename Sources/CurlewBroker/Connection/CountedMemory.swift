/// The part of the broker's ``MemoryBudget`` that one connection has taken.
struct CountedMemory {
    /// How much is counted.
    private(set) var byteCount = 0
    /// Whether the connection may hold more or less by now.
    var isOutdated = true
    /// How much memory is expected back, if the connection was told to close for that.
    var expectation: MemoryBudget.Expectation?

    /// The connection holds so much now.
    ///
    /// - Returns: How much more that is than was counted.
    mutating func update(to byteCount: Int) -> Int { byteCount - exchange(&self.byteCount, with: byteCount) }
}
