/// A run of one or more levels of the filters in a ``TopicTree``, the values of the filters that end with it, and
/// the nodes below.
///
/// `#` is always a node of its own. `+` in a run is like a literal level; a node whose run begins with it is its
/// parent's `singleLevel`. Invariant of every node except the root: it has a value, or a `multiLevel`, or at least
/// two children.
final class TopicTreeNode<Value> {
    /// The levels, joined by `/`; one empty level is "".
    private(set) var levels: String
    /// The filter that ends here, if it is not shared.
    private var own: Own?
    /// The shared filters that end here.
    private var shared: [TopicFilter: Value] = [:]
    /// Children that begin with a literal level, by that level.
    private(set) var children = TopicTreeChildren<Value>()
    /// The child that begins with `+`.
    private(set) var singleLevel: TopicTreeNode?
    /// The child `#`, which has no children.
    private(set) var multiLevel: TopicTreeNode?
    /// An upper bound on the number of levels below: the greatest number since the node was created.
    private(set) var levelsBelow = 0

    private struct Own {
        let filter: TopicFilter
        var value: Value

        mutating func update<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
            try body(&self.value)
        }
    }

    init(levels: String) { self.levels = levels }

    /// A node with the same values and the same children.
    func copy() -> TopicTreeNode {
        let copy = TopicTreeNode(levels: self.levels)
        copy.takeContents(of: self)
        return copy
    }

    /// Releases nodes that only this one holds in a loop, if there may be so many levels below that nested releases
    /// would exhaust the stack. Otherwise it leaves that to the runtime, which need not visit each child of a node
    /// that another tree shares.
    deinit {
        guard self.levelsBelow > 256 else { return }
        var pending: [TopicTreeNode] = []
        self.releaseChildren(to: &pending)
        while var node = pending.popLast() {
            if isKnownUniquelyReferenced(&node) { node.releaseChildren(to: &pending) }
        }
    }

    private func releaseChildren(to pending: inout [TopicTreeNode]) {
        guard self.hasChildren else { return }
        self.forEachChild { pending.append($0) }
        self.removeChildren()
    }
}

// MARK: Values

extension TopicTreeNode {
    var hasValues: Bool { self.own != nil || !self.shared.isEmpty }

    func value(of filter: TopicFilter) -> Value? { filter.isShared ? self.shared[filter] : self.own?.value }

    /// Changes a value in place, starting from `initial` if `filter` has none.
    func withValue<Result>(
        of filter: TopicFilter, default initial: () -> Value, _ body: (inout Value) throws -> Result
    ) rethrows -> Result {
        if filter.isShared { return try body(&self.shared[filter, default: initial()]) }
        if let result = try self.own?.update(body) { return result }
        var own = Own(filter: filter, value: initial())
        defer { self.own = own }
        return try own.update(body)
    }

    /// The filter that ends here, if it is not shared, and its value.
    var only: (topic: TopicFilter, value: Value)? { self.own.map { ($0.filter, $0.value) } }

    func removeValue(of filter: TopicFilter) -> Value? {
        if filter.isShared { return self.shared.removeValue(forKey: filter) }
        defer { self.own = nil }
        return self.own?.value
    }

    func forEachValue(_ body: (TopicFilter, borrowing Value) throws -> Void) rethrows {
        if let own = self.own { try body(own.filter, own.value) }
        guard !self.shared.isEmpty else { return }
        for (filter, value) in self.shared { try body(filter, value) }
    }
}

// MARK: Comparing

extension TopicTreeNode {
    /// The position after this run and its separator, if the levels of a topic name from `position` on match the
    /// run.
    @inline(__always)
    func match(_ topic: UnsafeBufferPointer<UInt8>, from position: Int) -> Int? {
        self.levels.withUTF8Bytes { levels in
            var (at, position) = (0, position)
            while at < levels.count {
                if levels[at] == TopicByte.singleLevelWildcard {
                    while position < topic.count, topic[position] != TopicByte.separator { position &+= 1 }
                } else {
                    guard position < topic.count, topic[position] == levels[at] else { return nil }
                    position &+= 1
                }
                at &+= 1
            }
            guard position == topic.count || topic[position] == TopicByte.separator else { return nil }
            return position &+ 1
        }
    }

    /// The number of bytes of this run that are whole levels which the filter also has from `position` on; -1 if
    /// not even the first.
    func commonLevels(with filter: UnsafeBufferPointer<UInt8>, from position: Int) -> Int {
        self.levels.withUTF8Bytes { levels in
            var (common, at) = (-1, 0)
            while true {
                let isEnd = at == levels.count || levels[at] == TopicByte.separator
                let isFilterEnd = position + at == filter.count || filter[position + at] == TopicByte.separator
                if isEnd && isFilterEnd { common = at }
                guard at < levels.count, position + at < filter.count, levels[at] == filter[position + at] else {
                    return common
                }
                at += 1
            }
        }
    }

    /// The levels of a filter from `position` on that one node can represent: `#` by itself, or all up to `#`.
    static func run(of filter: UnsafeBufferPointer<UInt8>, from position: Int) -> Slice<UnsafeBufferPointer<UInt8>> {
        let rest = filter[position...]
        guard rest.count > 1, rest.last == TopicByte.multiLevelWildcard else { return rest }
        return rest.dropLast(2)
    }
}

// MARK: Below

extension TopicTreeNode {
    var hasChildren: Bool { self.multiLevel != nil || self.singleLevel != nil || self.children.count > 0 }

    func forEachChild(_ body: (TopicTreeNode) throws -> Void) rethrows {
        if let multiLevel { try body(multiLevel) }
        if let singleLevel { try body(singleLevel) }
        try self.children.forEach(body)
    }

    /// The child whose run begins with the level of `filter` at `position`.
    func child(forLevelAt position: Int, of filter: UnsafeBufferPointer<UInt8>) -> TopicTreeNode? {
        switch position < filter.count ? filter[position] : TopicByte.separator {
        case TopicByte.multiLevelWildcard: self.multiLevel
        case TopicByte.singleLevelWildcard: self.singleLevel
        default: self.children.slot(forLevelAt: position, of: filter).map { self.children[$0] }
        }
    }

    /// The same child, replaced by a copy first if another tree shares it. Requires a node that is unique to one
    /// tree.
    func uniqueChild(forLevelAt position: Int, of filter: UnsafeBufferPointer<UInt8>) -> TopicTreeNode? {
        switch position < filter.count ? filter[position] : TopicByte.separator {
        case TopicByte.multiLevelWildcard: Self.makeUnique(&self.multiLevel)
        case TopicByte.singleLevelWildcard: Self.makeUnique(&self.singleLevel)
        default: self.children.slot(forLevelAt: position, of: filter).map { self.children.makeUnique($0) }
        }
    }

    private static func makeUnique(_ node: inout TopicTreeNode?) -> TopicTreeNode? {
        if !isKnownUniquelyReferenced(&node) { node = node?.copy() }
        return node
    }

    func expect(levelsBelow: Int) { self.levelsBelow = max(self.levelsBelow, levelsBelow) }

    func attach(_ child: TopicTreeNode) {
        switch child.levels.utf8.first {
        case TopicByte.multiLevelWildcard: self.multiLevel = child
        case TopicByte.singleLevelWildcard: self.singleLevel = child
        default: self.children.insert(child)
        }
    }

    func detach(_ child: TopicTreeNode) {
        switch child.levels.utf8.first {
        case TopicByte.multiLevelWildcard: self.multiLevel = nil
        case TopicByte.singleLevelWildcard: self.singleLevel = nil
        default: self.children.remove(child)
        }
    }

    /// Keeps the first `length` bytes of the run, which are whole levels, and moves the rest to a new child.
    func split(after length: Int) {
        let lower = TopicTreeNode(levels: String(decoding: self.levels.utf8.dropFirst(length + 1), as: UTF8.self))
        lower.takeContents(of: self)
        self.levels = String(decoding: self.levels.utf8.prefix(length), as: UTF8.self)
        self.own = nil
        self.shared = [:]
        self.removeChildren()
        self.attach(lower)
    }

    /// Undoes a split: if there is only one child, and it is not `#`, appends its run and takes over its content.
    func absorbOnlyChild() {
        guard self.multiLevel == nil, let child = self.singleLevel ?? self.children.first,
            self.children.count + (self.singleLevel == nil ? 0 : 1) == 1
        else { return }
        self.levels += "/" + child.levels
        self.takeContents(of: child)
    }

    private func removeChildren() {
        self.children = TopicTreeChildren()
        self.singleLevel = nil
        self.multiLevel = nil
    }

    /// Everything except the levels.
    private func takeContents(of other: TopicTreeNode) {
        self.own = other.own
        self.shared = other.shared
        self.children = other.children
        self.singleLevel = other.singleLevel
        self.multiLevel = other.multiLevel
        self.levelsBelow = other.levelsBelow
    }
}
