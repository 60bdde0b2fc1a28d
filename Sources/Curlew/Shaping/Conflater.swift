import CurlewTransport
import DequeModule
import HeapModule

/// Keeps the latest item of each key until its time has come.
struct Conflater<Key: Hashable, Item> {
    /// When an item's time has come.
    enum Pace: Sendable, Hashable {
        /// At once: items are replaced only while nobody asks for them.
        case none
        /// When no other item with its key has come for this time.
        case quiet(Duration)
        /// When this time has passed since the previous item with its key was taken; at once for the first.
        case spaced(Duration)
    }

    private struct Waiting {
        var item: Item
        let due: Timestamp
        let number: UInt64
    }

    /// A time at which an item was due; out of date if the item was replaced.
    private struct Due: Comparable {
        let time: Timestamp
        let number: UInt64
        let key: Key

        static func < (left: Self, right: Self) -> Bool { (left.time, left.number) < (right.time, right.number) }
        static func == (left: Self, right: Self) -> Bool { left.number == right.number }
    }

    private let pace: Pace
    private var waiting: [Key: Waiting] = [:]
    private var dues = Heap<Due>()
    private var lastNumber: UInt64 = 0
    /// The earliest times of the next items of keys whose item was taken.
    private var taken: [Key: Timestamp] = [:]
    /// The same in the order of the times.
    private var takenOrder = Deque<(key: Key, time: Timestamp)>()

    /// How many keys whose item was taken are remembered. Peers choose the topics.
    private static var takenLimit: Int { 10_000 }

    init(_ pace: Pace) { self.pace = pace }

    /// The number of items that wait.
    var count: Int { self.waiting.count }

    /// The number of times at which items are due, with those that are out of date.
    var pendingTimes: Int { self.dues.count }

    /// An item arrived. Returns the one that it replaces.
    mutating func add(_ item: Item, key: Key, now: Timestamp) -> Item? {
        let previous = self.waiting[key]
        if var waiting = previous, self.pace.keepsTime {
            waiting.item = item
            self.waiting[key] = waiting
            return previous?.item
        }
        self.lastNumber += 1
        let due: Timestamp
        switch self.pace {
        case .none: due = now
        case .quiet(let time): due = now + time
        case .spaced: due = max(now, self.taken.removeValue(forKey: key) ?? now)
        }
        self.waiting[key] = Waiting(item: item, due: due, number: self.lastNumber)
        self.dues.insert(Due(time: due, number: self.lastNumber, key: key))
        self.dropOutdated()
        return previous?.item
    }

    /// The next item.
    enum Next {
        case item(Item)
        /// None is due before this time.
        case wait(until: Timestamp)
        case empty
    }

    /// Takes the next item.
    ///
    /// - Parameter flushes: Whether to take items before their time, because no more arrive.
    mutating func next(now: Timestamp, flushes: Bool = false) -> Next {
        while let due = self.dues.min {
            guard let waiting = self.waiting[due.key], waiting.number == due.number else {
                self.dues.removeMin()
                continue
            }
            guard flushes || due.time <= now else { return .wait(until: due.time) }
            self.dues.removeMin()
            self.waiting[due.key] = nil
            if case .spaced(let time) = self.pace {
                self.taken[due.key] = now + time
                self.takenOrder.append((due.key, now + time))
                self.forgetTaken(before: now)
            }
            return .item(waiting.item)
        }
        return .empty
    }

    /// Removes all items. Returns them.
    mutating func removeAll() -> [Item] {
        let items = self.waiting.values.sorted { $0.number < $1.number }.map(\.item)
        self = Self(self.pace)
        return items
    }

    /// Each replaced item leaves a time behind.
    private mutating func dropOutdated() {
        guard self.dues.count > 2 * self.waiting.count + 64 else { return }
        self.dues = Heap(
            self.waiting.map { key, waiting in Due(time: waiting.due, number: waiting.number, key: key) })
    }

    private mutating func forgetTaken(before now: Timestamp) {
        while let first = self.takenOrder.first, first.time <= now || self.takenOrder.count > Self.takenLimit {
            self.takenOrder.removeFirst()
            if self.taken[first.key] == first.time { self.taken[first.key] = nil }
        }
    }
}

extension Conflater.Pace {
    /// Whether a replaced item leaves its time to the next one.
    fileprivate var keepsTime: Bool { if case .quiet = self { false } else { true } }
}
