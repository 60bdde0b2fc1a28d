import CurlewCore
import CurlewTransport
import Testing

@testable import Curlew

@Suite("Turns of calls to a device")
struct CallTurnTableTests {
    private func place(_ device: String) -> CallTurnTable.Place { .init(inbox: SubscriberID(1), device: device) }

    @Test("One call at a time for each device, in their order, and only so many wait")
    func turns() {
        var table = CallTurnTable()
        let (a, b) = (self.place("a"), self.place("b"))
        let entered = [a, b, a, a, a].map { table.enter($0, limit: 2) }
        #expect(entered == [.now, .now, .wait(1), .wait(2), .full])
        let left = (0..<3).map { _ in table.left(a) }
        #expect(left == [1, 2, nil])
        let again = table.enter(a, limit: 2)
        #expect(again == .now)
    }

    @Test("A call that stops waiting loses its place; not if its turn has come")
    func gaveUp() {
        var table = CallTurnTable()
        let a = self.place("a")
        let entered = (0..<3).map { _ in table.enter(a, limit: 9) }
        #expect(entered == [.now, .wait(1), .wait(2)])
        let waited = table.gaveUp(a, 1)
        #expect(waited)
        let next = table.left(a)
        #expect(next == 2)
        let waitedLonger = table.gaveUp(a, 2)
        #expect(!waitedLonger)
        let last = table.left(a)
        #expect(last == nil)
    }
}

@Suite("Memory of answers")
struct AnswerMemoryTests {
    private typealias Memory = AnswerMemory<String, String, Int>

    private func begin(
        _ memory: inout Memory, _ key: String, _ delivery: Int, at seconds: Int, isRepeated: Bool = true
    ) -> String {
        switch memory.begin(key, delivery, isRepeated: isRepeated, now: self.time(seconds)) {
        case .new: "new"
        case .separate: "separate"
        case .running(let earlier): earlier.map { "instead of \($0)" } ?? "running"
        case .answered(let answer): answer
        }
    }

    private func time(_ seconds: Int) -> Timestamp { .start + .seconds(seconds) }

    @Test("A request is handled once; later deliveries get the same answer, until it expires")
    func once() {
        var memory = Memory(limit: 10_000)
        let before = (1...3).map { self.begin(&memory, "a", $0, at: 0) }
        #expect(before == ["new", "running", "instead of 2"])
        let later = memory.ended("a", "yes", bytes: 3, until: self.time(9))
        #expect(later == 3)
        let after = [self.begin(&memory, "a", 3, at: 8), self.begin(&memory, "a", 4, at: 9)]
        #expect(after == ["yes", "new"])
        #expect(memory.bytes == 0)
    }

    @Test("A request that was given up is new again")
    func gaveUp() {
        var memory = Memory(limit: 10_000)
        _ = (1...2).map { self.begin(&memory, "a", $0, at: 0) }
        let later = memory.gaveUp("a")
        #expect(later == 2)
        let again = self.begin(&memory, "a", 3, at: 0)
        #expect(again == "new")
    }

    @Test("A caller that always sends the same identifier gets new answers")
    func weakIdentifiers() {
        var memory = Memory(limit: 10_000)
        let during = (1...2).map { self.begin(&memory, "a", $0, at: 0, isRepeated: false) }
        #expect(during == ["new", "separate"])
        _ = memory.ended("a", "yes", bytes: 3, until: self.time(9))
        let after = [
            self.begin(&memory, "a", 3, at: 1), self.begin(&memory, "a", 4, at: 1, isRepeated: false),
        ]
        #expect(after == ["yes", "new"])
    }

    @Test("The oldest answers are forgotten when there are too many bytes")
    func bound() {
        var memory = Memory(limit: 1000)
        for (key, bytes) in [("a", 100), ("b", 100), ("c", 100), ("d", 100), ("too large", 2000)] {
            _ = self.begin(&memory, key, 1, at: 0)
            _ = memory.ended(key, key, bytes: bytes, until: self.time(9))
        }
        #expect(memory.bytes <= 1000)
        let found = ["a", "d", "too large"].map { self.begin(&memory, $0, 2, at: 1) }
        #expect(found == ["new", "d", "new"])
    }
}
