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
        package var inFlightBytes: Int
        package var queuedMessages: Int
        package var queuedBytes: Int
        /// Whether QoS 0 messages wait while the client is away.
        package var queuesAtMostOnce: Bool
        /// Whether the oldest goes when there is no room, and not the new one.
        package var dropsOldest: Bool

        package init(
            inFlightMessages: Int = 1000, inFlightBytes: Int = .max, queuedMessages: Int = 10_000,
            queuedBytes: Int = 64 << 20,
            queuesAtMostOnce: Bool = false, dropsOldest: Bool = false
        ) {
            self.inFlightMessages = inFlightMessages
            self.inFlightBytes = inFlightBytes
            self.queuedMessages = queuedMessages
            self.queuedBytes = queuedBytes
            self.queuesAtMostOnce = queuesAtMostOnce
            self.dropsOldest = dropsOldest
        }
    }

    /// What a client may be sent on one connection, as it said in CONNECT.
    package struct ConnectionTerms: Sendable, Equatable {
        package var version: ProtocolVersion
        /// The client's Receive Maximum, or our own limit if that is less [MQTT-3.3.4-9].
        package var receiveMaximum: Int
        /// `nil` for no limit [MQTT-3.1.2-24].
        package var maximumPacketSize: UInt32?
        /// How many topic aliases we use [MQTT-3.1.2-26].
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
    }

    /// The sender's part of an exchange at QoS 1 or 2.
    enum Sent: Sendable {
        /// PUBLISH written, on this connection if `isOnWire`, otherwise on an earlier one.
        case publish(Pending, isOnWire: Bool)
        /// PUBREC received, PUBREL written: the message is the client's.
        case release(isOnWire: Bool)
    }

    /// As long as the connection.
    struct Connection: Sendable {
        var terms: ConnectionTerms
        /// How many more QoS 1 and 2 messages may be in flight.
        var sendQuota: Int
        var aliases: OutgoingTopicAliases
        /// Exchanges of earlier connections that are to be written again, the first one last.
        var resends: [PacketID]
    }

    // MARK: As long as the session

    package var bounds: Bounds
    var inFlight = InFlightTable<Sent>()
    private(set) var bytesInFlight = 0
    private var queue = Deque<Pending>()
    /// What waits in the queue weighs so much.
    package private(set) var queuedBytes = 0
    /// How many of the queue are of QoS 0.
    private var queuedAtMostOnce = 0

    // MARK: As long as the connection

    var connection: Connection?

    package init(bounds: Bounds) { self.bounds = bounds }

    package var isConnected: Bool { self.connection != nil }
    package var queuedMessages: Int { self.queue.count }
    package var messagesInFlight: Int { self.inFlight.count }

    /// Whether a message of that QoS would be written now, and not wait.
    package func hasWindow(for qos: QoS) -> Bool {
        guard let connection else { return false }
        if qos == .atMostOnce { return self.queuedAtMostOnce == 0 }
        return connection.sendQuota > 0 && self.queue.isEmpty && connection.resends.isEmpty
            && self.bytesInFlight < self.bounds.inFlightBytes
    }

    /// Whether ``pump(limit:now:into:)`` would write something.
    package var hasMoreToWrite: Bool {
        guard let connection else { return false }
        if !connection.resends.isEmpty { return connection.sendQuota > 0 }
        guard let first = self.queue.first else { return false }
        return first.terms.qos == .atMostOnce
            || connection.sendQuota > 0 && self.bytesInFlight < self.bounds.inFlightBytes
    }

    // MARK: Connections

    /// The client is here: what was in flight is written again, in its order, before anything else [MQTT-4.4.0-1] [MQTT-4.6.0-1].
    package mutating func connected(_ terms: ConnectionTerms) {
        let releases = self.inFlight.identifiers(in: .second)
        let publishes = self.inFlight.identifiers(in: .first)
        for id in releases { self.inFlight.replace(id, with: .release(isOnWire: false)) }
        for id in publishes {
            guard case .publish(let pending, _)? = self.inFlight[id] else { continue }
            self.inFlight.replace(id, with: .publish(pending, isOnWire: false))
        }
        self.connection = Connection(
            terms: terms, sendQuota: min(terms.receiveMaximum, self.bounds.inFlightMessages),
            aliases: OutgoingTopicAliases(maximum: terms.topicAliasMaximum),
            resends: (releases + publishes).reversed())
    }

    /// The connection is gone. What waits at QoS 0 goes with it, unless that is kept.
    package mutating func disconnected() {
        self.connection = nil
        guard !self.bounds.queuesAtMostOnce, self.queuedAtMostOnce > 0 else { return }
        self.queue.removeAll { $0.terms.qos == .atMostOnce }
        self.queuedBytes = self.queue.reduce(0) { $0 + $1.message.byteCount }
        self.queuedAtMostOnce = 0
    }

    /// The session ends. Returns the messages of shared subscriptions that another member shall get: not what is in flight at QoS 2, of
    /// which the client may have received the message [MQTT-4.8.2-5].
    package mutating func end() -> [(TopicFilter, BrokerMessage)] {
        var orphans: [(TopicFilter, BrokerMessage)] = []
        for id in self.inFlight.identifiers(in: .first) {
            guard case .publish(let pending, _)? = self.inFlight[id], pending.terms.qos == .atLeastOnce else {
                continue
            }
            if let group = pending.terms.group { orphans.append((group, pending.message)) }
        }
        for pending in self.queue {
            if let group = pending.terms.group { orphans.append((group, pending.message)) }
        }
        self = Self(bounds: self.bounds)
        return orphans
    }

    /// The client has left a shared subscription: what waits for it because of that goes to other members.
    package mutating func left(_ group: TopicFilter) -> [BrokerMessage] {
        guard self.queue.contains(where: { $0.terms.group == group }) else { return [] }
        let orphans = self.queue.filter { $0.terms.group == group }
        self.queue.removeAll { $0.terms.group == group }
        self.queuedBytes = self.queue.reduce(0) { $0 + $1.message.byteCount }
        self.queuedAtMostOnce = self.queue.count { $0.terms.qos == .atMostOnce }
        return orphans.map(\.message)
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
        /// It was not taken, for there is no room.
        case queueFull
        /// It is larger than the client accepts, and counts as delivered [MQTT-3.1.2-25].
        case tooLarge
    }

    /// Puts a message at the end of the queue. `hasRoom` tells whether the queues of all sessions together have room.
    mutating func enqueue(_ publication: inout Publication, _ terms: DeliveryTerms, hasRoom: Bool) -> Delivered {
        guard self.isConnected || terms.qos > .atMostOnce || self.bounds.queuesAtMostOnce else { return .notKept }
        let message = publication.message()
        var isFull = !hasRoom || self.isFull(for: message)
        while isFull, self.bounds.dropsOldest, !self.queue.isEmpty {
            _ = self.removeFirst()
            isFull = self.isFull(for: message)
        }
        guard !isFull else { return .queueFull }
        self.queue.append(Pending(message: message, terms: terms))
        self.queuedBytes += message.byteCount
        if terms.qos == .atMostOnce { self.queuedAtMostOnce += 1 }
        return .queued
    }

    private func isFull(for message: BrokerMessage) -> Bool {
        self.queue.count >= self.bounds.queuedMessages || self.queuedBytes > self.bounds.queuedBytes - message.byteCount
    }

    var first: Pending? { self.queue.first }

    mutating func removeFirst() -> Pending? {
        guard let first = self.queue.popFirst() else { return nil }
        self.queuedBytes -= first.message.byteCount
        if first.terms.qos == .atMostOnce { self.queuedAtMostOnce -= 1 }
        return first
    }

    // MARK: In flight

    mutating func addBytesInFlight(_ count: Int) { self.bytesInFlight += count }
}
