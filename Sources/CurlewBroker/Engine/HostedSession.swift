import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

/// The session of one client, with or without a connection.
///
/// Messages come from any event loop. They are put into the session and written into its outgoing bytes under its lock,
/// so that no loop waits for another. The connection's own loop then sends the bytes of many messages at once.
final class HostedSession: Sendable {
    struct State: Sendable {
        var session: BrokerSession
        /// The receiving side; the connection has it while there is one.
        var incoming: BrokerIncoming? = BrokerIncoming()
        var subscriptions: [TopicFilter: SubscriptionGrant] = [:]
        /// The memory of the subscriptions in bytes, and how many of them are shared.
        var subscriptionBytes = 0
        var sharedSubscriptions = 0
        /// How many of them have each wildcard pattern.
        var patterns: [WildcardPattern: Int] = [:]
        /// Retained messages that the last connection did not receive in time.
        var retained = PendingRetained()
        var client: MQTTBrokerClient
        /// The rules of the listener that the client last connected through.
        var rules: ClientRules
        /// The version of the rules by which subscriptions and messages were last checked; `nil` if they were not.
        var rulesVersion: Int?
        /// What the client claimed to be when it last connected, and its credentials at that time.
        var claimed: MQTTBrokerClient?
        var authenticationMethod: String?
        var credentials: [MQTTCredentialStatus] = []

        /// The connection that has the session.
        var connection: ConnectionHandle?
        /// The number of the last CONNECT for the session.
        var connectNumber: UInt64 = 0
        /// Bytes that are written and not yet taken by the connection's loop.
        var out = ByteBuffer()
        /// How many bytes there were the last time.
        var outHint = 0
        /// Whether the connection can take more.
        var isWritable = false
        /// Whether the connection's loop knows that there is something to send.
        var isFlushPending = false

        /// The will to publish when the session ends, or some time after the connection ends [MQTT-3.1.2-8].
        var will: PendingWill?
        var expiry = SessionExpiry.atDisconnect
        /// When the client disconnected, in time since 1970.
        var disconnectedAt: Duration?
        /// The deadlines that end the session or publish its will while the client is disconnected.
        var deadlines: [Deadlines.ID] = []
        /// Whether a client has connected to the session before: then the next one is told that a session is present.
        var hasBeenUsed = false
        /// Whether the session is over and accepts nothing any more.
        var isOver = false
        /// The memory of the client's names and its will.
        var namesBytes = 0
        /// How much of the session's memory besides messages is counted in the broker's.
        var reportedBytes = 0
        /// Publishers that wait because the client does not acknowledge fast enough.
        var waitingPublishers = WaitingPublishers()
        /// Whether the session is in the store.
        var isStored = false
        /// The position of the last change of its messages, which what is written waits for.
        var messagesPosition = JournalPosition.none
    }

    let clientIdentifier: String
    /// Where the session counts what it holds.
    let budget: MemoryBudget
    /// Where the session records what has changed.
    let recorder: ChangeRecorder
    /// Guards everything of the session. Held for one message or one acknowledgement; only the journal's lock is taken
    /// under it.
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

    /// When so many bytes are not sent yet, further messages wait in the queue.
    static let highWaterMark = 128 << 10

    /// Whether the client is connected, without taking the lock.
    let isConnected = Atomic<Bool>(false)

    /// The memory of the session, including all messages that are queued or in flight, even if other sessions share
    /// them.
    let weight = Atomic<Int>(0)
    /// The memory of its connection.
    let connectionBytes = Atomic<Int>(0)
    /// When the current delivery of retained messages began; guarded by a lock of its own.
    let retainedBegan = Mutex<RetainedMessages.Mark?>(nil)
}

extension HostedSession.State {
    /// The memory of the session without its messages, in bytes.
    var ownBytes: Int {
        Self.overhead + self.namesBytes + self.subscriptionBytes + (self.incoming?.byteCount ?? 0)
            + self.session.ownBytes
    }

    /// The memory of the session with its messages.
    var weight: Int { self.ownBytes + self.session.queuedBytes + self.session.bytesInFlight }

    /// The objects of a session, roughly.
    static let overhead = 1024

    /// The client's names or its will have changed.
    mutating func countNames() {
        self.namesBytes =
            Self.byteCount(ofNames: self.client.identifier, self.client.username) + (self.will?.byteCount ?? 0)
    }

    /// The memory of a client's names.
    static func byteCount(ofNames identifier: String, _ username: String?) -> Int {
        identifier.utf8.count + (username?.utf8.count ?? 0)
    }
}

extension HostedSession: Hashable {
    static func == (left: HostedSession, right: HostedSession) -> Bool { left === right }

    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// A will, and how long after the end of the connection it is published.
struct PendingWill: Sendable {
    var message: MQTTBrokerMessage
    var delay: Duration

    /// Its approximate memory.
    var byteCount: Int {
        256 + self.message.topic.string.utf8.count + self.message.payload.readableBytes
            + self.message.properties.byteCount
    }
}

// MARK: - Messages to the client

extension HostedSession {
    /// The outcome of offering a message to a receiver.
    struct Delivery {
        var outcome: BrokerSession.Delivered
        /// The connection to flush, unless that is scheduled already.
        var toFlush: ConnectionHandle?
        /// What the acknowledgement of the message waits for.
        var position = JournalPosition.none
        /// Until when the publisher waits for the client, unless it is released before.
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

    /// What a connection is to send.
    struct Output {
        var pumped = BrokerSession.Pumped()
        /// Whether more could be sent immediately.
        var hasMore = false
        /// The position in the journal that must be committed before it may be sent.
        var position = JournalPosition.none
        /// Publishers that no longer wait.
        var released: [any HeldPublisher] = []
    }

    /// Takes the bytes to send, including queued messages that may be sent now; on the connection's loop.
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
                // The next bytes are likely to be about as many. An idle client keeps no buffer.
                state.outHint = min(replies.readableBytes, Self.highWaterMark)
                state.out = ByteBuffer()
            }
            return Output(
                pumped: pumped, hasMore: state.session.hasMoreToWrite, position: state.messagesPosition,
                released: state.takePublishersToRelease())
        }
    }

    /// Releases publishers; under no lock.
    func release(_ publishers: [any HeldPublisher]) {
        for publisher in publishers { publisher.released(by: ObjectIdentifier(self)) }
    }

    /// Whether a message would be written immediately, or be the only one in the queue.
    var takesMore: Bool {
        self.state.withLock { $0.session.queuedMessages == 0 && $0.out.readableBytes < Self.highWaterMark }
    }
}

extension HostedSession.State {
    /// Takes the publishers that need not wait any more.
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
    /// The outcome of ``acquire(_:number:for:conflict:)``.
    enum Acquired: Sendable {
        /// The connection has the session now, with the state of its receiving side.
        case acquired(BrokerIncoming)
        /// Another connection has the session and must be closed first.
        case occupied(ConnectionHandle)
        /// The session has ended in the meantime.
        case over
        /// The session belongs to another user, and must not be replaced.
        case foreign
        /// The session belongs to another user who is disconnected, and must be ended first.
        case foreignAway
        /// A connection whose CONNECT came later has the session.
        case superseded
    }

    /// Gives the session to a connection, if possible.
    ///
    /// - Parameters:
    ///   - number: The number of the connection's CONNECT.
    ///   - conflict: What happens if the session belongs to another user.
    func acquire(
        _ connection: ConnectionHandle, number: UInt64, for client: MQTTBrokerClient,
        conflict: MQTTBrokerConfiguration.Behavior.IdentifierConflict
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

extension MQTTBrokerConfiguration.Behavior.IdentifierConflict {
    /// Whether a client may replace the session of another user.
    fileprivate func replaces(_ holder: MQTTBrokerClient, by client: MQTTBrokerClient) -> Bool {
        switch self {
        case .replaceSession: true
        case .replaceUnlessAnonymous: holder.username == nil || client.username != nil
        case .refuseClient: false
        }
    }
}
