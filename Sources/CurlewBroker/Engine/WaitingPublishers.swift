import DequeModule

/// Whoever publishes messages, and can wait for those who receive them (``Backpressure``).
protocol HeldPublisher: AnyObject, Sendable {
    /// That receiver has drained its queue, or is gone; from any thread, under no lock.
    func released(by holder: ObjectIdentifier)

    /// Whether it has gone, and waits for nobody any more; from any thread.
    var hasGone: Bool { get }

    /// Whether it is the program that embeds the broker, which must not wait for itself.
    var isProgram: Bool { get }
}

/// The publishers that wait for one receiver, in the order in which they began to.
struct WaitingPublishers: Sendable {
    private var line = Deque<any HeldPublisher>()
    private var members: Set<ObjectIdentifier> = []
    /// When so many wait, those are looked for that have gone.
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

    /// Forgets those that have gone: connections may come, publish once and go, while the receiver is slow.
    private mutating func removeGone() {
        self.line.removeAll { $0.hasGone }
        self.members = Set(self.line.lazy.map { ObjectIdentifier($0) })
        self.mostBeforeCleaning = max(Self.fewest, 2 * self.line.count)
    }

    /// Takes the first of them, so many at the most.
    mutating func take(_ count: Int) -> [any HeldPublisher] {
        guard count > 0, !self.line.isEmpty else { return [] }
        let first = Array(self.line.prefix(count))
        self.line.removeFirst(first.count)
        for publisher in first { self.members.remove(ObjectIdentifier(publisher)) }
        return first
    }
}
