import DequeModule

/// Whoever publishes messages, and can wait for those who receive them (``Backpressure``).
protocol HeldPublisher: AnyObject, Sendable {
    /// That receiver has drained its queue, or is gone; from any thread, under no lock.
    func released(by holder: ObjectIdentifier)
}

/// The publishers that wait for one receiver, in the order in which they began to.
struct WaitingPublishers: Sendable {
    private var line = Deque<any HeldPublisher>()
    private var members: Set<ObjectIdentifier> = []

    var isEmpty: Bool { self.line.isEmpty }

    /// Adds a publisher, unless it waits already.
    mutating func add(_ publisher: any HeldPublisher) {
        if self.members.insert(ObjectIdentifier(publisher)).inserted { self.line.append(publisher) }
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
