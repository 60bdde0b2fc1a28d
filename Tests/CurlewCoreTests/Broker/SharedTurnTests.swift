import CurlewCore
import Testing

@Suite("Turn of a shared subscription")
struct SharedTurnTests {
    /// The members that are offered the message, if all refuse it.
    private func order(_ count: Int, turn: Int, connected: Set<Int>? = nil, refusing: Bool = false) -> [Int] {
        var turn = SharedTurn(among: count, turn: turn) { connected?.contains($0) ?? true }
        var order: [Int] = []
        while let member = turn.next() {
            order.append(member)
            if refusing { turn.refused() }
        }
        return order
    }

    @Test("Each message begins with the next member, and then asks all others")
    func turns() {
        #expect(self.order(3, turn: 0) == [0, 1, 2])
        #expect(self.order(3, turn: 1) == [1, 2, 0])
        #expect(self.order(3, turn: 3) == [0, 1, 2])
        #expect(self.order(3, turn: -1).count == 3)
    }

    @Test("Connected members come before absent ones")
    func connected() {
        #expect(self.order(4, turn: 1, connected: [3]) == [3, 0, 1, 2])
        #expect(self.order(3, turn: 2, connected: []) == [2, 0, 1])
    }

    @Test("The search for a connected member ends after a while")
    func probes() {
        #expect(self.order(5000, turn: 0, connected: [4999]).first == 0)
        #expect(self.order(5000, turn: 0, connected: [SharedTurn.mostProbes - 1]).first == SharedTurn.mostProbes - 1)
    }

    @Test("After enough refusals, no other member is asked")
    func refusals() {
        #expect(self.order(100, turn: 7, refusing: true) == Array(7..<(7 + SharedTurn.mostRefusals)))
        #expect(self.order(2, turn: 1, refusing: true) == [1, 0])
    }

    @Test("A group without members offers the message to nobody")
    func empty() { #expect(self.order(0, turn: 5) == []) }
}
