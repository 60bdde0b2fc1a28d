import CurlewCore

/// The messages of one read, grouped by receiver: filled under the lock, dispatched after it is released.
struct DeliveryBatch {
    private struct Entry {
        /// `nil` once it has been dispatched.
        var packet: Publish?
        let token: DeliveryToken?
        /// The receivers are `groups[targets[i]]` for each `i` in this range.
        let targets: Range<Int>
    }

    private var entries: [Entry] = []
    private var targets: [Int] = []
    private var groups: [(receiver: any MessageReceiver, messages: [MQTTMessage])] = []
    private var indices: [SubscriberID: Int] = [:]
    /// An empty array with the capacity of the last first group: most reads have only one group.
    private var spare: [MQTTMessage] = []

    /// Adds a message for these receivers.
    mutating func add(
        _ packet: consuming Publish, to subscribers: [SubscriberID], _ token: DeliveryToken?,
        receivers: [SubscriberID: any MessageReceiver]
    ) {
        let start = self.targets.count
        for subscriber in subscribers {
            if let index = self.indices[subscriber] {
                self.targets.append(index)
            } else if let receiver = receivers[subscriber] {
                self.indices[subscriber] = self.groups.count
                self.targets.append(self.groups.count)
                self.groups.append((receiver, exchange(&self.spare, with: [])))
            }
        }
        self.entries.append(Entry(packet: consume packet, token: token, targets: start..<self.targets.count))
    }

    /// Dispatches all messages, with one call for each receiver, and empties the batch.
    ///
    /// - Parameter now: The time of their arrival.
    mutating func dispatch(_ now: Timestamp) {
        guard !self.entries.isEmpty else { return }
        for index in self.entries.indices {
            // Moved out of the entry, to avoid a copy.
            guard let packet = exchange(&self.entries[index].packet, with: nil),
                let message = MQTTMessage(
                    consume packet, token: self.entries[index].token, now: now)
            else { continue }
            for target in self.entries[index].targets { self.groups[self.targets[target]].messages.append(message) }
        }
        for group in self.groups { group.receiver.receive(group.messages) }
        if !self.groups.isEmpty {
            swap(&self.spare, &self.groups[0].messages)
            self.spare.removeAll(keepingCapacity: true)
        }
        self.entries.removeAll(keepingCapacity: true)
        self.targets.removeAll(keepingCapacity: true)
        self.groups.removeAll(keepingCapacity: true)
        self.indices.removeAll(keepingCapacity: true)
    }
}
