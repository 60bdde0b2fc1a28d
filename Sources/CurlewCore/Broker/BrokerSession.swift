import DequeModule
import NIOCore

/// What the broker keeps for one client: messages on their way to it (MQTT 5.0 section 4.1).
///
/// A message is *written* when the connection can take it, and *queued* otherwise. At QoS 1 and 2 it is *in flight*
/// from being written to being acknowledged, and is resent on the next connection. Messages from the client belong to
/// ``BrokerIncoming``, its subscriptions to the ``SubscriptionIndex``.
package struct BrokerSession: Sendable {
    /// The limits of queue and window.
    package struct Bounds: Sendable, Equatable {
        package var inFlightMessages: Int
        /// The size of payloads.
        package var inFlightBytes: Int
        package var queuedMessages: Int
        package var queuedBytes: Int
        /// Whether QoS 0 messages are queued while the client is disconnected.
        package var queuesAtMostOnce: Bool
        /// Whether a full queue drops its oldest message, and not the new one.
        package var dropsOldest: Bool
        /// How long a client that acknowledges too slowly may take to show progress while its publishers wait; zero if
        /// they never wait.
        package var patience: Duration
        /// Whether ``queuedBytes`` counts only payloads, and not all that a message takes in memory.
        package var countsPayloads: Bool

        package init(
            inFlightMessages: Int = 1000, inFlightBytes: Int = .max, queuedMessages: Int = 10_000,
            queuedBytes: Int = 64 << 20,
            queuesAtMostOnce: Bool = false, dropsOldest: Bool = false, patience: Duration = .seconds(1),
            countsPayloads: Bool = false
        ) {
            self.inFlightMessages = inFlightMessages
            self.inFlightBytes = inFlightBytes
            self.queuedMessages = queuedMessages
            self.queuedBytes = queuedBytes
            self.queuesAtMostOnce = queuesAtMostOnce
            self.dropsOldest = dropsOldest
            self.patience = patience
            self.countsPayloads = countsPayloads
        }

        /// The size of a message as ``queuedBytes`` counts it.
        func size(of pending: Pending) -> Int {
            self.countsPayloads ? pending.message.payload.readableBytes : pending.weight
        }
    }

    /// What a client accepts on one connection, according to its CONNECT.
    package struct ConnectionTerms: Sendable, Equatable {
        package var version: ProtocolVersion
        /// The client's Receive Maximum, or our own limit if that is less [MQTT-3.3.4-9].
        package var receiveMaximum: Int
        /// `nil` for no limit [MQTT-3.1.2-27].
        package var maximumPacketSize: UInt32?
        /// The number of topic aliases to use [MQTT-3.1.2-29].
        package var topicAliasMaximum: UInt16

        package init(
            version: ProtocolVersion, receiveMaximum: Int, maximumPacketSize: UInt32? = nil,
            topicAliasMaximum: UInt16 = 0
        ) {
            self.version = version
            self.receiveMaximum = receiveMaximum
            self.maximumPacketSize = maximumPacketSize
            self.topicAliasMaximum = topicAliasMaximum
        }
    }

    /// A message for this client.
    struct Pending: Sendable {
        let message: BrokerMessage
        let terms: DeliveryTerms
        /// Identifies it within the session; later messages have higher numbers. 0 at QoS 0.
        let number: UInt64

        /// Its size for the limits.
        var weight: Int { self.message.byteCount + self.ownWeight }

        /// Its size without the message, which sessions may share: the entry, in a table that may be half empty.
        var ownWeight: Int { 128 + self.terms.identifiers.count * MemoryLayout<UInt32>.stride }
    }

    /// An exchange of packets at QoS 1 or 2 under one packet identifier.
    enum Exchange: OutgoingExchange {
        case publish(Pending)
        /// After PUBREC. A store needs the number of the message.
        case release(UInt64)

        var byteCount: Int {
            if case .publish(let pending) = self { pending.message.byteCount } else { 0 }
        }

        var payloadByteCount: Int {
            if case .publish(let pending) = self { pending.message.payload.readableBytes } else { 0 }
        }

        /// The number of the message within the session.
        var number: UInt64 {
            switch self {
            case .publish(let pending): pending.number
            case .release(let number): number
            }
        }

        func released(by reasonCode: ReasonCode) -> Self { .release(self.number) }
    }

    /// State of the current connection.
    struct Connection: Sendable {
        var terms: ConnectionTerms
        var publishes: PublishWriter
    }

    // MARK: As long as the session

    package var bounds: Bounds
    /// The messages in flight.
    var outgoing = OutgoingQoS<Exchange>()
    private(set) var queue = Deque<Pending>()
    /// The size of the queued messages.
    package private(set) var queuedBytes = 0
    /// The same, as the bounds count it.
    private var queuedSize = 0
    /// No queued message expires before this time.
    private var firstExpiry: Timestamp?
    /// When the queue was last searched for expired messages.
    private var expirySearched: Timestamp?
    /// The number and size of queued QoS 0 messages.
    private var queuedAtMostOnce = Backpressure.Load()
    /// The greatest length of the queue since it was empty.
    private var peak = 0
    /// Whether publishers to the client have to wait.
    private var backpressure: Backpressure
    /// Counts the messages, which sessions may share.
    private let ledger: (any MessageLedger)?
    /// The number of the next message.
    var nextNumber: UInt64 = 1
    /// Changes since the last ``takeChanges()``; `nil` if they are not recorded.
    var changes: [Change]?

    // MARK: As long as the connection

    var connection: Connection?

    /// - Parameter ledger: Counts the messages that this session creates.
    package init(bounds: Bounds, ledger: (any MessageLedger)? = nil) {
        self.bounds = bounds
        self.ledger = ledger
        self.backpressure = Backpressure(patience: bounds.patience)
    }

    package var isConnected: Bool { self.connection != nil }
    package var queuedMessages: Int { self.queue.count }
    package var messagesInFlight: Int { self.outgoing.count }
    package var bytesInFlight: Int { self.outgoing.bytes }

    /// The approximate size of the session in memory, without its messages.
    package var ownBytes: Int {
        (self.queue.count + self.outgoing.places) * 128
    }

    /// The approximate size of the topics with an alias.
    package var aliasBytes: Int { self.connection?.publishes.aliasBytes ?? 0 }

    /// Whether a message at this QoS would be written now, and not queued.
    package func hasWindow(for qos: QoS) -> Bool {
        guard self.isConnected else { return false }
        if qos == .atMostOnce { return self.queuedAtMostOnce.messages == 0 }
        return self.outgoing.mayPublish && self.queue.isEmpty && self.hasRoomInFlight
    }

    /// Whether ``pump(limit:now:into:)`` would write something.
    package var hasMoreToWrite: Bool {
        guard self.isConnected else { return false }
        if self.outgoing.hasResends { return self.outgoing.quota > 0 }
        guard let first = self.queue.first else { return false }
        return first.terms.qos == .atMostOnce || self.outgoing.quota > 0 && self.hasRoomInFlight
    }

    // MARK: Connections

    /// The client has connected: what was in flight is resent, in its order, before anything else [MQTT-4.4.0-1]
    /// [MQTT-4.6.0-1].
    package mutating func connected(_ terms: ConnectionTerms) {
        self.connection = Connection(
            terms: terms,
            publishes: PublishWriter(
                version: terms.version, maximumPacketSize: terms.maximumPacketSize,
                topicAliasMaximum: terms.topicAliasMaximum))
        self.outgoing.connected(window: min(terms.receiveMaximum, self.bounds.inFlightMessages))
        self.backpressure.connected()
    }

    /// The connection is lost. Queued QoS 0 messages are dropped, unless the bounds keep them.
    package mutating func disconnected() {
        self.connection = nil
        self.outgoing.connectionLost()
        guard !self.bounds.queuesAtMostOnce, self.queuedAtMostOnce.messages > 0 else { return }
        self.keep { $0.terms.qos > .atMostOnce }
    }

    /// The session ends. Returns the messages of shared subscriptions that another member should get: not QoS 2
    /// messages in flight, because the client may have received them [MQTT-4.8.2-5].
    package mutating func end() -> [(TopicFilter, BrokerMessage)] {
        var orphans: [(TopicFilter, BrokerMessage)] = []
        for id in self.outgoing.identifiers(in: .unanswered) {
            guard case .publish(let pending)? = self.outgoing[id], pending.terms.qos == .atLeastOnce else {
                continue
            }
            if let group = pending.terms.group { orphans.append((group, pending.message)) }
        }
        for pending in self.queue {
            if let group = pending.terms.group { orphans.append((group, pending.message)) }
        }
        self = Self(bounds: self.bounds, ledger: self.ledger)
        return orphans
    }

    /// Drops the oldest queued messages until at least this number of bytes is free, or all. Returns their topics.
    package mutating func dropOldest(_ byteCount: Int) -> [TopicName] {
        var topics: [TopicName] = []
        let goal = self.queuedBytes - min(byteCount, self.queuedBytes)
        while self.queuedBytes > goal, let oldest = self.removeFirst() {
            self.record(.removed(oldest.number))
            topics.append(oldest.message.topic)
        }
        return topics
    }

    /// The client has left shared subscriptions: messages queued for it as a member go to other members.
    package mutating func left(_ groups: Set<TopicFilter>) -> [(TopicFilter, BrokerMessage)] {
        guard !groups.isEmpty else { return [] }
        var orphans: [(TopicFilter, BrokerMessage)] = []
        for pending in self.queue {
            if let group = pending.terms.group, groups.contains(group) { orphans.append((group, pending.message)) }
        }
        if !orphans.isEmpty { self.keep { pending in pending.terms.group.map { !groups.contains($0) } ?? true } }
        return orphans
    }

    // MARK: The queue

    /// What happened to a message.
    package enum Delivered: Equatable, Sendable {
        /// It was written.
        case written
        /// It was queued.
        case queued
        /// It was not queued: QoS 0, and the client is disconnected.
        case notKept
        /// This number of older messages was dropped to make room for it, which sufficed if it `isTaken`.
        case queuedInPlaceOf(Int, isTaken: Bool)
        /// It was dropped, because there was no room.
        case queueFull
        /// It is larger than the client accepts, and counts as delivered [MQTT-3.1.2-28].
        case tooLarge

        /// Whether the client will not get the message because there was no room for it.
        package var isRefused: Bool {
            switch self {
            case .queueFull, .queuedInPlaceOf(_, isTaken: false): true
            case .written, .queued, .notKept, .queuedInPlaceOf(_, isTaken: true), .tooLarge: false
            }
        }
    }

    /// Queues a message.
    ///
    /// - Parameter room: How many more bytes the broker's memory has for this client.
    mutating func enqueue(
        _ publication: inout Publication, _ terms: DeliveryTerms, room: Int, now: Timestamp
    ) -> Delivered {
        let isAtMostOnce = terms.qos == .atMostOnce
        guard self.isConnected || !isAtMostOnce || self.bounds.queuesAtMostOnce else { return .notKept }
        // QoS 0 messages must leave room for acknowledged ones.
        if isAtMostOnce, self.isConnected, !self.bounds.dropsOldest, self.isHalfFull { return .queueFull }
        let pending = Pending(message: self.message(&publication), terms: terms, number: self.makeNumber(terms.qos))
        guard self.bounds.size(of: pending) <= self.bounds.queuedBytes else { return .queueFull }
        var replaced = 0
        let needed = pending.weight + pending.message.slack
        if needed > room || self.isFull(for: pending) {
            self.removeExpired(now: now)
            // If memory is full, the new message takes the place of old ones.
            var freed = needed > room ? 0 : Int.max
            while self.bounds.dropsOldest, freed < needed || self.isFull(for: pending),
                let oldest = self.removeFirst()
            {
                self.record(.removed(oldest.number))
                replaced += 1
                if freed < .max { freed += oldest.weight }
            }
            guard freed >= needed, !self.isFull(for: pending) else {
                return replaced > 0 ? .queuedInPlaceOf(replaced, isTaken: false) : .queueFull
            }
        }
        self.append(pending)
        self.record(.added(pending, nil))
        return replaced > 0 ? .queuedInPlaceOf(replaced, isTaken: true) : .queued
    }

    func message(_ publication: inout Publication) -> BrokerMessage { publication.message(self.ledger) }

    /// Appends a message to the queue, regardless of the bounds.
    mutating func append(_ pending: Pending) {
        self.queue.append(pending)
        self.peak = max(self.peak, self.queue.count)
        self.queuedBytes += pending.weight
        self.queuedSize += self.bounds.size(of: pending)
        if pending.terms.qos == .atMostOnce {
            self.queuedAtMostOnce.messages += 1
            self.queuedAtMostOnce.bytes += self.bounds.size(of: pending)
        }
        if let expiry = pending.message.expiresAt { self.firstExpiry = min(self.firstExpiry ?? expiry, expiry) }
    }

    private func isFull(for pending: Pending) -> Bool {
        self.queue.count >= self.bounds.queuedMessages
            || self.queuedSize > self.bounds.queuedBytes - self.bounds.size(of: pending)
    }

    /// Whether the queue has reached half of its messages or bytes.
    private var isHalfFull: Bool {
        self.queue.count >= max(1, self.bounds.queuedMessages / 2) || self.queuedSize >= self.bounds.queuedBytes / 2
    }

    /// Removes expired messages to make room [MQTT-3.3.2-5]. Searches the queue only when something has expired, and
    /// seldom: a full queue calls this for each message, and a message may expire between any two. Expired messages
    /// that remain are not sent either.
    private mutating func removeExpired(now: Timestamp) {
        guard let firstExpiry, firstExpiry <= now else { return }
        if let expirySearched, now - expirySearched < Self.expiryInterval { return }
        self.expirySearched = now
        self.keep { !$0.message.isExpired(at: now) }
        self.firstExpiry = self.queue.lazy.compactMap(\.message.expiresAt).min()
    }

    private static let expiryInterval = Duration.seconds(1)

    /// Removes the messages for which `isKept` is `false` from the queue.
    mutating func keep(_ isKept: (Pending) -> Bool) {
        if self.changes != nil {
            for pending in self.queue where !isKept(pending) { self.record(.removed(pending.number)) }
        }
        self.queue.removeAll { !isKept($0) }
        self.queuedBytes = self.queue.reduce(0) { $0 + $1.weight }
        self.queuedSize = self.queue.reduce(0) { $0 + self.bounds.size(of: $1) }
        let atMostOnce = self.queue.lazy.filter { $0.terms.qos == .atMostOnce }
        self.queuedAtMostOnce = Backpressure.Load(
            messages: atMostOnce.count, bytes: atMostOnce.reduce(0) { $0 + self.bounds.size(of: $1) })
        self.shrink()
    }

    var first: Pending? { self.queue.first }

    mutating func removeFirst() -> Pending? {
        guard let first = self.queue.popFirst() else { return nil }
        self.queuedBytes -= first.weight
        self.queuedSize -= self.bounds.size(of: first)
        if first.terms.qos == .atMostOnce {
            self.queuedAtMostOnce.messages -= 1
            self.queuedAtMostOnce.bytes -= self.bounds.size(of: first)
        }
        if self.queue.isEmpty { self.shrink() }
        return first
    }

    /// Frees the memory of a queue that was long and is empty.
    private mutating func shrink() {
        guard self.queue.isEmpty else { return }
        if self.peak > Self.idleCapacity { self.queue = Deque() }
        self.peak = 0
    }

    private static let idleCapacity = 256

    // MARK: Publishers

    /// The queued messages at QoS 1 and 2.
    var backlog: Backpressure.Load {
        Backpressure.Load(
            messages: self.queue.count - self.queuedAtMostOnce.messages,
            bytes: self.queuedSize - self.queuedAtMostOnce.bytes)
    }

    private var capacity: Backpressure.Load {
        Backpressure.Load(messages: self.bounds.queuedMessages, bytes: self.bounds.queuedBytes)
    }

    /// Until when the publisher of a message at QoS 1 or 2 must wait, depending on what happened to the message; `nil`
    /// if it need not wait.
    ///
    /// - Parameter room: How many more bytes there was room for in the broker's memory.
    package mutating func holdPublisher(after delivered: Delivered, room: Int, now: Timestamp) -> Timestamp? {
        guard self.isConnected else { return nil }
        switch delivered {
        case .queued, .queueFull, .queuedInPlaceOf: break
        case .written, .notKept, .tooLarge: return nil
        }
        let isRoomier = room >= self.bounds.queuedBytes - self.queuedSize
        let bytes = isRoomier ? self.bounds.queuedBytes : self.queuedSize + room
        return self.backpressure.queued(
            self.backlog, capacity: Backpressure.Load(messages: self.bounds.queuedMessages, bytes: bytes), now: now)
    }

    /// The client has acknowledged messages, or they have left the queue.
    package mutating func progressed(messages: Int = 0, bytes: Int = 0, now: Timestamp) {
        self.backpressure.took(
            Backpressure.Load(messages: messages, bytes: bytes), capacity: self.capacity, now: now)
    }

    /// How many waiting publishers may continue.
    package mutating func publishersToRelease() -> Int {
        self.isConnected ? self.backpressure.drained(to: self.backlog) : .max
    }

    /// No publisher waits any more.
    package mutating func releasedPublishers() { self.backpressure.released() }

    // MARK: In flight

    /// Whether messages in flight leave room for another one.
    var hasRoomInFlight: Bool { self.outgoing.payloadBytes < self.bounds.inFlightBytes }
}
