import DequeModule

/// Messages at QoS 1 and 2 without a subscriber: from a kept session, from a subscription that the server created, or
/// left unread by a subscription that has ended. They wait, unacknowledged, for a subscription that claims them.
///
/// Acknowledgements are sent in the order of arrival, so one that waits blocks all later ones, and finally the server's
/// window. Therefore their number, size and time are bounded. Beyond these bounds a message is released, which is
/// reported and acknowledged. Once a message has exceeded its time, later ones of the same connection do not wait at
/// all; otherwise a server with many such messages would be blocked repeatedly.
package struct UnclaimedMessages<Message: Sendable>: Sendable {
    /// Limits on number, size and time.
    package struct Bounds: Sendable, Hashable {
        package var count: Int
        package var bytes: Int
        /// `nil`: no limit.
        package var time: Duration?

        package init(count: Int, bytes: Int, time: Duration?) {
            self.count = count
            self.bytes = bytes
            self.time = time
        }
    }

    private struct Entry {
        let message: Message
        let topic: TopicName
        let size: Int
        let token: DeliveryToken
        /// Since when the message has waited on the current connection.
        var since: Timestamp
    }

    /// Released messages, for people.
    package struct Report: Equatable, Sendable {
        /// The first few topics, each once.
        package var topics: [TopicName] = []
        package var count = 0
    }

    /// The number of topics in a report.
    private static var namedTopics: Int { 8 }
    /// The shortest time between two reports: a server must not be able to fill a log.
    private static var reportInterval: Duration { .seconds(1) }

    private let bounds: Bounds

    // MARK: As long as the client

    /// In the order of arrival.
    private var entries = Deque<Entry>()
    private var bytes = 0
    /// Since when the oldest message has waited.
    private var earliest: Timestamp?
    private var report = Report()
    private var reported: Timestamp?

    // MARK: As long as the connection

    /// Whether no message has exceeded its time.
    private var isPatient = true
    /// Whether time counts: without a connection nothing is acknowledged, so releasing a message would gain nothing.
    private var isConnected = false

    package init(_ bounds: Bounds) { self.bounds = bounds }

    package var count: Int { self.entries.count }

    /// The number of released messages.
    package private(set) var letGoCount = 0

    /// When to release the next message or to report; `nil` if nothing waits for its time.
    package var deadline: Timestamp? {
        let expiry = self.isConnected ? self.bounds.time.flatMap { time in self.earliest.map { $0 + time } } : nil
        let report = self.report.count > 0 ? (self.reported.map { $0 + Self.reportInterval } ?? .start) : nil
        guard let expiry, let report else { return expiry ?? report }
        return min(expiry, report)
    }

    // MARK: Events

    /// A message has no subscriber. Returns the tokens of the messages that are released, each to be passed once.
    package mutating func unclaimed(
        _ message: Message, on topic: TopicName, size: Int, _ token: DeliveryToken, at now: Timestamp
    ) -> [DeliveryToken] {
        let place = self.place(of: token)
        // Two subscriptions have returned the same message.
        if place < self.entries.count, self.entries[place].token == token { return [token] }
        guard self.isPatient, self.bounds.time != .zero, self.bounds.count > 0, size <= self.bounds.bytes else {
            self.note(topic)
            return [token]
        }
        self.entries.insert(Entry(message: message, topic: topic, size: size, token: token, since: now), at: place)
        self.bytes += size
        self.earliest = min(self.earliest ?? now, now)
        var tokens: [DeliveryToken] = []
        while self.entries.count > self.bounds.count || self.bytes > self.bounds.bytes,
            let first = self.entries.popFirst()
        {
            self.bytes -= first.size
            self.note(first.topic)
            tokens.append(first.token)
        }
        if !tokens.isEmpty { self.findEarliest() }
        return tokens
    }

    /// A subscription claims the messages that its filters match. Returned in the order of arrival; the subscription
    /// passes each once.
    package mutating func claimed(by filters: [TopicFilter]) -> [Message] {
        self.remove { entry in filters.contains { $0.matches(entry.topic) } }.map(\.message)
    }

    /// A subscriber claims all messages.
    package mutating func allClaimed() -> [Message] { self.remove { _ in true }.map(\.message) }

    /// Time has passed. Returns the tokens of the messages that are released, each to be passed once.
    package mutating func timePassed(_ now: Timestamp) -> [DeliveryToken] {
        guard self.isConnected, let time = self.bounds.time, let earliest, earliest + time <= now else { return [] }
        self.isPatient = false
        let expired = self.remove { $0.since + time <= now }
        for entry in expired { self.note(entry.topic) }
        return expired.map(\.token)
    }

    /// A connection begins. If the server has kept the session, it resends the messages without an acknowledgement,
    /// except QoS 2 messages that it knows to have arrived. Otherwise the messages here are the only copies.
    ///
    /// - Parameter isOrphan: Whether the server has lost the session in which it sent a message.
    package mutating func connected(isResumed: Bool, at now: Timestamp, isOrphan: (DeliveryToken) -> Bool) {
        self.isPatient = true
        self.isConnected = true
        if isResumed { _ = self.remove { $0.token.qos == .atLeastOnce && !isOrphan($0.token) } }
        for index in self.entries.indices { self.entries[index].since = now }
        self.findEarliest()
    }

    /// The connection is lost.
    package mutating func connectionLost() { self.isConnected = false }

    /// The client ends. The server keeps the messages without an acknowledgement. Returns what is still to be reported.
    package mutating func end() -> Report? {
        let report = self.report
        let count = self.letGoCount
        self = Self(self.bounds)
        self.letGoCount = count
        return report.count > 0 ? report : nil
    }

    /// The messages released since the last report, unless that was less than the shortest interval ago.
    package mutating func takeReport(at now: Timestamp) -> Report? {
        guard self.report.count > 0, self.reported.map({ $0 + Self.reportInterval <= now }) ?? true else { return nil }
        self.reported = now
        return exchange(&self.report, with: Report())
    }

    // MARK: Implementation

    /// The position of a message, present or not: usually at the end.
    private func place(of token: DeliveryToken) -> Int {
        var place = self.entries.count
        while place > 0, self.entries[place - 1].token.sequence >= token.sequence { place -= 1 }
        return place
    }

    private mutating func remove(_ isWanted: (Entry) -> Bool) -> [Entry] {
        guard !self.entries.isEmpty else { return [] }
        let removed = self.entries.filter(isWanted)
        guard !removed.isEmpty else { return [] }
        self.entries.removeAll(where: isWanted)
        for entry in removed { self.bytes -= entry.size }
        self.findEarliest()
        return Array(removed)
    }

    private mutating func findEarliest() { self.earliest = self.entries.lazy.map(\.since).min() }

    private mutating func note(_ topic: TopicName) {
        self.letGoCount += 1
        self.report.count += 1
        guard self.report.topics.count < Self.namedTopics, !self.report.topics.contains(topic) else { return }
        self.report.topics.append(topic)
    }
}
