/// Iterates over the topic names in a tree that match a filter: the inverse of ``TopicTree/forEachMatch(of:_:)``.
///
/// It returns one name at a time, so that a search with a million results can be divided. It holds the tree as it
/// was when the cursor was created, and does not see later changes.
package struct TopicTreeCursor<Value> {
    private struct Place {
        let node: TopicTreeNode<Value>
        /// The position in the filter for the levels below the node; `nil` if everything below matches.
        let position: Int?
        /// The last of the node's children that was visited.
        var slot: TopicTreeChildren<Value>.Slot?
        /// Whether the node's own value has not been returned yet.
        var givesValue: Bool
    }

    private let filter: [UInt8]
    private var path: [Place]

    /// - Parameters:
    ///   - root: The root of a tree whose filters are all created by ``TopicFilter/init(exactly:)``.
    ///   - filter: The filter; of a shared one, the part after the share name counts.
    init(root: TopicTreeNode<Value>, filter: TopicFilter) {
        self.filter = filter.withFilterBytes { Array($0) }
        let isAll = self.filter == [TopicByte.multiLevelWildcard]
        self.path = [Place(node: root, position: isAll ? nil : 0, givesValue: false)]
    }

    /// Whether there are no more.
    package var isAtEnd: Bool { self.path.isEmpty }

    /// The next topic, as the filter that only it matches, and its value; in no particular order. Each visited node
    /// takes one of `steps`; when none are left, the result is `nil`, and the caller may continue with more.
    package mutating func next(steps: inout Int) -> (topic: TopicFilter, value: Value)? {
        while steps > 0, let depth = self.path.indices.last {
            steps -= 1
            let place = self.path[depth]
            if place.givesValue {
                self.path[depth].givesValue = false
                if let found = place.node.only { return found }
            }
            guard let slot = self.nextSlot(of: place) else {
                self.path.removeLast()
                continue
            }
            self.path[depth].slot = slot
            if let child = self.enter(place.node.children[slot], at: place.position, isFirst: depth == 0) {
                self.path.append(child)
            }
        }
        return nil
    }

    /// The next child to visit: a literal level has only one.
    private func nextSlot(of place: Place) -> TopicTreeChildren<Value>.Slot? {
        guard let position = place.position else { return place.node.children.slot(after: place.slot) }
        guard position < self.filter.count || position == self.filter.count && self.filter.last == TopicByte.separator
        else {
            return nil
        }
        if position < self.filter.count,
            self.filter[position] == TopicByte.singleLevelWildcard
                || self.filter[position] == TopicByte.multiLevelWildcard
        {
            return place.node.children.slot(after: place.slot)
        }
        guard place.slot == nil else { return nil }
        return self.filter.withUnsafeBufferPointer { place.node.children.slot(forLevelAt: position, of: $0) }
    }

    /// The place of a node, if its run matches the filter from `position` on.
    private func enter(_ node: TopicTreeNode<Value>, at position: Int?, isFirst: Bool) -> Place? {
        let begin = node.levels.utf8.first
        // The standard excludes topics that begin with '$' from filters that begin with a wildcard [MQTT-4.7.2-1].
        if isFirst, begin == TopicByte.dollar, let wildcard = self.filter.first,
            wildcard == TopicByte.multiLevelWildcard || wildcard == TopicByte.singleLevelWildcard
        {
            return nil
        }
        guard let position else { return Place(node: node, position: nil, givesValue: true) }
        return node.levels.withUTF8Bytes { levels in
            self.filter.withUnsafeBufferPointer { filter in
                Self.match(levels, filter, from: position).map { end in
                    switch end {
                    case .below: Place(node: node, position: nil, givesValue: true)
                    case .at(let next):
                        // "a/#" matches "a" itself.
                        next < filter.count && filter[next] == TopicByte.multiLevelWildcard
                            ? Place(node: node, position: nil, givesValue: true)
                            : Place(node: node, position: next, givesValue: next > filter.count)
                    }
                }
            }
        }
    }

    private enum End {
        /// Everything below matches, too.
        case below
        /// The levels below are compared with the filter from this position on; at its end, nothing is left to
        /// compare.
        case at(Int)
    }

    /// Compares the run of levels of a node with the filter; `nil` when they differ.
    private static func match(
        _ levels: UnsafeBufferPointer<UInt8>, _ filter: UnsafeBufferPointer<UInt8>, from position: Int
    ) -> End? {
        var (at, position) = (0, position)
        while true {
            // Both are at the beginning of a level.
            guard position <= filter.count else { return nil }
            if position < filter.count, filter[position] == TopicByte.multiLevelWildcard { return .below }
            if position < filter.count, filter[position] == TopicByte.singleLevelWildcard {
                while at < levels.count, levels[at] != TopicByte.separator { at += 1 }
                position += 1
            } else {
                while at < levels.count, levels[at] != TopicByte.separator {
                    guard position < filter.count, filter[position] == levels[at] else { return nil }
                    at += 1
                    position += 1
                }
                guard position == filter.count || filter[position] == TopicByte.separator else { return nil }
            }
            position += 1
            guard at < levels.count else { return .at(position) }
            at += 1
        }
    }
}

extension TopicTree {
    /// Goes through the topic names among the filters of this tree that match `filter`.
    package func topics(matching filter: TopicFilter) -> TopicTreeCursor<Value> { self.cursor(filter) }
}

/// A shared tree is never changed.
extension TopicTreeCursor: @unchecked Sendable where Value: Sendable {}
