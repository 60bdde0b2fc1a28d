import CurlewCore
import DequeModule

/// The messages of one subscription that wait for their consumer, within the configured limits.
///
/// A plain value; its owner guards it with a lock. In the common case, `.fifo`, an append moves the message into
/// existing storage, and the consumer takes all messages by swapping its empty storage for this one. No message is
/// allocated or copied.
///
/// A dropped message is lost even at QoS 1 and 2 (see ``MQTTConfiguration/SubscriptionQueue``). The caller gets it back
/// and acknowledges it, so that it does not delay the acknowledgements of later messages.
struct MessageQueue: Sendable {
    private let settings: MQTTConfiguration.SubscriptionQueue
    /// In the order of arrival: for `.fifo` and `.lifo`.
    private var line = Deque<MQTTMessage>()
    /// For an order by priority; `line` then stays empty.
    private var priorities = PriorityBuckets()
    /// For the policy `latestPerTopic`: the position in `line` of each topic's message.
    private var places = TopicPlaces()
    /// Returns the priority of a message; `nil` unless the order is by priority. This is user code, so do not call it
    /// under a lock.
    let priority: (@Sendable (MQTTMessage) -> Int)?
    private let keepsLatestPerTopic: Bool

    /// The weight of the waiting messages in bytes.
    private(set) var byteCount = 0
    /// The number of messages that were dropped.
    private(set) var droppedCount = 0
    /// The weight of the dropped messages in bytes.
    private(set) var droppedBytes = 0
    /// The number of messages that a later message of their topic replaced.
    private(set) var replacedCount = 0
    /// Whether the queue overflowed with the policy `fail`. It accepts no more messages; the waiting ones can be taken.
    private(set) var hasFailed = false

    /// Creates an empty queue. The settings must be valid.
    init(_ settings: MQTTConfiguration.SubscriptionQueue) {
        self.settings = settings
        if case .priority(let priority) = settings.order.kind { self.priority = priority } else { self.priority = nil }
        self.keepsLatestPerTopic = settings.overflow == .latestPerTopic
    }

    /// The number of waiting messages.
    var count: Int { self.priority == nil ? self.line.count : self.priorities.count }

    var isEmpty: Bool { self.count == 0 }
}

// MARK: - A message arrives

extension MessageQueue {
    /// What happened to a message that arrived.
    enum Append: Equatable {
        /// It waits; nothing was dropped.
        case queued
        /// It waits; other messages were dropped or replaced.
        case madeRoom
        /// It was dropped.
        case refused
        /// There is no room, and the policy is `fail`: the queue accepts neither this message nor any later one.
        case failed
    }

    /// Adds a message.
    ///
    /// - Parameters:
    ///   - rank: The result of ``priority`` for the message.
    ///   - dropped: Receives the messages that are dropped or replaced, which may include this one. A message that
    ///     `failed` is not among them.
    mutating func append(_ message: MQTTMessage, rank: Int?, dropped: inout [MQTTMessage]) -> Append {
        if self.hasFailed { return .failed }
        let size = message.weight
        if self.settings.sparesAcknowledged, message.token != nil {
            self.appendToLine(message)
            return .queued
        }
        // A message larger than the limit would evict all others and still not fit.
        guard size <= self.settings.bytes else {
            if self.settings.overflow == .fail { return self.fail() }
            self.drop(message, into: &dropped)
            return .refused
        }
        if let rank { return self.append(message, priority: rank, dropped: &dropped) }
        if self.keepsLatestPerTopic, let place = self.places[message.topic] {
            self.replace(at: place, by: message, dropped: &dropped)
            return .madeRoom
        }
        if self.hasRoom(for: size) {
            self.appendToLine(message)
            return .queued
        }
        switch self.settings.overflow.kind {
        case .fail:
            return self.fail()
        case .dropNewest:
            self.drop(message, into: &dropped)
            return .refused
        case .dropOldest, .latestPerTopic:
            while let first = self.line.first, !self.hasRoom(for: size) {
                if self.settings.sparesAcknowledged, first.token != nil {
                    self.drop(message, into: &dropped)
                    return .refused
                }
                self.dropFirst(into: &dropped)
            }
            self.appendToLine(message)
            return .madeRoom
        }
    }

    private func hasRoom(for size: Int) -> Bool {
        self.count < self.settings.count && size <= self.settings.bytes - self.byteCount
    }

    private mutating func appendToLine(_ message: MQTTMessage) {
        if self.keepsLatestPerTopic { self.places.insert(message.topic, at: self.line.count) }
        self.byteCount += message.weight
        self.line.append(message)
    }

    /// Adds the message to those of its priority, then drops messages of the lowest priority until the limits hold.
    private mutating func append(
        _ message: MQTTMessage, priority: Int, dropped: inout [MQTTMessage]
    ) -> Append {
        let fits = self.hasRoom(for: message.weight)
        if !fits, self.settings.overflow == .fail { return self.fail() }
        self.priorities.insert(message, priority: priority)
        self.byteCount += message.weight
        if fits { return .queued }
        let age: PriorityBuckets.Age = self.settings.overflow == .dropNewest ? .newest : .oldest
        while self.count > self.settings.count || self.byteCount > self.settings.bytes,
            let victim = self.priorities.removeLowest(age)
        {
            self.byteCount -= victim.message.weight
            self.drop(victim.message, into: &dropped)
            // The newest message of its priority is the one just added.
            if victim.priority == priority, victim.wasNewest { return .refused }
        }
        return .madeRoom
    }

    /// Replaces the previous message of the same topic. If the new one is larger, the oldest other messages may have to
    /// be dropped.
    private mutating func replace(at place: Int, by message: MQTTMessage, dropped: inout [MQTTMessage]) {
        dropped.append(self.line[place])
        self.replacedCount += 1
        self.byteCount += message.weight - self.line[place].weight
        self.line[place] = message
        while self.byteCount > self.settings.bytes, self.line.first?.topic != message.topic {
            self.dropFirst(into: &dropped)
        }
        guard self.byteCount > self.settings.bytes else { return }
        // The message is the oldest itself: take it out while the messages behind it are dropped.
        self.places.removeFirst(message.topic)
        self.line.removeFirst()
        while !self.line.isEmpty, self.byteCount > self.settings.bytes { self.dropFirst(into: &dropped) }
        self.line.prepend(message)
        self.places.prepend(message.topic)
    }

    private mutating func dropFirst(into dropped: inout [MQTTMessage]) {
        guard let victim = self.line.popFirst() else { return }
        if self.keepsLatestPerTopic { self.places.removeFirst(victim.topic) }
        self.byteCount -= victim.weight
        self.drop(victim, into: &dropped)
    }

    private mutating func drop(_ message: MQTTMessage, into dropped: inout [MQTTMessage]) {
        self.droppedCount += 1
        self.droppedBytes += message.weight
        dropped.append(message)
    }

    /// Counts a message that was lost before it reached the queue. Returns the overflow policy.
    mutating func countDropped() -> MQTTConfiguration.SubscriptionQueue.Overflow {
        self.droppedCount += 1
        return self.settings.overflow
    }

    private mutating func fail() -> Append {
        self.hasFailed = true
        return .failed
    }
}

// MARK: - The consumer takes messages

extension MessageQueue {
    /// Whether the consumer may take all messages at once. If `false`, it takes one at a time with `popNext`, so that
    /// later messages can still overtake or replace waiting ones.
    var servesBatches: Bool {
        if case .fifo = self.settings.order.kind { return !self.keepsLatestPerTopic }
        return false
    }

    /// Removes and returns the next message; `nil` if the queue is empty.
    mutating func popNext() -> MQTTMessage? {
        let next: MQTTMessage?
        switch self.settings.order.kind {
        case .fifo:
            next = self.line.popFirst()
            if self.keepsLatestPerTopic, let next { self.places.removeFirst(next.topic) }
        case .lifo:
            next = self.line.popLast()
            if self.keepsLatestPerTopic, let next { self.places.removeLast(next.topic) }
        case .priority:
            next = self.priorities.popHighest()
        }
        if let next { self.byteCount -= next.weight }
        return next
    }

    /// The oldest message; only for an order of arrival.
    var oldest: MQTTMessage? { self.line.first }

    /// Puts back the messages that the consumer took but did not use; they are the oldest. The queue may exceed its
    /// limits until the next message arrives.
    mutating func putBack(_ batch: consuming Deque<MQTTMessage>) {
        assert(self.servesBatches, "Messages that are taken one at a time are not put back.")
        for message in batch { self.byteCount += message.weight }
        if !self.line.isEmpty { batch.append(contentsOf: self.line) }
        self.line = batch
    }

    /// Takes all messages, in the order of the queue.
    ///
    /// - Parameter batch: Must be empty. For `.fifo` it is swapped with the queue's storage, so that both keep their
    ///   capacity.
    mutating func takeAll(into batch: inout Deque<MQTTMessage>) {
        assert(batch.isEmpty, "Earlier messages in the batch would come after later ones.")
        switch self.settings.order.kind {
        case .fifo where batch.isEmpty:
            swap(&self.line, &batch)
            self.byteCount = 0
            if self.keepsLatestPerTopic { self.places.removeAll() }
        default:
            while let next = self.popNext() { batch.append(next) }
        }
    }
}
