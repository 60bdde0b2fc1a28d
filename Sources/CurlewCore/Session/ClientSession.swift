import NIOCore

/// A client session: what client and server remember about each other so that messages survive the connection between
/// them (MQTT 5.0 section 4.1). On our side that is: the publishes at QoS 1 and 2 that the server has not fully
/// acknowledged, the QoS 2 messages from the server that are not fully acknowledged, and the subscriptions.
///
/// Around it lies what the protocol does not know: the outbox of accepted messages that were not sent yet, and who
/// locally wants which filter. Both outlive even the loss of the session at the server.
///
/// When its owner has had enough, ``end()`` completes everything that waits. The session itself stays, as it does at a
/// server that was asked to keep it. If the next connection finds it there, half-done exchanges go on as the standard
/// wants it [MQTT-4.4.0-1], though nobody waits for them any more: whoever did was told that the outcome is unknown. To
/// forget them would let the next message take the identifier of one that the server has half received, and be taken for
/// a repetition of it. If the server has no session, they are dropped. Tokens of messages that were handed on before the
/// end never stand for later ones.
///
/// The session decides and does nothing: its owner tells it each event and carries out what it answers. What is to be
/// sent is appended to the buffer that the owner passes in. Each request that was accepted comes back in exactly one
/// ``Completion``, which the owner collects with ``takeCompletions()`` after each event.
package struct ClientSession: Sendable {
    // MARK: As long as the session

    /// The publishes in flight, and the SUBSCRIBE and UNSUBSCRIBE packets that share their packet identifiers.
    var outgoing: OutgoingQoS<Sent>
    /// How many exchanges nobody waits for.
    var unawaited = 0
    var outbox = Outbox()
    var incoming = IncomingQoS()
    var subscriptions: SubscriptionTable
    /// What the server had of the session when the last connection began; `nil` before that, and after the end: what the next
    /// one finds may be of an earlier run.
    var found: IncomingQoS.Session?
    /// Which of what is sent again and again makes the server end the connection.
    var poison = PoisonDetector()
    var completions: [Completion] = []
    var lostSubscribers: [LostSubscription] = []
    var givenUpPackets: [Rejection] = []
    /// The server of the last connection: it alone surely means this session when it says that it has one.
    var server: String?
    let settings: Settings

    // MARK: As long as the connection

    var givenUp = GivenUpFilters()
    var connection: Connection?

    package init(_ settings: Settings) {
        self.settings = settings
        self.outgoing = OutgoingQoS(first: settings.firstPacketID)
        self.subscriptions = SubscriptionTable(firstIdentifier: settings.firstSubscriptionIdentifier)
    }

    /// What its owner has chosen.
    package struct Settings: Sendable {
        /// How many publishes at QoS 1 and 2 may be unacknowledged at once; the server's Receive Maximum may be lower.
        package var maximumInFlight: UInt16 = .max
        /// The first packet identifier; `nil` for 1. Where the server may have kept a session of an earlier run, whose
        /// half-done exchanges nobody remembers, a random one hardly ever meets theirs.
        package var firstPacketID: PacketID?
        /// The first subscription identifier. Where the server may have kept a session of an earlier run, a random one hardly
        /// ever meets those of its filters.
        package var firstSubscriptionIdentifier: UInt32 = 1
        /// How many messages at QoS 1 and 2 the server may send unacknowledged.
        package var receiveMaximum: UInt16 = .max
        /// How many topic aliases the server may use.
        package var topicAliasMaximum: UInt16 = 0
        /// How many topic aliases are used towards the server, if it allows as many.
        package var outgoingTopicAliasMaximum: UInt16 = 0
        /// Beyond so many unsent bytes in the outgoing buffer, messages wait in the outbox.
        package var highWaterMark = 1 << 20
        /// How many messages the outbox takes that nobody waits for.
        package var outboxCount = 100_000
        /// How many bytes messages may weigh that nobody waits for, in the outbox and in flight.
        package var outboxBytes = 64 << 20
        /// What each SUBSCRIBE says besides, on 5.0.
        package var subscribeUserProperties: [UserProperty] = []
        /// What each UNSUBSCRIBE says besides, on 5.0.
        package var unsubscribeUserProperties: [UserProperty] = []

        package init() {}
    }

    /// A publish at QoS 1 or 2 that was sent and is not acknowledged.
    struct Sent: OutgoingQoSMessage {
        /// `nil` once the request has completed: the exchange continues only because the protocol requires it.
        var request: RequestID?
        var message: OutgoingMessage
        let expiresAt: Timestamp?

        var qos: QoS { self.message.qos }
        var byteCount: Int { self.message.byteCount }
        var payloadByteCount: Int { self.message.payload.readableBytes }

        typealias Request = ClientSession.Request

        func receipt(_ reasonCode: ReasonCode) -> Released {
            Released(request: self.request, reasonCode: reasonCode)
        }
    }

    /// A QoS 2 publish between PUBREC and PUBCOMP.
    struct Released {
        /// `nil` once the request has completed.
        var request: RequestID?
        /// The reason code of the PUBREC.
        let reasonCode: ReasonCode
        /// Whether PUBREL was sent on more than one connection to the same server, so that the server may already have finished the exchange.
        var wasRepeated = false
    }

    /// A packet other than PUBLISH that the server answers under its packet identifier.
    enum Request {
        /// SUBSCRIBE, for the filter with that subscription identifier.
        case subscribe(identifier: UInt32)
        /// UNSUBSCRIBE, for the filter with that subscription identifier.
        case unsubscribe(identifier: UInt32)
    }

    /// State of the current connection.
    struct Connection {
        let version: ProtocolVersion
        let limits: ServerLimits
        var publishes: PublishWriter
        var incomingAliases: IncomingTopicAliases
    }

    // MARK: What is asked about it

    /// The negotiated limits, while connected.
    package var limits: ServerLimits? { self.connection?.limits }

    package var isConnected: Bool { self.connection != nil }

    /// The protocol version, while connected.
    package var version: ProtocolVersion? { self.connection?.version }

    /// Publishes sent and not fully acknowledged.
    package var inFlightCount: Int { self.outgoing.count }

    /// Messages that wait to be sent, and what they weigh in bytes.
    package var queued: (count: Int, bytes: Int) { (self.outbox.count, self.outbox.bytes) }

    /// Messages that were handed on and are not acknowledged to the server.
    package var unacknowledgedCount: Int { self.incoming.unacknowledged }

    /// Whether nothing is left to send and nobody waits for an answer.
    package var isDrained: Bool { self.outbox.isEmpty && self.outgoing.count == self.unawaited }

    /// Whether another message fits that nobody waits for.
    package var hasRoom: Bool {
        self.outbox.count < self.settings.outboxCount
            && self.outbox.bytes + self.outgoing.bytes < self.settings.outboxBytes
    }

    /// What has been completed since the last call.
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

    /// What was given up since the last call because it broke connections.
    package mutating func takeGivenUpPackets() -> [Rejection] {
        guard !self.givenUpPackets.isEmpty else { return [] }
        defer { self.givenUpPackets.removeAll() }
        return self.givenUpPackets
    }

    /// Whether there is something to take.
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
