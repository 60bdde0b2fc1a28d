import CurlewCore
import DequeModule

/// Retained messages on their way to new subscriptions of one client.
struct PendingRetained: Sendable {
    /// Of one subscription.
    struct Delivery: Sendable {
        let filter: TopicFilter
        var cursor: RetainedMessages.Cursor
        let qos: QoS
        let identifier: UInt32?
    }

    private var deliveries = Deque<Delivery>()

    /// So many subscriptions may wait for their retained messages.
    private static let maximumCount = 1000

    var isEmpty: Bool { self.deliveries.isEmpty }

    var hasRoom: Bool { self.deliveries.count < Self.maximumCount }

    /// Adds those of a subscription, in the place of an earlier one with the same filter.
    mutating func add(_ delivery: Delivery) {
        self.remove([delivery.filter])
        self.deliveries.append(delivery)
    }

    /// The subscriptions have ended: no more of them is sent [MQTT-3.10.4-2].
    mutating func remove(_ filters: Set<TopicFilter>) {
        guard self.deliveries.contains(where: { filters.contains($0.filter) }) else { return }
        self.deliveries.removeAll { filters.contains($0.filter) }
    }

    /// The next message and how it is delivered; `nil` when there is none or `steps` are used up.
    mutating func next(steps: inout Int) -> (entry: RetainedMessages.Entry, qos: QoS, identifier: UInt32?)? {
        while steps > 0, !self.deliveries.isEmpty {
            // In place: a copy of the cursor would be copied with each step.
            if let entry = self.deliveries[0].cursor.next(steps: &steps) {
                return (entry, self.deliveries[0].qos, self.deliveries[0].identifier)
            }
            guard self.deliveries[0].cursor.isAtEnd else { return nil }
            steps -= 1
            self.deliveries.removeFirst()
        }
        return nil
    }
}
