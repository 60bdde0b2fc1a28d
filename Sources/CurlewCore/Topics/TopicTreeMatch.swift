/// The branches of a ``TopicTree`` that a match has still to follow.
///
/// The first few are on the stack, so that a match allocates nothing. The others, which occur only with many
/// overlapping `+` filters, are in an array.
struct TopicTreeMatch<Value>: ~Copyable {
    /// The tree that is being searched keeps the node alive.
    typealias Branch = (node: Unmanaged<TopicTreeNode<Value>>, position: Int)

    private let near: UnsafeMutableBufferPointer<Branch>
    private var count = 0
    private var far: [Branch] = []

    private init(near: UnsafeMutableBufferPointer<Branch>) { self.near = near }

    static func withStack<Result>(_ body: (inout Self) throws -> Result) rethrows -> Result {
        try withUnsafeTemporaryAllocation(of: Branch.self, capacity: 16) { near in
            var stack = Self(near: near)
            return try body(&stack)
        }
    }

    mutating func push(_ node: TopicTreeNode<Value>, position: Int) {
        let branch = (Unmanaged.passUnretained(node), position)
        if self.count < self.near.count {
            self.near.initializeElement(at: self.count, to: branch)
            self.count &+= 1
        } else {
            self.far.append(branch)
        }
    }

    mutating func pop() -> (node: TopicTreeNode<Value>, position: Int)? {
        if let branch = self.far.popLast() { return (branch.node.takeUnretainedValue(), branch.position) }
        guard self.count > 0 else { return nil }
        self.count &-= 1
        let branch = self.near[self.count]
        return (branch.node.takeUnretainedValue(), branch.position)
    }
}
