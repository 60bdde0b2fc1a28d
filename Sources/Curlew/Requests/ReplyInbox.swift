import CurlewCore
import CurlewTransport
import DequeModule
import NIOCore
import Synchronization

/// What tells to which request a reply belongs.
enum ReplyKey: Sendable, Hashable {
    /// Correlation data of this client.
    case correlation(UInt64, UInt64)
    /// An identifier in the payload or topic, or the name of a device that answers without identifiers.
    case text(String)
}

/// A response subscription that many requests of a client share.
final class ReplyInbox: MessageReceiver {
    /// Where replies arrive, and how they find their request.
    struct Plan: Sendable {
        /// Distinguishes the inbox from others of the client.
        let name: Name
        let filters: [TopicFilter]
        /// The key of the request that a message answers; `nil` if the message is no reply. Called on the event loop.
        let key: @Sendable (MQTTMessage) -> ReplyKey?
        /// Whether only replies to this client arrive, so that any other message is an unexpected reply.
        let isPrivate: Bool
        /// Whether ``key`` decodes the payload, which therefore must not be too large.
        let readsPayload: Bool
    }

    /// Distinguishes the inboxes of a client.
    enum Name: Sendable, Hashable {
        /// Replies with correlation data of MQTT 5.0.
        case responses
        /// Answers of this form to a caller. The device is `nil` if the filters do not name it; only the number of its
        /// levels counts then.
        case answers(MQTTDialect.Answer, source: String, device: String?, levels: Int)
    }

    /// A request that waits for replies.
    private struct Waiting {
        let number: UInt64
        let target: any ReplyTarget
        /// Whether a message with the key can be a reply; `nil` if any can.
        let accepts: (@Sendable (MQTTMessage) -> Bool)?
    }

    private struct State {
        var waiting: [ReplyKey: [Waiting]] = [:]
        var count = 0
        var lastNumber: UInt64 = 0
        /// Why no more replies follow.
        var error: MQTTError?
        /// The task that subscribes the inbox.
        var subscribing: Task<Void, Never>?
        /// Replies that are too large to be decoded on the event loop, and their bytes.
        var large = Deque<MQTTMessage>()
        var largeBytes = 0
        /// Whether a task delivers them.
        var isDelivering = false
        /// Whether the inbox has ended because nobody used it.
        var isRetired = false
        /// The number of the last request when ``retire()`` was last called; `nil` if no call is to come.
        var unusedSince: UInt64?

        mutating func remove(_ registration: Registration) {
            guard var requests = self.waiting[registration.key],
                let index = requests.firstIndex(where: { $0.number == registration.number })
            else { return }
            self.count -= 1
            requests.remove(at: index)
            self.waiting[registration.key] = requests.isEmpty ? nil : requests
        }
    }

    /// Identifies a request of the inbox.
    struct Registration: Sendable {
        fileprivate let key: ReplyKey
        fileprivate let number: UInt64
    }

    let id: SubscriberID
    let plan: Plan
    /// Set when the server grants (`nil`) or refuses the subscription.
    let subscribed = OneShot<MQTTError?>()
    private unowned let owner: any ReceiverOwner
    /// The maximum size of a reply whose payload has to be decoded to find its request.
    private let sizeLimit: Int
    /// Guards the waiting requests.
    private let state = Mutex(State())

    init(id: SubscriberID, _ plan: Plan, owner: any ReceiverOwner, sizeLimit: Int) {
        self.id = id
        self.plan = plan
        self.owner = owner
        self.sizeLimit = sizeLimit
    }

    var filters: [TopicFilter] { self.plan.filters }

    /// Replies are acknowledged on arrival.
    var messageInHand: MQTTMessage? { nil }

    /// Keeps the task that subscribes the inbox. The end of the inbox cancels it.
    func own(_ subscribing: Task<Void, Never>) {
        let hasEnded = self.state.withLock { state in
            state.subscribing = subscribing
            return state.error != nil
        }
        if hasEnded { subscribing.cancel() }
    }

    /// Registers a request.
    ///
    /// - Parameter accepts: Whether a message with this key can be a reply to the request. Default: any.
    /// - Returns: The registration; `nil` if the inbox has been retired, so that the request needs a new one.
    /// - Throws: ``MQTTError`` if too many requests are waiting, or the error that ended the inbox.
    func register(
        _ target: any ReplyTarget, for key: ReplyKey, limit: Int,
        accepting accepts: (@Sendable (MQTTMessage) -> Bool)? = nil
    ) throws(MQTTError) -> Registration? {
        let registered: Result<Registration?, MQTTError> = self.state.withLock { state in
            if state.isRetired { return .success(nil) }
            if let error = state.error { return .failure(error) }
            guard state.count < limit else {
                return .failure(
                    MQTTError(
                        .queueFull,
                        "\(limit) requests are already waiting for replies: raise `limits.waitingRequests`."))
            }
            state.count += 1
            state.lastNumber += 1
            let waiting = Waiting(number: state.lastNumber, target: target, accepts: accepts)
            state.waiting[key, default: []].append(waiting)
            return .success(Registration(key: key, number: state.lastNumber))
        }
        do { return try registered.get() } catch { throw error.with(delivery: .notSent) }
    }

    func forget(_ registration: Registration) { self.state.withLock { $0.remove(registration) } }

    /// A request ended. Returns whether to call ``retire()`` after a while.
    func mustRetireLater() -> Bool {
        self.state.withLock { state in
            guard state.unusedSince == nil, state.error == nil else { return false }
            state.unusedSince = state.lastNumber
            return true
        }
    }

    /// What to do with an inbox after a while.
    enum Retirement {
        /// End it: nobody has used it.
        case end
        /// Look again after the same time.
        case keep
    }

    /// Retires the inbox if no request has used it since the last call.
    func retire() -> Retirement {
        self.state.withLock { state in
            if state.count == 0, state.unusedSince == state.lastNumber {
                state.isRetired = true
                return .end
            }
            state.unusedSince = state.lastNumber
            return .keep
        }
    }

    func receive(_ batch: [MQTTMessage]) {
        var unexpected = 0
        for message in batch where !self.deliver(message) { unexpected += 1 }
        self.owner.acknowledge(batch.compactMap(\.token))
        if unexpected > 0 { self.owner.countUnexpectedReplies(unexpected) }
    }

    /// Returns `false` for an unexpected reply.
    private func deliver(_ message: MQTTMessage) -> Bool {
        // Others may publish to the topics all the time, so nothing is decoded while nobody waits.
        guard self.state.withLock({ $0.count > 0 }) else { return !self.plan.isPrivate }
        if self.plan.readsPayload, message.byteCount > Self.quickSize {
            let isTaken = message.byteCount <= self.sizeLimit && self.deliverLater(message)
            return isTaken || !self.plan.isPrivate
        }
        return self.deliverNow(message)
    }

    /// The maximum size of payloads that are decoded on the event loop.
    private static let quickSize = 16_384
    /// How many of the largest replies may wait to be decoded.
    private static let waitingLarge = 16

    /// Delivers a large reply in a task. Returns `false` if too many wait.
    private func deliverLater(_ message: MQTTMessage) -> Bool {
        let (isTaken, mustStart) = self.state.withLock { state in
            let bytes = state.largeBytes + message.byteCount
            guard bytes <= Self.waitingLarge * self.sizeLimit else { return (false, false) }
            state.large.append(message)
            state.largeBytes += message.byteCount
            return (true, !exchange(&state.isDelivering, with: true))
        }
        guard mustStart else { return isTaken }
        let owner = self.owner
        // Nobody keeps it: it ends with the last large reply.
        Task {
            while let next = self.nextLarge() { if !self.deliverNow(next) { owner.countUnexpectedReplies(1) } }
        }
        return isTaken
    }

    private func nextLarge() -> MQTTMessage? {
        self.state.withLock { state in
            guard let next = state.large.popFirst() else {
                state.isDelivering = false
                return nil
            }
            state.largeBytes -= next.byteCount
            return next
        }
    }

    private func deliverNow(_ message: MQTTMessage) -> Bool {
        guard let key = self.plan.key(message) else { return !self.plan.isPrivate }
        let waiting = self.state.withLock { $0.waiting[key] } ?? []
        var isExpected = false
        for request in waiting where request.accepts?(message) ?? true {
            switch request.target.receive(message) {
            case .taken: isExpected = true
            case .last:
                isExpected = true
                self.forget(Registration(key: key, number: request.number))
            case .dropped: break
            }
        }
        return isExpected || !self.plan.isPrivate
    }

    /// Nobody else uses its topic, so no messages can wait for it.
    func adopt(_ messages: [MQTTMessage]) {}

    /// Reports to the request why it gets no reply.
    func miss(_ message: MQTTMessage, _ error: MQTTError) {
        guard self.plan.isPrivate, let key = self.plan.key(message) else { return }
        let waiting = self.state.withLock { $0.waiting[key] } ?? []
        for request in waiting {
            self.forget(Registration(key: key, number: request.number))
            request.target.finish(error)
        }
    }

    func finish(_ error: MQTTError?) {
        let error = error ?? MQTTError(.clientStopped, "The client was disconnected.")
        self.subscribed.set(error)
        let (waiting, subscribing) = self.state.withLock { state in
            state.error = error
            state.count = 0
            return (exchange(&state.waiting, with: [:]), exchange(&state.subscribing, with: nil))
        }
        subscribing?.cancel()
        for request in waiting.values.joined() { request.target.finish(error) }
    }
}

extension ReplyKey {
    /// The key of correlation data with 16 bytes; `nil` for other data, which is not from this client.
    init?(_ data: ByteBuffer?) {
        guard var data, data.readableBytes == 16,
            let (high, low) = data.readMultipleIntegers(as: (UInt64, UInt64).self)
        else { return nil }
        self = .correlation(high, low)
    }

    /// Correlation data that nobody can guess.
    static func makeCorrelation() -> (key: Self, data: ByteBuffer) {
        let high = UInt64.random(in: .min ... .max)
        let low = UInt64.random(in: .min ... .max)
        var data = ByteBuffer()
        data.writeMultipleIntegers(high, low)
        return (.correlation(high, low), data)
    }
}
