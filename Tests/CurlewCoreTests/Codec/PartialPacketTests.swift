import CurlewCore
import Testing

private func at(_ seconds: Int) -> Timestamp { .start + .seconds(seconds) }

@Suite("Partial packet")
struct PartialPacketTests {
    private var partial = PartialPacket(patience: .seconds(30))

    @Test("A packet must be completed within the patience")
    func overdue() {
        var partial = self.partial
        partial.received(waiting: 1, hasNewBeginning: true, now: at(0))
        #expect(!partial.isOverdue(now: at(30), rested: at(0)))
        #expect(partial.isOverdue(now: at(31), rested: at(0)))
    }

    @Test("Single bytes do not extend the time, but each 4 KiB adds a second")
    func drip() {
        var partial = self.partial
        partial.received(waiting: 1, hasNewBeginning: true, now: at(0))
        partial.received(waiting: 8192, hasNewBeginning: false, now: at(29))
        #expect(!partial.isOverdue(now: at(32), rested: at(0)))
        #expect(partial.isOverdue(now: at(33), rested: at(0)))
    }

    @Test("The next packet has its own time, and without a packet nothing is overdue")
    func others() {
        var partial = self.partial
        #expect(!partial.isOverdue(now: at(100), rested: at(0)))
        partial.received(waiting: 1, hasNewBeginning: true, now: at(0))
        partial.received(waiting: 1, hasNewBeginning: true, now: at(30))
        #expect(!partial.isOverdue(now: at(60), rested: at(0)))
        partial.received(waiting: 0, hasNewBeginning: true, now: at(61))
        #expect(!partial.isOverdue(now: at(200), rested: at(0)))
    }

    @Test("Time in which the peer is not read does not count")
    func rested() {
        var partial = self.partial
        partial.received(waiting: 1, hasNewBeginning: true, now: at(0))
        #expect(!partial.isOverdue(now: at(120), rested: at(90)))
        #expect(partial.isOverdue(now: at(121), rested: at(90)))
    }
}
