import NIOCore

/// A client session: the state that client and server keep so that messages survive the loss of a connection (MQTT 5.0
/// section 4.1). On the client, this is: the publishes at QoS 1 and 2 that the server has not fully acknowledged, the
/// QoS 2 messages from the server that are not fully acknowledged, and the subscriptions.
///
/// It also contains state that the protocol does not know: the outbox of accepted messages that were not sent yet, and
/// the filters of each local subscriber. Both outlive even the loss of the session at the server.
///
/// ``end()`` completes all requests. The session itself remains, as it does at a server that was asked to keep it. If
/// the next connection finds it there, unfinished exchanges continue as the standard requires [MQTT-4.4.0-1], although
/// no request waits for them: their requests completed with an unknown outcome. If they were forgotten, the next
/// message could take the identifier of one that the server has partly received, and would be taken for a repetition.
/// If the server has no session, they are dropped. A token of a message delivered before the end never identifies a
/// later one.
///
/// The session decides and has no effects: its owner reports each event and carries out the answer. Packets to send are
/// appended to the owner's buffer. Each accepted request ends with exactly one ``Completion``, which the owner collects
/// with ``takeCompletions()`` after each event.
package struct ClientSession: Sendable {
    // MARK: As long as the session

    /// The publishes in flight, and the SUBSCRIBE and UNSUBSCRIBE packets that share their packet identifiers.
    var outgoing: OutgoingQoS<Exchange>
    /// The number of exchanges without a request.
    var unawaited = 0
    var outbox = Outbox()
    var incoming = IncomingQoS()
    var subscriptions: SubscriptionTable
    /// What the server had of the session when the last connection began. `nil` before that and after the end: the next
    /// connection may find the session of an earlier run.
    var found: IncomingQoS.Session?
    /// Finds packets that repeatedly make the server end the connection.
    var poison = PoisonDetector()
    /// `nil` if the server permits any number of publishes.
    var pace: PublishPace?
    var completions: [Completion] = []
    var lostSubscribers: [LostSubscription] = []
    var givenUpPackets: [Rejection] = []
    /// The server of the last connection: only this one certainly means this session when it reports that it has one.
    var server: String?
    let settings: Settings

    // MARK: As long as the connection

    var givenUp = GivenUpFilters()
    var connection: Connection?

    package init(_ settings: Settings) {
        self.settings = settings
        self.pace = settings.publishesPerSecond.map { PublishPace(maximum: $0) }
        self.outgoing = OutgoingQoS(first: settings.firstPacketID)
        self.subscriptions = SubscriptionTable(firstIdentifier: settings.firstSubscriptionIdentifier)
    }

    /// Settings of the owner.
    package struct Settings: Sendable {
        /// The maximum number of unacknowledged publishes at QoS 1 and 2; `nil` for the server's Receive Maximum, which
        /// may also be lower.
        package var maximumInFlight: UInt16?
        /// The maximum number of PUBLISH packets in any second; `nil` for no limit. Above it, messages wait.
        package var publishesPerSecond: Int?
        /// The first packet identifier; `nil` for 1. If the server may have kept a session of an earlier run with
        /// unfinished exchanges, a random one is unlikely to collide with theirs.
        package var firstPacketID: PacketID?
        /// The first subscription identifier. If the server may have kept a session of an earlier run, a random one is
        /// unlikely to collide with those of its filters.
        package var firstSubscriptionIdentifier: UInt32 = 1
        /// The maximum number of unacknowledged messages at QoS 1 and 2 from the server.
        package var receiveMaximum: UInt16 = .max
        /// The maximum number of topic aliases from the server.
        package var topicAliasMaximum: UInt16 = 0
        /// The maximum number of topic aliases towards the server, if it accepts as many.
        package var outgoingTopicAliasMaximum: UInt16 = 0
        /// Above this number of unsent bytes in the outgoing buffer, messages wait in the outbox.
        package var highWaterMark = 1 << 20
        /// The maximum number of messages in the outbox when no caller waits for their outcome.
        package var outboxCount = 100_000
        /// The maximum size in bytes of messages in the outbox and in flight when no caller waits for their outcome.
        package var outboxBytes = 64 << 20
        /// User properties of each SUBSCRIBE, on 5.0.
        package var subscribeUserProperties: [UserProperty] = []
        /// User properties of each UNSUBSCRIBE, on 5.0.
        package var unsubscribeUserProperties: [UserProperty] = []

        package init() {}
    }

    /// An exchange of packets under one packet identifier.
    enum Exchange: Sendable {
        case publish(Sent)
        /// A QoS 2 publish between PUBREC and PUBCOMP.
        case release(Released)
        /// SUBSCRIBE, for the filter with that subscription identifier.
        case subscribe(identifier: UInt32)
        /// UNSUBSCRIBE, for the filter with that subscription identifier.
        case unsubscribe(identifier: UInt32)
    }

    /// A publish at QoS 1 or 2 that was sent and is not acknowledged.
    struct Sent {
        /// `nil` once the request has completed: the exchange continues only because the protocol requires it.
        var request: RequestID?
        var message: OutgoingMessage
        let expiresAt: Timestamp?
    }

    /// What remains of a QoS 2 publish after PUBREC.
    struct Released {
        /// `nil` once the request has completed.
        var request: RequestID?
        /// The reason code of the PUBREC.
        let reasonCode: ReasonCode
        /// Whether PUBREL was sent on more than one connection to the same server, so that the server may already have
        /// finished the exchange.
        var wasRepeated = false
    }

    /// State of the current connection.
    struct Connection {
        let version: ProtocolVersion
        let limits: ServerLimits
        var publishes: PublishWriter
        var incomingAliases: IncomingTopicAliases
    }

    // MARK: Queries

    /// The negotiated limits while connected.
    package var limits: ServerLimits? { self.connection?.limits }

    package var isConnected: Bool { self.connection != nil }

    /// The protocol version while connected.
    package var version: ProtocolVersion? { self.connection?.version }

    /// Publishes sent and not fully acknowledged.
    package var inFlightCount: Int { self.outgoing.count }

    /// The number and size in bytes of messages that wait to be sent.
    package var queued: (count: Int, bytes: Int) { (self.outbox.count, self.outbox.bytes) }

    /// Messages that were delivered and are not yet acknowledged.
    package var unacknowledgedCount: Int { self.incoming.unacknowledged }

    /// Whether nothing is left to send and no request waits.
    package var isDrained: Bool { self.outbox.isEmpty && self.outgoing.count == self.unawaited }

    /// Whether there is room for another message whose outcome no caller waits for.
    package var hasRoom: Bool {
        self.outbox.count < self.settings.outboxCount
            && self.outbox.bytes + self.outgoing.bytes < self.settings.outboxBytes
    }

    /// The completions since the last call.
    package mutating func takeCompletions() -> [Completion] {
        guard !self.completions.isEmpty else { return [] }
        defer { self.completions.removeAll() }
        return self.completions
    }

    /// Subscribers that have lost their filter since the last call.
    package mutating func takeLostSubscribers() -> [LostSubscription] {
        guard !self.lostSubscribers.isEmpty else { return [] }
        defer { self.lostSubscribers.removeAll() }
        return self.lostSubscribers
    }

    /// Packets given up since the last call because they broke connections.
    package mutating func takeGivenUpPackets() -> [Rejection] {
        guard !self.givenUpPackets.isEmpty else { return [] }
        defer { self.givenUpPackets.removeAll() }
        return self.givenUpPackets
    }

    /// Whether ``takeCompletions()`` would return something.
    package var hasCompletions: Bool { !self.completions.isEmpty }

    /// The exchange of a publish has ended: completes its request, if it still waits.
    mutating func finished(_ id: PacketID, _ request: RequestID?, _ outcome: Completion.Outcome) {
        if self.poison.isActive { self.poison.answered(request.map { .publish($0) } ?? .exchange(id)) }
        if let request { self.complete(request, outcome) } else { self.unawaited -= 1 }
    }

    mutating func complete(_ request: RequestID, _ outcome: Completion.Outcome) {
        self.completions.append(Completion(request: request, outcome: outcome))
    }
}
