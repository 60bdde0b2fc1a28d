import DequeModule

/// Retained messages on their way to new subscriptions of one client: at most one delivery per subscription.
package struct PendingRetained: Sendable {
    /// The messages of one subscription.
    package struct Delivery: Sendable {
        package let filter: TopicFilter
        package let qos: QoS
        package let identifier: UInt32?
        /// Messages that were retained later reach the client by the subscription itself.
        let latest: RetainedMessages.Position

        package init(filter: TopicFilter, qos: QoS, identifier: UInt32?, latest: RetainedMessages.Position) {
            self.filter = filter
            self.qos = qos
            self.identifier = identifier
            self.latest = latest
        }

        func includes(_ entry: RetainedMessages.Entry) -> Bool { entry.position <= self.latest }
    }

    private struct Place: Sendable {
        let filter: TopicFilter
        let number: UInt64
    }

    private var deliveries: [TopicFilter: (number: UInt64, delivery: Delivery)] = [:]
    /// The order of the deliveries. A place is void if its number is not that of its filter's delivery.
    private var order = Deque<Place>()
    private var nextNumber: UInt64 = 0
    /// The progress of the first delivery, once it has begun. Only one is in progress, so that only one state of all
    /// retained messages is held.
    private var cursor: RetainedMessages.Cursor?

    package init() {}

    package var isEmpty: Bool { self.deliveries.isEmpty }

    package var count: Int { self.deliveries.count }

    /// When the current delivery began. It keeps everything alive that was retained then.
    package var began: RetainedMessages.Mark? { self.cursor?.began }

    /// How many places there are, including void ones; for tests of memory.
    package var placeCount: Int { self.order.count }

    /// Adds the messages of a subscription. Replaces an earlier one with the same filter.
    package mutating func add(_ delivery: Delivery) {
        self.nextNumber += 1
        self.deliveries[delivery.filter] = (self.nextNumber, delivery)
        self.order.append(Place(filter: delivery.filter, number: self.nextNumber))
        self.endVoidDelivery()
        if self.order.count > 64, self.order.count > 2 * self.deliveries.count { self.removeVoidPlaces() }
    }

    /// The subscriptions have ended: none of their messages is delivered any more [MQTT-3.10.4-2].
    package mutating func remove(_ filters: Set<TopicFilter>) {
        guard !self.deliveries.isEmpty else { return }
        for filter in filters { self.deliveries[filter] = nil }
        if self.deliveries.isEmpty { self.order = [] }
        self.endVoidDelivery()
    }

    /// The next message and its delivery; `nil` if there is none or `steps` are used up.
    ///
    /// - Parameter begin: Finds the messages that match a filter.
    package mutating func next(
        steps: inout Int, begin: (TopicFilter) -> RetainedMessages.Cursor
    ) -> (entry: RetainedMessages.Entry, delivery: Delivery)? {
        while steps > 0, let place = self.order.first {
            guard let (number, delivery) = self.deliveries[place.filter], number == place.number else {
                self.removeFirst(&steps)
                continue
            }
            if self.cursor == nil { self.cursor = begin(delivery.filter) }
            // In place: a copy of the cursor would be copied with each step.
            while let entry = self.cursor?.next(steps: &steps) {
                if delivery.includes(entry) { return (entry, delivery) }
            }
            guard self.cursor?.isAtEnd == true else { return nil }
            self.deliveries[place.filter] = nil
            self.removeFirst(&steps)
        }
        return nil
    }

    /// Releases the messages of a delivery that is void.
    private mutating func endVoidDelivery() {
        guard self.cursor != nil else { return }
        if let first = self.order.first, self.deliveries[first.filter]?.number == first.number { return }
        self.cursor = nil
    }

    private mutating func removeFirst(_ steps: inout Int) {
        steps -= 1
        self.order.removeFirst()
        self.cursor = nil
    }

    private mutating func removeVoidPlaces() {
        let first = self.order.first?.number
        self.order.removeAll { self.deliveries[$0.filter]?.number != $0.number }
        if self.order.first?.number != first { self.cursor = nil }
    }
}
