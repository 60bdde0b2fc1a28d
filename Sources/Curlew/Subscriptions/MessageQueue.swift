import CurlewCore
import DequeModule

/// The messages of one subscription that wait for their consumer, within their bounds.
///
/// A plain value: whoever holds it guards it with a lock. In the common case, `.fifo`, an append moves the message into a ring
/// that is already there, and the consumer takes all that waits by swapping its own empty ring for this one: nothing is
/// allocated or copied for each message.
///
/// A message that is dropped is lost even at QoS 1 and 2 (see ``MQTTConfiguration/SubscriptionQueue``): it is handed back to the
/// caller, who counts it as passed by this subscription, so that its acknowledgement does not hold up those behind it.
struct MessageQueue: Sendable {
    private let settings: MQTTConfiguration.SubscriptionQueue
    /// In the order of arrival: for `.fifo` and `.lifo`.
    private var line = Deque<MQTTMessage>()
    /// For an order by priority, `line` stays empty and this holds the messages.
    private var priorities = PriorityBuckets()
    /// For the policy `latestPerTopic`: where in `line` the message of a topic stands.
    private var places = TopicPlaces()
    /// Gives a message its priority, if the order is by priority. It is the user's code, and must not run under a lock.
    let priority: (@Sendable (MQTTMessage) -> Int)?
    private let keepsLatestPerTopic: Bool

    /// How many bytes wait.
    private(set) var byteCount = 0
    /// How many messages were dropped because there were too many.
    private(set) var droppedCount = 0
    /// How many bytes they had.
    private(set) var droppedBytes = 0
    /// How many messages gave their place to a later one of their topic.
    private(set) var replacedCount = 0
    /// Whether the queue ran over while its policy was to fail. What waits can be taken; nothing is appended any more.
    private(set) var hasFailed = false

    /// Makes an empty queue of settings that were validated.
    init(_ settings: MQTTConfiguration.SubscriptionQueue) {
        self.settings = settings
        if case .priority(let priority) = settings.order.kind { self.priority = priority } else { self.priority = nil }
        self.keepsLatestPerTopic = settings.overflow == .latestPerTopic
    }

    /// How many messages wait.
    var count: Int { self.priority == nil ? self.line.count : self.priorities.count }

    /// Whether nothing waits.
    var isEmpty: Bool { self.count == 0 }
}

// MARK: - A message arrives

extension MessageQueue {
    /// What became of a message that arrived.
    enum Append: Equatable {
        /// It waits, and nothing was dropped for it.
        case queued
        /// It waits; others were dropped for it.
        case madeRoom
        /// It was dropped itself.
        case refused
        /// There is no room, and the policy is to fail: neither this message nor any later one is taken.
        case failed
    }

    /// Puts a message in its place.
    ///
    /// - Parameters:
    ///   - rank: What ``priority`` gives for the message.
    ///   - dropped: Gets those that are dropped or replaced, this one perhaps among them, but not one that `failed`.
    mutating func append(_ message: MQTTMessage, rank: Int?, dropped: inout [MQTTMessage]) -> Append {
        if self.hasFailed { return .failed }
        let size = message.weight
        if self.settings.sparesAcknowledged, message.token != nil {
            self.appendToLine(message)
            return .queued
        }
        // A message beyond the bound alone would drive out all the others and still find no room.
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

    /// Drops from the lowest priority until all is within the bounds; the message itself stands in its rank for that.
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
            // The newest of its priority is this very message.
            if victim.priority == priority, victim.wasNewest { return .refused }
        }
        return .madeRoom
    }

    /// The message takes the place of the one before it of the same topic. If it is longer, the oldest others may have to go.
    private mutating func replace(at place: Int, by message: MQTTMessage, dropped: inout [MQTTMessage]) {
        dropped.append(self.line[place])
        self.replacedCount += 1
        self.byteCount += message.weight - self.line[place].weight
        self.line[place] = message
        while self.byteCount > self.settings.bytes, self.line.first?.topic != message.topic {
            self.dropFirst(into: &dropped)
        }
        guard self.byteCount > self.settings.bytes else { return }
        // It is the oldest itself: it steps aside while those behind it go.
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

    /// A message was lost before it came here. Returns what the policy is.
    mutating func countDropped() -> MQTTConfiguration.SubscriptionQueue.Overflow {
        self.droppedCount += 1
        return self.settings.overflow
    }

    private mutating func fail() -> Append {
        self.hasFailed = true
        return .failed
    }
}

// MARK: - The consumer takes

extension MessageQueue {
    /// Whether the consumer loses nothing by taking all at once. Where this is `false` it takes one at a time with `popNext`, so
    /// that what arrives later can still overtake or replace what waits.
    var servesBatches: Bool {
        if case .fifo = self.settings.order.kind { return !self.keepsLatestPerTopic }
        return false
    }

    /// Takes the next message out; `nil` when nothing waits.
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

    /// The oldest message of a queue in the order of arrival.
    var oldest: MQTTMessage? { self.line.first }

    /// Puts back what the consumer has taken and not looked at: it is the oldest. It may exceed the bounds until more arrives.
    mutating func putBack(_ batch: consuming Deque<MQTTMessage>) {
        assert(self.servesBatches, "What is taken one at a time is not put back.")
        for message in batch { self.byteCount += message.weight }
        if !self.line.isEmpty { batch.append(contentsOf: self.line) }
        self.line = batch
    }

    /// Takes all that waits, in the order of the queue.
    ///
    /// - Parameter batch: Empty. For `.fifo` it changes places with the queue's own storage, so that both keep their capacity.
    mutating func takeAll(into batch: inout Deque<MQTTMessage>) {
        assert(batch.isEmpty, "What the consumer still has in hand would come after what it takes now.")
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
