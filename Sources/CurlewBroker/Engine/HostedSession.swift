import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

/// One client's session, for as long as it lives: on a connection, or waiting for the next.
///
/// Messages come from any event loop. They are put into the session, and written into its outgoing bytes, under its lock, so that no loop
/// waits for another; the connection's own loop then sends the bytes of many messages at once.
final class HostedSession: Sendable {
    struct State: Sendable {
        var session: BrokerSession
        /// What comes from the client; taken by the connection while there is one.
        var incoming: BrokerIncoming? = BrokerIncoming()
        var subscriptions: [TopicFilter: SubscriptionIndex<Receiver>.Grant] = [:]
        /// What the filters of these take in bytes, and how many of them are shared.
        var subscriptionBytes = 0
        var sharedSubscriptions = 0
        /// How many of them have each pattern of wildcards.
        var patterns: [WildcardPattern: Int] = [:]
        /// Retained messages that the last connection has not got any more.
        var retained = PendingRetained()
        var client: MQTTBrokerClient
        /// The rules that hold for the client: of the listener that it last came through.
        var rules: ClientRules
        /// The version of these by which subscriptions and messages were last checked; `nil` for none.
        var rulesVersion: Int?
        /// What the client said about itself when it connected last, and what the authenticators knew about that.
        var claimed: MQTTBrokerClient?
        var authenticationMethod: String?
        var credentials: [MQTTCredentialStatus] = []

        /// The connection, from the moment that the session is its own.
        var connection: ConnectionHandle?
        /// The number of the CONNECT that came last for the session.
        var connectNumber: UInt64 = 0
        /// Written, and not yet taken by the connection's loop.
        var out = ByteBuffer()
        /// How many there were the last time.
        var outHint = 0
        /// Whether the connection can take more.
        var isWritable = false
        /// Whether the connection's loop knows that there is something to send.
        var isFlushPending = false

        /// The will that is published if the session ends, or some time after the connection has [MQTT-3.1.2-8].
        var will: PendingWill?
        var expiry = SessionExpiry.atDisconnect
        /// Since when the client is away, by the time of day.
        var disconnectedAt: Duration?
        /// What will end the session, or publish its will, while the client is away.
        var deadlines: [Deadlines.ID] = []
        /// Whether a client has been told of the session: the next one is told that it is present.
        var hasBeenUsed = false
        /// The session is over: nothing is taken any more.
        var isOver = false
        /// What the names of the client and its will take.
        var namesBytes = 0
        /// Of what the session takes besides messages, so much is counted in the broker's memory.
        var reportedBytes = 0
        /// Those who have published more than the client acknowledges.
        var waitingPublishers = WaitingPublishers()
        /// Whether a store has heard of the session.
        var isStored = false
        /// The position of the last change of its messages, which what is written waits for.
        var messagesPosition = JournalPosition.none
    }

    let clientIdentifier: String
    /// Where the session counts what it holds.
    let budget: MemoryBudget
    /// Where the session records what has changed.
    let recorder: ChangeRecorder
    /// Guards everything of the session. Held for one message or one acknowledgement; only the journal's lock is taken under it.
    let state: Mutex<State>

    init(
        client: MQTTBrokerClient, rules: ClientRules, bounds: BrokerSession.Bounds, budget: MemoryBudget,
        recorder: ChangeRecorder
    ) {
        self.clientIdentifier = client.identifier
        self.budget = budget
        self.recorder = recorder
        self.state = Mutex(
            State(session: BrokerSession(bounds: bounds, ledger: budget), client: client, rules: rules))
    }

    /// Beyond so many bytes that are not sent, messages wait in the queue.
    static let highWaterMark = 128 << 10

    /// Whether messages for the client can be sent now; the same as the state says, without its lock.
    let isConnected = Atomic<Bool>(false)

    /// What the session holds, with all messages that wait for the client or are in flight, whoever else shares them.
    let weight = Atomic<Int>(0)
    /// What its connection takes besides.
    let connectionBytes = Atomic<Int>(0)
    /// When the delivery of retained messages has begun that is under way; guarded by a lock of its own.
    let retainedBegan = Mutex<RetainedMessages.Mark?>(nil)
}

extension HostedSession.State {
    /// What the session takes besides its messages, in bytes.
    var ownBytes: Int {
        Self.overhead + self.namesBytes + self.subscriptionBytes + (self.incoming?.byteCount ?? 0)
            + self.session.ownBytes
    }

    /// What the session holds, with its messages.
    var weight: Int { self.ownBytes + self.session.queuedBytes + self.session.bytesInFlight }

    /// The objects of a session, roughly.
    static let overhead = 1024

    /// The client's names and its will are known, or are others than before.
    mutating func countNames() {
        self.namesBytes =
            Self.byteCount(ofNames: self.client.identifier, self.client.username) + (self.will?.byteCount ?? 0)
    }

    /// What the names of a client take.
    static func byteCount(ofNames identifier: String, _ username: String?) -> Int {
        identifier.utf8.count + (username?.utf8.count ?? 0)
    }
}

extension HostedSession: Hashable {
    static func == (left: HostedSession, right: HostedSession) -> Bool { left === right }

    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// A will, and how long after the end of the connection it is due.
struct PendingWill: Sendable {
    var message: MQTTBrokerMessage
    var delay: Duration

    /// What it takes in memory, roughly.
    var byteCount: Int {
        256 + self.message.topic.string.utf8.count + self.message.payload.readableBytes
            + self.message.properties.byteCount
    }
}

// MARK: - Messages to the client

extension HostedSession {
    /// What became of a message.
    struct Delivery {
        var outcome: BrokerSession.Delivered
        /// The connection that has something to send now and does not know it yet.
        var toFlush: ConnectionHandle?
        /// What the acknowledgement of the message waits for.
        var position = JournalPosition.none
        /// Until when the publisher must wait for the client to acknowledge more, unless it is told before that it has.
        var heldUntil: Timestamp?
    }

    /// Offers a message to the session, which writes it for the client, keeps it in the queue, or has no room for it.
    ///
    /// - Parameter publisher: The publisher, if it can wait for the client.
    /// - Returns: `nil` if the session is over.
    func offer(
        _ publication: inout Publication, _ terms: DeliveryTerms, from publisher: (any HeldPublisher)? = nil,
        now: Timestamp
    ) -> Delivery? {
        self.state.withLock { state in
            guard !state.isOver else { return nil }
            if state.out.capacity == 0, state.isWritable { state.out.reserveCapacity(state.outHint) }
            let canWrite = state.isWritable && state.out.readableBytes < Self.highWaterMark
            var room = Int.max
            let weight = state.weight
            let outcome = state.session.deliver(
                &publication, terms, canWrite: canWrite,
                room: {
                    room = self.budget.room(holding: weight + self.connectionBytes.value)
                    return room
                }, now: now, into: &state.out)
            var delivery = Delivery(outcome: outcome, position: state.messagesPosition)
            if outcome != .written || terms.qos > .atMostOnce {
                self.account(&state)
                delivery.position = state.messagesPosition
            }
            if let publisher, terms.qos > .atMostOnce,
                let until = state.session.holdPublisher(after: outcome, room: room, now: now)
            {
                state.waitingPublishers.add(publisher)
                delivery.heldUntil = until
            }
            guard outcome == .written || outcome == .queued && state.isWritable, !state.isFlushPending else {
                return delivery
            }
            state.isFlushPending = state.connection != nil
            delivery.toFlush = state.connection
            return delivery
        }
    }

    /// What a connection gets to send.
    struct Output {
        var pumped = BrokerSession.Pumped()
        /// Whether there is more that could be sent at once.
        var hasMore = false
        /// The position in the journal that must be committed before it may be sent.
        var position = JournalPosition.none
        /// Publishers that may go on.
        var released: [any HeldPublisher] = []
    }

    /// Takes what is to be sent, together with what waits in the queue and may be sent now; on the connection's loop.
    func takeOutput(after replies: inout ByteBuffer, now: Timestamp) -> Output {
        self.state.withLock { state in
            state.isFlushPending = false
            state.isWritable = true
            let pumped = state.session.pump(limit: Self.highWaterMark, now: now, into: &state.out)
            self.account(&state)
            if state.out.readableBytes > 0 {
                if replies.readableBytes == 0 {
                    swap(&replies, &state.out)
                } else {
                    replies.writeImmutableBuffer(state.out)
                }
                // The next bytes are likely to be about as many. An idle client keeps none.
                state.outHint = min(replies.readableBytes, Self.highWaterMark)
                state.out = ByteBuffer()
            }
            return Output(
                pumped: pumped, hasMore: state.session.hasMoreToWrite, position: state.messagesPosition,
                released: state.takePublishersToRelease())
        }
    }

    /// Lets publishers go on; under no lock.
    func release(_ publishers: [any HeldPublisher]) {
        for publisher in publishers { publisher.released(by: ObjectIdentifier(self)) }
    }

    /// Whether a message would be written at once, or be the only one that waits.
    var takesMore: Bool {
        self.state.withLock { $0.session.queuedMessages == 0 && $0.out.readableBytes < Self.highWaterMark }
    }
}

extension HostedSession.State {
    /// The publishers that need not wait any more.
    mutating func takePublishersToRelease() -> [any HeldPublisher] {
        let count = self.session.publishersToRelease()
        guard !self.waitingPublishers.isEmpty else { return [] }
        let released = self.waitingPublishers.take(count)
        if self.waitingPublishers.isEmpty { self.session.releasedPublishers() }
        return released
    }
}

// MARK: - Connections

extension HostedSession {
    /// What became of a connection's wish to have the session.
    enum Acquired: Sendable {
        /// It has it now; `incoming` is what is remembered of the client's own messages.
        case acquired(BrokerIncoming)
        /// Another connection has it, and must go first.
        case occupied(ConnectionHandle)
        /// It has ended meanwhile: another one has to be found.
        case over
        /// It is of another user, who does not give it away.
        case foreign
        /// It is of another user who is away, and has to end first.
        case foreignAway
        /// A connection has it whose CONNECT came later.
        case superseded
    }

    /// Gives the session to a connection, if it can have it now.
    ///
    /// - Parameters:
    ///   - number: That of the connection's CONNECT.
    ///   - conflict: What happens if the session is of another user.
    func acquire(
        _ connection: ConnectionHandle, number: UInt64, for client: MQTTBrokerClient,
        conflict: MQTTBrokerConfiguration.Behaviour.IdentifierConflict
    ) -> Acquired {
        self.state.withLock { state in
            guard !state.isOver else { return .over }
            let isForeign = !state.client.username.hasSameBytes(as: client.username)
            if isForeign, !conflict.replaces(state.client, by: client) { return .foreign }
            if let other = state.connection { return number < state.connectNumber ? .superseded : .occupied(other) }
            if isForeign { return .foreignAway }
            state.connection = connection
            state.connectNumber = number
            return .acquired(exchange(&state.incoming, with: nil) ?? BrokerIncoming())
        }
    }
}

extension MQTTBrokerConfiguration.Behaviour.IdentifierConflict {
    /// Whether a client may have the identifier of another user's session.
    fileprivate func replaces(_ holder: MQTTBrokerClient, by client: MQTTBrokerClient) -> Bool {
        switch self {
        case .replaceSession: true
        case .replaceUnlessAnonymous: holder.username == nil || client.username != nil
        case .refuseClient: false
        }
    }
}
