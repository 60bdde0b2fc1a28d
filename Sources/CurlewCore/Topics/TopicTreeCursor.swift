/// Goes through the topic names in a tree that match a filter: the other way round than ``TopicTree/forEachMatch(of:_:)``.
///
/// It takes one name at a time, so that a look-up that finds a million of them can be done in slices. It holds the tree as it was when the
/// cursor was made; what is changed meanwhile it does not see.
package struct TopicTreeCursor<Value> {
    private struct Place {
        let node: TopicTreeNode<Value>
        /// Where in the filter the levels below the node begin; `nil` when all that is below matches.
        let position: Int?
        /// Of the node's children, the one that came last.
        var slot: TopicTreeChildren<Value>.Slot?
        /// Whether the node's own value is still to be given.
        var givesValue: Bool
    }

    private let filter: [UInt8]
    private var path: [Place]

    /// - Parameters:
    ///   - root: Of a tree whose filters are all made by ``TopicFilter/init(exactly:)``.
    ///   - filter: Of a shared one, the part behind the share name counts.
    init(root: TopicTreeNode<Value>, filter: TopicFilter) {
        self.filter = filter.withFilterBytes { Array($0) }
        let isAll = self.filter == [TopicByte.multiLevelWildcard]
        self.path = [Place(node: root, position: isAll ? nil : 0, givesValue: false)]
    }

    /// The next topic, as the filter that only it matches, and its value; in no particular order.
    package mutating func next() -> (topic: TopicFilter, value: Value)? {
        while let depth = self.path.indices.last {
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

    /// The child to be looked at next: of a literal level, there is one at the most.
    private func nextSlot(of place: Place) -> TopicTreeChildren<Value>.Slot? {
        guard let position = place.position else { return place.node.children.slot(after: place.slot) }
        guard position < self.filter.count || position == self.filter.count && self.filter.last == TopicByte.separator else {
            return nil
        }
        if position < self.filter.count,
            self.filter[position] == TopicByte.singleLevelWildcard || self.filter[position] == TopicByte.multiLevelWildcard
        {
            return place.node.children.slot(after: place.slot)
        }
        guard place.slot == nil else { return nil }
        return self.filter.withUnsafeBufferPointer { place.node.children.slot(forLevelAt: position, of: $0) }
    }

    /// The place of a node, if what it stands for matches the filter from `position` on.
    private func enter(_ node: TopicTreeNode<Value>, at position: Int?, isFirst: Bool) -> Place? {
        let begin = node.levels.utf8.first
        // The standard keeps the topics that begin with '$' out of what begins with a wildcard [MQTT-4.7.2-1].
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
        /// All below matches too.
        case below
        /// The levels below are compared with the filter from there on; beyond its end, there is nothing left to compare.
        case at(Int)
    }

    /// Compares the run of levels of a node with the filter; `nil` when they differ.
    private static func match(
        _ levels: UnsafeBufferPointer<UInt8>, _ filter: UnsafeBufferPointer<UInt8>, from position: Int
    ) -> End? {
        var (at, position) = (0, position)
        while true {
            // At the beginning of a level of both.
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

/// A tree that others hold is never changed.
extension TopicTreeCursor: @unchecked Sendable where Value: Sendable {}
