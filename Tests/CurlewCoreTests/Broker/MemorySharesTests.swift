import CurlewCore
import Testing

@Suite("Memory shares")
struct MemorySharesTests {
    private let shares = MemoryShares(limit: 1 << 30)

    @Test("A single client may hold half of the memory and leaves the other half free")
    func half() {
        let half = 1 << 29
        #expect(self.shares.room(holding: half - 1, held: half - 1) == 1)
        #expect(self.shares.room(holding: half, held: half) == 0)
        #expect(self.shares.room(holding: 0, held: half) == half / 2)
    }

    @Test("If many clients hold much, those that hold little are still served")
    func newcomer() {
        let held = (1 << 30) - 1000
        #expect(self.shares.room(holding: 100_000, held: held) == 0)
        #expect(self.shares.room(holding: 0, held: held) == self.shares.floor)
        #expect(self.shares.room(holding: self.shares.floor, held: held) == 0)
    }

    @Test("Clients below the floor may exceed the limit by a sixteenth, but no more")
    func overdraft() {
        #expect(self.shares.room(holding: 0, held: 1 << 30) == self.shares.floor)
        #expect(self.shares.room(holding: 0, held: (1 << 30) + (1 << 26)) == 0)
    }

    @Test("When less than an eighth is free, enough is reclaimed for a quarter to be free")
    func excess() {
        #expect(!self.shares.isFull(held: 7 << 27))
        #expect(self.shares.isFull(held: (7 << 27) + 1))
        #expect(self.shares.excess(held: 1 << 30) == 1 << 28)
        #expect(self.shares.excess(held: 1 << 20) == 0)
    }

    @Test("Without a limit, there is room for everything", arguments: [Int.max, Int.max / 2])
    func unlimited(limit: Int) {
        let shares = MemoryShares(limit: limit)
        #expect(shares.room(holding: 1 << 40, held: 1 << 50) > 1 << 50)
        #expect(!shares.isFull(held: 1 << 50))
    }

    @Test("A limit of zero or less leaves no room", arguments: [0, -1])
    func nothing(limit: Int) {
        #expect(MemoryShares(limit: limit).room(holding: 0, held: 1) == 0)
    }
}
