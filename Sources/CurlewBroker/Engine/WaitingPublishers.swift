import DequeModule

/// A publisher that can wait for the receivers of its messages (``Backpressure``).
protocol HeldPublisher: AnyObject, Sendable {
    /// A receiver has drained its queue, or is gone; from any thread, under no lock.
    func released(by holder: ObjectIdentifier)

    /// Whether the publisher is gone and no longer waits; from any thread.
    var hasGone: Bool { get }

    /// Whether it is the program that embeds the broker, which must not wait for itself.
    var isProgram: Bool { get }
}

/// The publishers that wait for one receiver, in the order in which they began to wait.
struct WaitingPublishers: Sendable {
    private var line = Deque<any HeldPublisher>()
    private var members: Set<ObjectIdentifier> = []
    /// The number of waiting publishers from which on those that are gone are removed.
    private var mostBeforeCleaning = Self.fewest

    private static let fewest = 64

    var isEmpty: Bool { self.line.isEmpty }

    var count: Int { self.line.count }

    /// Adds a publisher, unless it waits already.
    mutating func add(_ publisher: any HeldPublisher) {
        guard self.members.insert(ObjectIdentifier(publisher)).inserted else { return }
        if self.line.count >= self.mostBeforeCleaning { self.removeGone() }
        self.line.append(publisher)
    }

    /// Removes publishers that are gone: connections may come, publish once and go, while the receiver is slow.
    private mutating func removeGone() {
        self.line.removeAll { $0.hasGone }
        self.members = Set(self.line.lazy.map { ObjectIdentifier($0) })
        self.mostBeforeCleaning = max(Self.fewest, 2 * self.line.count)
    }

    /// Takes up to `count` publishers from the front.
    mutating func take(_ count: Int) -> [any HeldPublisher] {
        guard count > 0, !self.line.isEmpty else { return [] }
        let first = Array(self.line.prefix(count))
        self.line.removeFirst(first.count)
        for publisher in first { self.members.remove(ObjectIdentifier(publisher)) }
        return first
    }
}
