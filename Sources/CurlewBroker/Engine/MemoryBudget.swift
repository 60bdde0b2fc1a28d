import CurlewCore
import CurlewTransport
import Synchronization

/// What all clients make the broker hold, in bytes: messages, each once however many wait for it, and what sessions and connections take
/// besides. Who may hold how much of it is decided by ``MemoryShares``.
final class MemoryBudget: MessageLedger {
    let shares: MemoryShares
    /// Messages that wait, are in flight, or are retained.
    private let messages = Atomic<Int>(0)
    /// What sessions, connections and their clients' names, filters and wills take.
    private let others = Atomic<Int>(0)

    /// How often the largest holders were looked for since the last tick.
    private let reclaims = Atomic<Int>(0)
    /// What will be given back by connections that were told to close since the last tick.
    private let expected = Atomic<Int>(0)
    private let period = Atomic<Int>(0)

    init(limit: Int) { self.shares = MemoryShares(limit: limit) }

    /// What all hold together.
    var held: Int { self.messages.value + self.others.value }

    /// What the messages take.
    var messageBytes: Int { self.messages.value }

    /// What all hold together when those have closed that were told to.
    private var heldSoon: Int { self.held - max(0, self.expected.value) }

    /// Whether the largest holders should give something back.
    var isFull: Bool { self.shares.isFull(held: self.heldSoon) }

    /// Whether there is no room at all.
    var isExceeded: Bool { self.heldSoon > self.shares.limit }

    /// How much they should give back.
    var excess: Int { self.shares.excess(held: self.heldSoon) }

    /// Whether something will be given back in a moment.
    var isExpectingSome: Bool { self.expected.value > 0 }

    /// A connection is told to close, with which so much is given back: nobody else pays for it meanwhile.
    func expects(_ byteCount: Int) -> Expectation {
        let period = self.period.value
        self.expected.count(byteCount)
        return Expectation(byteCount: byteCount, period: period)
    }

    /// The connection is closed.
    func fulfilled(_ expectation: Expectation) {
        if expectation.period == self.period.value { self.expected.count(-expectation.byteCount) }
    }

    /// What a connection that was told to close gives back.
    struct Expectation: Sendable {
        fileprivate let byteCount: Int
        fileprivate let period: Int
    }

    /// How much more may be held by who holds so much.
    func room(holding: Int) -> Int { self.shares.room(holding: holding, held: self.held) }

    /// Whether the largest holders may be looked for once more. To do so means to look at all sessions, and must not be what each packet costs.
    func mayReclaim() -> Bool {
        self.reclaims.wrappingAdd(1, ordering: .relaxed).newValue <= Self.mostReclaims
    }

    /// A second has passed: who has not closed by now is counted again.
    func allowReclaims() {
        self.reclaims.store(0, ordering: .relaxed)
        self.period.count(1)
        self.expected.store(0, ordering: .relaxed)
    }

    private static let mostReclaims = 10

    func added(_ byteCount: Int) { self.messages.count(byteCount) }

    func removed(_ byteCount: Int) { self.messages.count(-byteCount) }

    /// Sessions or connections hold so much more than before, or less.
    func changed(by byteCount: Int) { self.others.count(byteCount) }
}

extension MemoryBudget: HandshakeBudget {
    func take(_ byteCount: Int) -> Bool {
        guard self.room(holding: 0) >= byteCount else { return false }
        self.changed(by: byteCount)
        return true
    }

    func giveBack(_ byteCount: Int) { self.changed(by: -byteCount) }
}
