/// A map from topic filters to values that finds every filter that matches a topic name: one tree for client and
/// broker.
///
/// Filters form a tree by their levels. A node stands for one level or for a run of levels without a branch
/// (`7/rpc/set` below `devices`), so that a filter adds two nodes at most, however many levels it has, and a
/// hostile filter of 65,535 levels costs no more than its bytes. The cost of a match grows with the length of the
/// topic and with the number of matching branches, not with the number of filters elsewhere.
///
/// The tree is a value. Copying is free; changing one of two copies copies the nodes on the path to the changed
/// filter and shares the rest, so a reader on another thread can match in an old copy while a new one is created.
/// Nothing here recurses, so a deep tree cannot exhaust the stack.
///
/// `$share/{name}/{filter}` is separate from `{filter}` and from other share names, but matches the same topics.
package struct TopicTree<Value> {
    /// Precedes the first level. Only this node has an empty run of levels.
    private var root = TopicTreeNode<Value>(levels: "")

    /// The number of filters that have a value.
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { self.count == 0 }

    /// The value of exactly this filter; setting it to `nil` removes the filter.
    package subscript(filter: TopicFilter) -> Value? {
        get { self.node(of: filter)?.value(of: filter) }
        set {
            if let newValue {
                self.withValue(for: filter, default: newValue) { $0 = newValue }
            } else {
                self.remove(filter)
            }
        }
    }

    /// Changes the value of a filter in place, starting from `initial` if it has none.
    package mutating func withValue<Result>(
        for filter: TopicFilter, default initial: @autoclosure () -> Value, _ body: (inout Value) throws -> Result
    ) rethrows -> Result {
        let node = self.makeNode(of: filter)
        var isNew = false
        defer { if isNew { self.count += 1 } }
        return try node.withValue(
            of: filter,
            default: {
                isNew = true
                return initial()
            }, body)
    }

    /// Removes a filter, with the nodes that no other filter needs, and returns its value.
    @discardableResult
    package mutating func remove(_ filter: TopicFilter) -> Value? {
        guard self.node(of: filter)?.value(of: filter) != nil else { return nil }  // Copies no path in vain.
        var path = self.uniquePath(to: filter)
        let value = path.last?.removeValue(of: filter)
        self.count -= 1
        while let node = path.popLast(), let parent = path.last, !node.hasValues {
            if !node.hasChildren {
                parent.detach(node)
            } else {
                node.absorbOnlyChild()
                break
            }
        }
        return value
    }

    package mutating func removeAll() { self = Self() }

    /// Calls `body` with each filter that matches `topic`, in no particular order, and its value.
    ///
    /// `#` also matches its parent level; a filter that begins with a wildcard matches no topic that begins with `$`
    /// [MQTT-4.7.2-1]. Allocates nothing unless more than 16 branches are pending at once.
    package func forEachMatch(of topic: TopicName, _ body: (TopicFilter, borrowing Value) throws -> Void) rethrows {
        try topic.string.withUTF8Bytes { bytes in
            try TopicTreeMatch.withStack { stack in
                stack.push(self.root, position: 0)
                while let (node, position) = stack.pop() {
                    // The standard excludes topics that begin with '$' from general subscriptions, such as "#".
                    let matchesWildcards = position > 0 || bytes.first != TopicByte.dollar
                    if matchesWildcards, let below = node.multiLevel { try below.forEachValue(body) }
                    guard position <= bytes.count else {
                        try node.forEachValue(body)
                        continue
                    }
                    if matchesWildcards, let child = node.singleLevel,
                        let next = child.match(bytes, from: position)
                    {
                        stack.push(child, position: next)
                    }
                    if let (child, next) = node.children.match(bytes, from: position) {
                        stack.push(child, position: next)
                    }
                }
            }
        }
    }

    /// See ``topics(matching:)``.
    func cursor(_ filter: TopicFilter) -> TopicTreeCursor<Value> { TopicTreeCursor(root: self.root, filter: filter) }

    /// Whether any filter matches `topic`.
    package func containsMatch(of topic: TopicName) -> Bool {
        var found = false
        self.forEachMatch(of: topic) { _, _ in found = true }
        return found
    }

    /// Calls `body` with every filter and its value, in no particular order.
    package func forEach(_ body: (TopicFilter, borrowing Value) throws -> Void) rethrows {
        var pending = [self.root]
        while let node = pending.popLast() {
            try node.forEachValue(body)
            node.forEachChild { pending.append($0) }
        }
    }

    /// The number of nodes including the root; for tests of pruning and memory.
    package var nodeCount: Int {
        var (count, pending) = (0, [self.root])
        while let node = pending.popLast() {
            count += 1
            node.forEachChild { pending.append($0) }
        }
        return count
    }
}

/// A tree that several threads share is never changed: every mutation first gets its own copy of each node on its
/// path.
extension TopicTree: @unchecked Sendable where Value: Sendable {}

extension TopicTree {
    /// The node where `filter` ends, if the tree has it.
    private func node(of filter: TopicFilter) -> TopicTreeNode<Value>? {
        filter.withFilterBytes { bytes in
            var (node, position) = (self.root, 0)
            while position <= bytes.count {
                guard let child = node.child(forLevelAt: position, of: bytes) else { return nil }
                let common = child.commonLevels(with: bytes, from: position)
                guard common == child.levels.utf8.count else { return nil }
                node = child
                position += common + 1
            }
            return node
        }
    }

    /// The node where `filter` ends, created if it is missing. Every node on the path becomes unique to this tree
    /// first.
    private mutating func makeNode(of filter: TopicFilter) -> TopicTreeNode<Value> {
        self.makeRootUnique()
        return filter.withFilterBytes { bytes in
            var (node, position) = (self.root, 0)
            var levelsBelow = bytes.count { $0 == TopicByte.separator } + 1
            while position <= bytes.count {
                node.expect(levelsBelow: levelsBelow)
                let begin = position
                if let child = node.uniqueChild(forLevelAt: position, of: bytes) {
                    let common = child.commonLevels(with: bytes, from: position)
                    if common < child.levels.utf8.count { child.split(after: common) }
                    node = child
                    position += common + 1
                } else {
                    let run = TopicTreeNode<Value>.run(of: bytes, from: position)
                    let child = TopicTreeNode<Value>(levels: String(decoding: run, as: UTF8.self))
                    node.attach(child)
                    node = child
                    position += run.count + 1
                }
                levelsBelow -= bytes[begin..<(position - 1)].count { $0 == TopicByte.separator } + 1
            }
            return node
        }
    }

    /// The nodes from the root to the end of an existing filter, each made unique to this tree.
    private mutating func uniquePath(to filter: TopicFilter) -> [TopicTreeNode<Value>] {
        self.makeRootUnique()
        return filter.withFilterBytes { bytes in
            var (path, position) = ([self.root], 0)
            var node = self.root
            while position <= bytes.count, let child = node.uniqueChild(forLevelAt: position, of: bytes) {
                path.append(child)
                node = child
                position += child.levels.utf8.count + 1
            }
            return path
        }
    }

    private mutating func makeRootUnique() {
        if !isKnownUniquelyReferenced(&self.root) { self.root = self.root.copy() }
    }
}
