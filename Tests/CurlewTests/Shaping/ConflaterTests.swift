import CurlewTransport
import Testing

@testable import Curlew

@Suite("Conflating items by key")
struct ConflaterTests {
    private typealias Items = Conflater<String, String>

    private func time(_ milliseconds: Int) -> Timestamp { .start + .milliseconds(milliseconds) }

    private func next(_ items: inout Items, at milliseconds: Int, flushes: Bool = false) -> String {
        switch items.next(now: self.time(milliseconds), flushes: flushes) {
        case .item(let item): item
        case .wait(let time): "wait \((time - .start) / .milliseconds(1))"
        case .empty: "empty"
        }
    }

    /// Adds an item whose key is its first letter. Returns the one that it replaces.
    @discardableResult
    private func add(_ item: String, to items: inout Items, at milliseconds: Int) -> String? {
        items.add(item, key: String(item.prefix(1)), now: self.time(milliseconds))
    }

    @Test("The latest item of each key, in the order of the keys' first items")
    func latest() {
        var items = Items(.none)
        let replaced = ["a1", "b1", "a2"].map { self.add($0, to: &items, at: 0) }
        #expect(replaced == [nil, nil, "a1"])
        let taken = (0..<3).map { _ in self.next(&items, at: 0) }
        #expect(taken == ["a2", "b1", "empty"])
    }

    @Test("Debounced: the last item, when its key was quiet for long enough")
    func quiet() {
        var items = Items(.quiet(.milliseconds(10)))
        self.add("a1", to: &items, at: 0)
        let early = self.next(&items, at: 5)
        #expect(early == "wait 10.0")
        let replaced = self.add("a2", to: &items, at: 8)
        #expect(replaced == "a1")
        let taken = [10, 18, 18].map { self.next(&items, at: $0) }
        #expect(taken == ["wait 18.0", "a2", "empty"])
    }

    @Test("Throttled: the first item at once, then the latest of each interval")
    func spaced() {
        var items = Items(.spaced(.milliseconds(10)))
        self.add("a1", to: &items, at: 0)
        let first = self.next(&items, at: 0)
        #expect(first == "a1")
        self.add("a2", to: &items, at: 2)
        let replaced = self.add("a3", to: &items, at: 4)
        #expect(replaced == "a2")
        self.add("b1", to: &items, at: 4)
        let taken = [4, 4, 10].map { self.next(&items, at: $0) }
        #expect(taken == ["b1", "wait 10.0", "a3"])
        self.add("a4", to: &items, at: 30)
        let late = self.next(&items, at: 30)
        #expect(late == "a4")
    }

    @Test("At the end, items come before their time")
    func flush() {
        var items = Items(.quiet(.seconds(10)))
        self.add("a1", to: &items, at: 0)
        let flushed = self.next(&items, at: 1, flushes: true)
        #expect(flushed == "a1")
        self.add("a2", to: &items, at: 2)
        let rest = items.removeAll()
        #expect(rest == ["a2"])
        #expect(items.count == 0)
    }

    @Test("Replaced items leave nothing behind")
    func bounded() {
        var items = Items(.quiet(.seconds(10)))
        for number in 0..<10_000 { self.add("a", to: &items, at: number) }
        #expect(items.count == 1)
        #expect(items.pendingTimes < 100)
    }
}
