import DequeModule
import NIOCore

/// What the broker keeps for one client: messages on their way to it (MQTT 5.0 section 4.1).
///
/// A message for a client is *written* when the connection can take it, and otherwise waits in the *queue*. At QoS 1 and 2 it is *in flight* from
/// being written to being acknowledged, and is written again on the next connection. The other direction, what comes from the client, is
/// ``BrokerIncoming``; what the client has subscribed to is in the ``SubscriptionIndex``.
package struct BrokerSession: Sendable {
    /// How much waits, at the most.
    package struct Bounds: Sendable, Equatable {
        package var inFlightMessages: Int
        /// Of payloads.
        package var inFlightBytes: Int
        package var queuedMessages: Int
        package var queuedBytes: Int
        /// Whether QoS 0 messages wait while the client is away.
        package var queuesAtMostOnce: Bool
        /// Whether the oldest goes when there is no room, and not the new one.
        package var dropsOldest: Bool
        /// How long a client that acknowledges too slowly may take to show progress, while those who publish to it wait; zero if they never do.
        package var patience: Duration
        /// Whether ``queuedBytes`` counts payloads alone, and not all that a message takes in memory.
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

        /// What a message counts for in ``queuedBytes``.
        func size(of pending: Pending) -> Int {
            self.countsPayloads ? pending.message.payload.readableBytes : pending.weight
        }
    }

    /// What a client may be sent on one connection, as it said in CONNECT.
    package struct ConnectionTerms: Sendable, Equatable {
        package var version: ProtocolVersion
        /// The client's Receive Maximum, or our own limit if that is less [MQTT-3.3.4-9].
        package var receiveMaximum: Int
        /// `nil` for no limit [MQTT-3.1.2-27].
        package var maximumPacketSize: UInt32?
        /// How many topic aliases we use [MQTT-3.1.2-29].
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
    struct Pending: OutgoingQoSMessage {
        let message: BrokerMessage
        let terms: DeliveryTerms
        /// Identifies it within the session; later messages have higher numbers. 0 at QoS 0.
        let number: UInt64

        var qos: QoS { self.terms.qos }
        var byteCount: Int { self.message.byteCount }
        var payloadByteCount: Int { self.message.payload.readableBytes }

        /// The broker sends no SUBSCRIBE or UNSUBSCRIBE.
        typealias Request = Never

        /// After PUBREC, a store needs only the number.
        func receipt(_ reasonCode: ReasonCode) -> UInt64 { self.number }

        /// What it counts for in the bounds.
        var weight: Int { self.message.byteCount + self.ownWeight }

        /// What it takes besides the message, which others may share: the entry, in a table that may be half empty.
        var ownWeight: Int { 128 + self.terms.identifiers.count * MemoryLayout<UInt32>.stride }
    }

    /// State of the current connection.
    struct Connection: Sendable {
        var terms: ConnectionTerms
        var publishes: PublishWriter
    }

    // MARK: As long as the session

    package var bounds: Bounds
    /// The messages in flight.
    var outgoing = OutgoingQoS<Pending>()
    private(set) var queue = Deque<Pending>()
    /// What waits in the queue weighs so much.
    package private(set) var queuedBytes = 0
    /// The same as the bounds count it.
    private var queuedSize = 0
    /// Nothing in the queue expires before that.
    private var firstExpiry: Timestamp?
    /// When the queue was last looked through for what has expired.
    private var expirySearched: Timestamp?
    /// How many of the queue are of QoS 0, and how many bytes these are.
    private var queuedAtMostOnce = Backpressure.Load()
    /// How many there were in the queue at the most since it was empty.
    private var peak = 0
    /// Whether those who publish to the client have to wait.
    private var backpressure: Backpressure
    /// Counts the messages, which other sessions may hold as well.
    private let ledger: (any MessageLedger)?
    /// The number of the next message.
    var nextNumber: UInt64 = 1
    /// What has changed since it was last asked for; `nil` while nobody asks.
    var changes: [Change]?

    // MARK: As long as the connection

    var connection: Connection?

    /// - Parameter ledger: Counts the messages that are held here.
    package init(bounds: Bounds, ledger: (any MessageLedger)? = nil) {
        self.bounds = bounds
        self.ledger = ledger
        self.backpressure = Backpressure(patience: bounds.patience)
    }

    package var isConnected: Bool { self.connection != nil }
    package var queuedMessages: Int { self.queue.count }
    package var messagesInFlight: Int { self.outgoing.count }
    package var bytesInFlight: Int { self.outgoing.bytes }

    /// What the session takes besides its messages, roughly.
    package var ownBytes: Int {
        (self.queue.count + self.outgoing.places) * 128
    }

    /// What the topics with an alias take, roughly.
    package var aliasBytes: Int { self.connection?.publishes.aliasBytes ?? 0 }

    /// Whether a message of that QoS would be written now, and not wait.
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

    /// The client is here: what was in flight is written again, in its order, before anything else [MQTT-4.4.0-1] [MQTT-4.6.0-1].
    package mutating func connected(_ terms: ConnectionTerms) {
        self.connection = Connection(
            terms: terms,
            publishes: PublishWriter(
                version: terms.version, maximumPacketSize: terms.maximumPacketSize,
                topicAliasMaximum: terms.topicAliasMaximum))
        self.outgoing.connected(window: min(terms.receiveMaximum, self.bounds.inFlightMessages))
        self.backpressure.connected()
    }

    /// The connection is gone. What waits at QoS 0 goes with it, unless that is kept.
    package mutating func disconnected() {
        self.connection = nil
        self.outgoing.connectionLost()
        guard !self.bounds.queuesAtMostOnce, self.queuedAtMostOnce.messages > 0 else { return }
        self.keep { $0.terms.qos > .atMostOnce }
    }

    /// The session ends. Returns the messages of shared subscriptions that another member shall get: not what is in flight at QoS 2, of
    /// which the client may have received the message [MQTT-4.8.2-5].
    package mutating func end() -> [(TopicFilter, BrokerMessage)] {
        var orphans: [(TopicFilter, BrokerMessage)] = []
        for id in self.outgoing.identifiers(in: .unanswered) {
            guard case .publish(let pending, _)? = self.outgoing[id], pending.terms.qos == .atLeastOnce else {
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

    /// Gives up the oldest messages of the queue, which weigh so much together, or all. Returns their topics.
    package mutating func dropOldest(_ byteCount: Int) -> [TopicName] {
        var topics: [TopicName] = []
        let goal = self.queuedBytes - min(byteCount, self.queuedBytes)
        while self.queuedBytes > goal, let oldest = self.removeFirst() {
            self.record(.removed(oldest.number))
            topics.append(oldest.message.topic)
        }
        return topics
    }

    /// The client has left shared subscriptions: what waits for it because of that goes to other members.
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

    /// What became of a message.
    package enum Delivered: Equatable, Sendable {
        /// It is on its way.
        case written
        /// It waits.
        case queued
        /// There is nobody for whom it could wait: QoS 0 and the client is away.
        case notKept
        /// So many older messages were given up to make room, which was enough if it `isTaken`.
        case queuedInPlaceOf(Int, isTaken: Bool)
        /// It was not taken, for there is no room.
        case queueFull
        /// It is larger than the client accepts, and counts as delivered [MQTT-3.1.2-28].
        case tooLarge

        /// Whether the client will not get the message because there is no room for it.
        package var isRefused: Bool {
            switch self {
            case .queueFull, .queuedInPlaceOf(_, isTaken: false): true
            case .written, .queued, .notKept, .queuedInPlaceOf(_, isTaken: true), .tooLarge: false
            }
        }
    }

    /// Puts a message at the end of the queue.
    ///
    /// - Parameter room: How many bytes more the memory of the broker has for this client.
    mutating func enqueue(
        _ publication: inout Publication, _ terms: DeliveryTerms, room: Int, now: Timestamp
    ) -> Delivered {
        let isAtMostOnce = terms.qos == .atMostOnce
        guard self.isConnected || !isAtMostOnce || self.bounds.queuesAtMostOnce else { return .notKept }
        // What is not acknowledged never takes all the room of what is.
        if isAtMostOnce, self.isConnected, !self.bounds.dropsOldest, self.isHalfFull { return .queueFull }
        let pending = Pending(message: self.message(&publication), terms: terms, number: self.makeNumber(terms.qos))
        guard self.bounds.size(of: pending) <= self.bounds.queuedBytes else { return .queueFull }
        var replaced = 0
        let needed = pending.weight + pending.message.slack
        if needed > room || self.isFull(for: pending) {
            self.removeExpired(now: now)
            // Where the memory is full, what comes takes the place of what goes.
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

    /// Puts a message at the end of the queue, whatever its bounds.
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

    /// Whether half of the queue is taken, or of its bytes.
    private var isHalfFull: Bool {
        self.queue.count >= max(1, self.bounds.queuedMessages / 2) || self.queuedSize >= self.bounds.queuedBytes / 2
    }

    /// Makes room by what nobody will get any more [MQTT-3.3.2-5]. Looks through the queue only when something has expired, and seldom: a full
    /// queue is asked for each message, and a message may expire between any two. What is left is not sent either.
    private mutating func removeExpired(now: Timestamp) {
        guard let firstExpiry, firstExpiry <= now else { return }
        if let expirySearched, now - expirySearched < Self.expiryInterval { return }
        self.expirySearched = now
        self.keep { !$0.message.isExpired(at: now) }
        self.firstExpiry = self.queue.lazy.compactMap(\.message.expiresAt).min()
    }

    private static let expiryInterval = Duration.seconds(1)

    /// Keeps of the queue what `isKept` says.
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

    /// Gives back the memory of a queue that was long and is empty.
    private mutating func shrink() {
        guard self.queue.isEmpty else { return }
        if self.peak > Self.idleCapacity { self.queue = Deque() }
        self.peak = 0
    }

    private static let idleCapacity = 256

    // MARK: Those who publish

    /// What waits at QoS 1 and 2.
    var backlog: Backpressure.Load {
        Backpressure.Load(
            messages: self.queue.count - self.queuedAtMostOnce.messages,
            bytes: self.queuedSize - self.queuedAtMostOnce.bytes)
    }

    private var capacity: Backpressure.Load {
        Backpressure.Load(messages: self.bounds.queuedMessages, bytes: self.bounds.queuedBytes)
    }

    /// Until when whoever has published a message at QoS 1 or 2 must wait, because of what became of it; `nil` if it need not wait.
    ///
    /// - Parameter room: How many bytes more there was room for in the broker's memory.
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

    /// How many of the publishers that wait may go on.
    package mutating func publishersToRelease() -> Int {
        self.isConnected ? self.backpressure.drained(to: self.backlog) : .max
    }

    /// No publisher waits any more.
    package mutating func releasedPublishers() { self.backpressure.released() }

    // MARK: In flight

    /// Whether messages in flight leave room for another one.
    var hasRoomInFlight: Bool { self.outgoing.payloadBytes < self.bounds.inFlightBytes }
}
