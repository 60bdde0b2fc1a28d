import Synchronization

extension Atomic where Value == Int {
    /// Adds, without ordering anything else.
    borrowing func count(_ amount: Int = 1) { self.wrappingAdd(amount, ordering: .relaxed) }

    var value: Int { self.load(ordering: .relaxed) }
}
