/// The children of a ``TopicTree`` node whose runs begin with a literal level, found by that level.
///
/// A hash table in two stages, because a `Dictionary` lacks two properties: it is searched by bytes in the middle
/// of a topic, without creating a key; and when two trees share it, a change copies one bucket of a few entries and
/// the list of buckets, not every entry. A fleet has one node with a child for each of its 100,000 devices.
///
/// Levels come from peers, so they are hashed with the standard library's seeded `Hasher`: no peer can aim at one
/// bucket.
struct TopicTreeChildren<Value> {
    typealias Node = TopicTreeNode<Value>

    struct Slot {
        fileprivate var bucket: Int
        fileprivate var index: Int
    }

    private struct Entry {
        var hash: Int
        var node: Node
    }

    /// None or a power of two. The low bits of a hash select the bucket.
    private var buckets: ContiguousArray<ContiguousArray<Entry>> = []
    private(set) var count = 0

    /// The mean number of entries at which the buckets are doubled. This few entries are also compared without
    /// hashing.
    private static var load: Int { 6 }

    /// The first occupied slot at or after `slot`, for iteration with pauses.
    func slot(after slot: Slot? = nil) -> Slot? {
        var bucket = slot?.bucket ?? 0
        var index = slot.map { $0.index + 1 } ?? 0
        while bucket < self.buckets.count {
            if index < self.buckets[bucket].count { return Slot(bucket: bucket, index: index) }
            bucket += 1
            index = 0
        }
        return nil
    }

    subscript(slot: Slot) -> Node { self.buckets[slot.bucket][slot.index].node }

    var first: Node? { self.buckets.first { !$0.isEmpty }?.first?.node }

    func forEach(_ body: (Node) throws -> Void) rethrows {
        for bucket in self.buckets {
            for entry in bucket { try body(entry.node) }
        }
    }

    /// The slot of the node whose run begins with the literal level of `filter` at `position`.
    func slot(forLevelAt position: Int, of filter: UnsafeBufferPointer<UInt8>) -> Slot? {
        guard self.count > 0 else { return nil }
        let hash = self.buckets.count == 1 ? nil : Self.hash(ofLevelAt: position, of: filter)
        let bucket = self.bucket(of: hash ?? 0)
        for (index, entry) in self.buckets[bucket].enumerated() where hash == nil || entry.hash == hash {
            if entry.node.commonLevels(with: filter, from: position) >= 0 { return Slot(bucket: bucket, index: index) }
        }
        return nil
    }

    /// The node whose run matches the levels of a topic name from `position` on, and the position after them.
    func match(_ topic: UnsafeBufferPointer<UInt8>, from position: Int) -> (node: Node, next: Int)? {
        guard self.count > 0 else { return nil }
        let hash = self.buckets.count == 1 ? nil : Self.hash(ofLevelAt: position, of: topic)
        for entry in self.buckets[self.bucket(of: hash ?? 0)] where hash == nil || entry.hash == hash {
            if let next = entry.node.match(topic, from: position) { return (entry.node, next) }
        }
        return nil
    }

    /// The node at `slot`, replaced by a copy first if another tree shares it.
    mutating func makeUnique(_ slot: Slot) -> Node {
        if !isKnownUniquelyReferenced(&self.buckets[slot.bucket][slot.index].node) {
            self.buckets[slot.bucket][slot.index].node = self[slot].copy()
        }
        return self[slot]
    }

    /// Adds a node whose first level differs from all others.
    mutating func insert(_ node: Node) {
        let hash = node.levels.withUTF8Bytes { Self.hash(ofLevelAt: 0, of: $0) }
        if self.count == Self.load * self.buckets.count { self.resize(to: max(1, 2 * self.buckets.count)) }
        self.buckets[self.bucket(of: hash)].append(Entry(hash: hash, node: node))
        self.count += 1
    }

    mutating func remove(_ node: Node) {
        let found = node.levels.withUTF8Bytes { self.slot(forLevelAt: 0, of: $0) }
        guard let found else { return assertionFailure("the node is not here") }
        self.buckets[found.bucket].remove(at: found.index)
        self.count -= 1
        if self.count == 0 {
            self.buckets = []
        } else if self.count < self.buckets.count {
            self.resize(to: max(1, self.buckets.count / 2))
        }
    }

    private func bucket(of hash: Int) -> Int { hash & (self.buckets.count &- 1) }

    private mutating func resize(to bucketCount: Int) {
        let old = self.buckets
        self.buckets = ContiguousArray(repeating: [], count: bucketCount)
        for bucket in old {
            for entry in bucket { self.buckets[self.bucket(of: entry.hash)].append(entry) }
        }
    }

    private static func hash(ofLevelAt position: Int, of bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var end = position
        while end < bytes.count, bytes[end] != TopicByte.separator { end &+= 1 }
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[position..<end]))
        return hasher.finalize()
    }
}
