import CurlewCore
import CurlewTransport
import Synchronization

/// The memory that the broker holds for all clients, in bytes: messages, each counted once, and everything else of
/// sessions and connections. ``MemoryShares`` decides how much of it a client may hold.
final class MemoryBudget: MessageLedger {
    let shares: MemoryShares
    /// Messages that are queued, in flight or retained.
    private let messages = Atomic<Int>(0)
    /// Sessions, connections, and the names, filters and wills of clients.
    private let others = Atomic<Int>(0)

    /// How often the largest holders were determined since the last tick.
    private let reclaims = Atomic<Int>(0)
    /// What connections that were told to close since the last tick will give back.
    private let expected = Atomic<Int>(0)
    private let period = Atomic<Int>(0)

    init(limit: Int) { self.shares = MemoryShares(limit: limit) }

    /// What all hold together.
    var held: Int { self.messages.value + self.others.value }

    /// What the messages take.
    var messageBytes: Int { self.messages.value }

    /// What all will hold together once the connections that were told to close have closed.
    private var heldSoon: Int { self.held - max(0, self.expected.value) }

    /// Whether the largest holders should give something back.
    var isFull: Bool { self.shares.isFull(held: self.heldSoon) }

    /// Whether there is no room at all.
    var isExceeded: Bool { self.heldSoon > self.shares.limit }

    /// How much they should give back.
    var excess: Int { self.shares.excess(held: self.heldSoon) }

    /// Whether connections that were told to close will give something back.
    var isExpectingSome: Bool { self.expected.value > 0 }

    /// A connection is told to close, and will give back so much. Until then, no other client has to make room for it.
    func expects(_ byteCount: Int) -> Expectation {
        let period = self.period.value
        self.expected.count(byteCount)
        return Expectation(byteCount: byteCount, period: period)
    }

    /// The connection is closed.
    func fulfilled(_ expectation: Expectation) {
        if expectation.period == self.period.value { self.expected.count(-expectation.byteCount) }
    }

    /// What a connection that was told to close will give back.
    struct Expectation: Sendable {
        fileprivate let byteCount: Int
        fileprivate let period: Int
    }

    /// How much more a client may hold that holds so much.
    func room(holding: Int) -> Int { self.shares.room(holding: holding, held: self.held) }

    /// Whether the largest holders may be determined once more. This looks at all sessions, so it must not happen for
    /// each packet.
    func mayReclaim() -> Bool {
        self.reclaims.wrappingAdd(1, ordering: .relaxed).newValue <= Self.mostReclaims
    }

    /// A second has passed: connections that have not closed by now are counted again.
    func allowReclaims() {
        self.reclaims.store(0, ordering: .relaxed)
        self.period.count(1)
        self.expected.store(0, ordering: .relaxed)
    }

    private static let mostReclaims = 10

    func added(_ byteCount: Int) { self.messages.count(byteCount) }

    func removed(_ byteCount: Int) { self.messages.count(-byteCount) }

    /// What sessions and connections hold has changed by so much.
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
