import NIOCore

/// The retained messages: of each topic the last that was published with RETAIN (MQTT 5.0 section 3.3.1.3).
package struct RetainedMessages: Sendable {
    /// What became of a message published with RETAIN.
    package enum Stored: Equatable, Sendable {
        case set
        /// An empty payload removed what there was, or there was nothing [MQTT-3.3.1-6] [MQTT-3.3.1-7].
        case removed(Bool)
        /// There is no room for it; the former message of the topic is gone as well.
        case full
    }

    /// A message, and who published it.
    package struct Entry: Sendable {
        package let message: BrokerMessage
        /// The client identifier and the user name of the publisher; `nil` when the program itself published it.
        package let source: Source?
        /// When it was retained, compared with others.
        package let position: Position
    }

    /// A point in the order in which messages were retained.
    package struct Position: Comparable, Sendable {
        fileprivate var number: UInt64 = 0

        package static func < (left: Self, right: Self) -> Bool { left.number < right.number }
    }

    /// Who published a message.
    package struct Source: Sendable, Hashable {
        package let clientIdentifier: String
        package let username: String?

        package init(clientIdentifier: String, username: String?) {
            self.clientIdentifier = clientIdentifier
            self.username = username
        }
    }

    /// A point in time, by what was retained then and what had been removed until then.
    package struct Mark: Sendable, Equatable {
        fileprivate var byteCount = 0
        fileprivate var removedBytes = 0

        /// How much of what was retained then has been removed or replaced since, at the most. Whoever still holds the messages of that time
        /// keeps so much alive.
        package func bytesRemoved(until now: Mark) -> Int {
            min(self.byteCount, now.removedBytes &- self.removedBytes)
        }
    }

    private var tree = TopicTree<Entry>()
    private let maximumCount: Int
    private let maximumBytes: Int

    /// What they weigh in memory, roughly.
    package private(set) var byteCount = 0
    /// What those weighed that were removed or replaced since the start.
    private var removedBytes = 0
    /// Of what is retained, what each publisher's messages weigh.
    private var byteCounts: [Source?: Int] = [:]
    /// The position of the message that was retained last.
    package private(set) var latest = Position()

    package init(maximumCount: Int, maximumBytes: Int) {
        self.maximumCount = maximumCount
        self.maximumBytes = maximumBytes
    }

    package var count: Int { self.tree.count }

    /// Takes a message that was published with RETAIN [MQTT-3.3.1-5].
    ///
    /// - Parameter room: How many bytes more may be held by a publisher whose messages weigh so much.
    package mutating func store(
        _ message: BrokerMessage, from source: Source?, room: (Int) -> Int = { _ in .max }
    ) -> Stored {
        let key = TopicFilter(exactly: message.topic)
        let former = self.tree[key]
        if let former { self.count(-former.message.byteCount, of: former.source) }
        guard message.payload.readableBytes > 0 else {
            self.tree.remove(key)
            return .removed(former != nil)
        }
        guard former != nil || self.tree.count < self.maximumCount,
            self.byteCount <= self.maximumBytes - message.byteCount,
            // The message is counted in the memory that is free already.
            source == nil || room(self.byteCounts[source] ?? 0) > 0
        else {
            // What was there is not the last message any more.
            self.tree.remove(key)
            return .full
        }
        self.latest.number += 1
        self.tree[key] = Entry(message: message, source: source, position: self.latest)
        self.count(message.byteCount, of: source)
        return .set
    }

    private mutating func count(_ byteCount: Int, of source: Source?) {
        self.byteCount += byteCount
        if byteCount < 0 { self.removedBytes &-= byteCount }
        let bytes = (self.byteCounts[source] ?? 0) + byteCount
        self.byteCounts[source] = bytes == 0 ? nil : bytes
    }

    /// The message of a topic, unless its time is over.
    package func message(_ topic: TopicName, now: Timestamp) -> BrokerMessage? {
        self.tree[TopicFilter(exactly: topic)].flatMap { $0.message.isExpired(at: now) ? nil : $0.message }
    }

    /// Whether this message is still the one of its topic.
    package func isCurrent(_ message: BrokerMessage) -> Bool {
        self.tree[TopicFilter(exactly: message.topic)]?.message === message
    }

    /// Goes through the messages that match `filter`, with pauses if need be.
    package func matching(_ filter: TopicFilter) -> Cursor {
        Cursor(began: self.now, cursor: self.tree.topics(matching: filter))
    }

    /// The present state, to be compared with an earlier one.
    package var now: Mark { Mark(byteCount: self.byteCount, removedBytes: self.removedBytes) }

    /// Those whose time is over: to be looked for in a copy, for it takes a while, and then given to ``remove(_:)``.
    package func expired(now: Timestamp) -> [BrokerMessage] {
        var expired: [BrokerMessage] = []
        self.tree.forEach { _, entry in if entry.message.isExpired(at: now) { expired.append(entry.message) } }
        return expired
    }

    /// Removes messages, unless others have taken their places. Returns those that were removed.
    @discardableResult
    package mutating func remove(_ messages: [BrokerMessage]) -> [BrokerMessage] {
        let current = messages.filter { self.isCurrent($0) }
        for message in current {
            let source = self.tree.remove(TopicFilter(exactly: message.topic))?.source
            self.count(-message.byteCount, of: source)
        }
        return current
    }

    /// Goes through retained messages, as they were when it began.
    package struct Cursor: Sendable {
        /// When it began. It keeps all messages of that time alive.
        package let began: Mark
        fileprivate var cursor: TopicTreeCursor<Entry>

        /// Whether there are no more.
        package var isAtEnd: Bool { self.cursor.isAtEnd }

        /// The next one; `nil` when there is none, or when `steps` have been made in vain: then it can be asked again.
        package mutating func next(steps: inout Int) -> Entry? { self.cursor.next(steps: &steps)?.value }
    }
}
