import NIOCore

/// The retained messages: for each topic, the last message that was published with RETAIN (MQTT 5.0 section 3.3.1.3).
package struct RetainedMessages: Sendable {
    /// The result of publishing a message with RETAIN.
    package enum Stored: Equatable, Sendable {
        case set
        /// An empty payload removed the retained message, if there was one [MQTT-3.3.1-6] [MQTT-3.3.1-7].
        case removed(Bool)
        /// There is no room for it. The previous message of the topic is gone as well.
        case full
    }

    /// A message and its publisher.
    package struct Entry: Sendable {
        package let message: BrokerMessage
        /// The client identifier and user name of the publisher; `nil` if the program itself published it.
        package let source: Source?
        /// Orders the messages by the time at which they were retained.
        package let position: Position
    }

    /// A point in the order in which messages were retained.
    package struct Position: Comparable, Sendable {
        fileprivate var number: UInt64 = 0

        package static func < (left: Self, right: Self) -> Bool { left.number < right.number }
    }

    /// The publisher of a message.
    package struct Source: Sendable, Hashable {
        package let clientIdentifier: String
        package let username: String?

        package init(clientIdentifier: String, username: String?) {
            self.clientIdentifier = clientIdentifier
            self.username = username
        }
    }

    /// A point in time, defined by the messages retained and removed until then.
    package struct Mark: Sendable, Equatable {
        fileprivate var byteCount = 0
        fileprivate var removedBytes = 0

        /// The maximum number of bytes retained at that time and removed or replaced since. A copy made at that time
        /// keeps them alive.
        package func bytesRemoved(until now: Mark) -> Int {
            min(self.byteCount, now.removedBytes &- self.removedBytes)
        }
    }

    private var tree = TopicTree<Entry>()
    private let maximumCount: Int
    private let maximumBytes: Int

    /// The approximate size of the messages in memory.
    package private(set) var byteCount = 0
    /// The size of the messages that were removed or replaced since the start.
    private var removedBytes = 0
    /// The size of each publisher's retained messages.
    private var byteCounts: [Source?: Int] = [:]
    /// The position of the message that was retained last.
    package private(set) var latest = Position()

    package init(maximumCount: Int, maximumBytes: Int) {
        self.maximumCount = maximumCount
        self.maximumBytes = maximumBytes
    }

    package var count: Int { self.tree.count }

    /// Retains a message that was published with RETAIN [MQTT-3.3.1-5].
    ///
    /// - Parameter room: How many more bytes a publisher may hold whose messages have this size already.
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
            // The free memory already accounts for the message.
            source == nil || room(self.byteCounts[source] ?? 0) > 0
        else {
            // The previous message is no longer the last one.
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

    /// The message of a topic, unless it has expired.
    package func message(_ topic: TopicName, now: Timestamp) -> BrokerMessage? {
        self.tree[TopicFilter(exactly: topic)].flatMap { $0.message.isExpired(at: now) ? nil : $0.message }
    }

    /// Whether this message is still the one retained for its topic.
    package func isCurrent(_ message: BrokerMessage) -> Bool {
        self.tree[TopicFilter(exactly: message.topic)]?.message === message
    }

    /// Iterates over the messages that match `filter`, with pauses if necessary.
    package func matching(_ filter: TopicFilter) -> Cursor {
        Cursor(began: self.now, cursor: self.tree.topics(matching: filter))
    }

    /// The current state, for comparison with a later one.
    package var now: Mark { Mark(byteCount: self.byteCount, removedBytes: self.removedBytes) }

    /// The expired messages. Searching takes a while, so do it in a copy, then pass the result to ``remove(_:)``.
    package func expired(now: Timestamp) -> [BrokerMessage] {
        var expired: [BrokerMessage] = []
        self.tree.forEach { _, entry in if entry.message.isExpired(at: now) { expired.append(entry.message) } }
        return expired
    }

    /// Removes messages, unless others have replaced them. Returns those that were removed.
    @discardableResult
    package mutating func remove(_ messages: [BrokerMessage]) -> [BrokerMessage] {
        let current = messages.filter { self.isCurrent($0) }
        for message in current {
            let source = self.tree.remove(TopicFilter(exactly: message.topic))?.source
            self.count(-message.byteCount, of: source)
        }
        return current
    }

    /// Iterates over the retained messages as they were when it began.
    package struct Cursor: Sendable {
        /// When it began. The iteration keeps all messages of that time alive.
        package let began: Mark
        fileprivate var cursor: TopicTreeCursor<Entry>

        /// Whether there are no more.
        package var isAtEnd: Bool { self.cursor.isAtEnd }

        /// The next message; `nil` when there is none, or after `steps` steps without a result: then call it again.
        package mutating func next(steps: inout Int) -> Entry? { self.cursor.next(steps: &steps)?.value }
    }
}
