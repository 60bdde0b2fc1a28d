import DequeModule
package import NIOCore

/// An outgoing application message, as the outbox keeps it until the server has accepted it.
package struct OutgoingMessage: Equatable, Sendable {
    package var topic: TopicName
    package var payload: ByteBuffer
    package var qos: QoS
    package var retain: Bool
    package var properties: Properties

    package init(
        topic: TopicName, payload: ByteBuffer, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: Properties = Properties()
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties
    }

    /// Its size, for the limits of the outbox.
    var byteCount: Int { self.payload.readableBytes + self.topic.string.utf8.count }
}

/// Messages that were accepted and not yet sent, in order. Separate from the protocol session, because they outlive the
/// connection and the loss of the session at the server.
struct Outbox {
    /// A waiting message; `message` is `nil` when its request was cancelled.
    struct Entry {
        let request: RequestID
        var message: OutgoingMessage?
        let expiresAt: Timestamp?
        /// Whether it was sent in a session that the server has lost: it may have arrived.
        let wasSent: Bool
    }

    /// In ascending order of `request`.
    private var entries = Deque<Entry>()
    /// The number of waiting messages, without cancelled ones.
    private(set) var count = 0
    /// Their size.
    private(set) var bytes = 0
    /// The number of QoS 0 messages among them: while there are some, another QoS 0 message must wait behind them.
    private(set) var countAtMostOnce = 0
    /// The number of messages that were sent before, in a session that the server has lost.
    private(set) var countSent = 0

    var isEmpty: Bool { self.count == 0 }

    /// The requests of all waiting messages.
    var requests: [RequestID] { self.entries.compactMap { $0.message == nil ? nil : $0.request } }

    /// The number of entries, including cancelled ones that were not removed yet.
    var places: Int { self.entries.count }

    mutating func append(_ entry: Entry) {
        self.account(entry, 1)
        self.entries.append(entry)
    }

    /// Puts a message that was sent before at the head.
    mutating func prepend(_ entry: Entry) {
        self.account(entry, 1)
        self.entries.prepend(entry)
    }

    /// The first entry that was not cancelled.
    mutating func first() -> Entry? {
        while let entry = self.entries.first {
            if entry.message != nil { return entry }
            self.entries.removeFirst()
        }
        return nil
    }

    mutating func removeFirst() {
        guard let entry = self.entries.popFirst() else { return }
        self.account(entry, -1)
    }

    /// Removes a message that was never sent. Returns whether there was one.
    mutating func cancel(_ request: RequestID) -> Bool {
        guard let index = self.index(of: request), !self.entries[index].wasSent else { return false }
        return self.remove(at: index) != nil
    }

    /// Removes a message, even one that was sent.
    mutating func remove(_ request: RequestID) -> OutgoingMessage? {
        self.index(of: request).flatMap { self.remove(at: $0) }
    }

    private func index(of request: RequestID) -> Int? {
        var low = 0
        var high = self.entries.count
        while low < high {
            let middle = (low + high) / 2
            if self.entries[middle].request < request { low = middle + 1 } else { high = middle }
        }
        return low < self.entries.count && self.entries[low].request == request ? low : nil
    }

    private mutating func remove(at index: Int) -> OutgoingMessage? {
        guard let message = self.entries[index].message else { return nil }
        self.account(self.entries[index], -1)
        self.entries[index].message = nil
        self.dropCancelledEnds()
        return message
    }

    /// Prevents cancelled entries from accumulating while nothing is being sent: those at either end are removed at
    /// once, and all when they are more than half.
    private mutating func dropCancelledEnds() {
        while let last = self.entries.last, last.message == nil { self.entries.removeLast() }
        while let first = self.entries.first, first.message == nil { self.entries.removeFirst() }
        if self.entries.count > 64, self.count * 2 < self.entries.count {
            self.entries.removeAll { $0.message == nil }
        }
    }

    private mutating func account(_ entry: Entry, _ sign: Int) {
        guard let message = entry.message else { return }
        self.count += sign
        self.bytes += sign * message.byteCount
        if message.qos == .atMostOnce { self.countAtMostOnce += sign }
        if entry.wasSent { self.countSent += sign }
    }
}
