import CurlewCore
import DequeModule
import Synchronization

/// Who gets the messages of a filter: a subscription's queue, or the inbox of replies.
protocol MessageReceiver: AnyObject, Sendable {
    /// What it gets the messages of.
    var filters: [TopicFilter] { get }
    /// Takes what one read brought.
    func receive(_ batch: [MQTTMessage])
    /// Takes what has waited for it, and comes before anything that it receives. Called under the client's lock.
    func adopt(_ messages: [MQTTMessage])
    /// A message for it was too large to be taken; this one has its topic and properties.
    func miss(_ message: MQTTMessage, _ error: MQTTError)
    /// No more will come: normally, or because of an error.
    func finish(_ error: MQTTError?)
    /// The oldest message that was not passed on, for the warning about stuck acknowledgements.
    var handedOut: MQTTMessage? { get }
}

/// The queue between the event loop, which appends once per read, and the consumer, which takes all in one swap.
final class SubscriptionBuffer: MessageReceiver {
    private typealias Continuation = UnsafeContinuation<Void, Never>

    private struct State {
        var queue: MessageQueue
        /// What comes before the next that is received.
        var adopted: [MQTTMessage] = []
        /// Consumers that wait for a message, by a number that cancels the wait. Usually one at the most.
        var waiting: [UInt64: Continuation] = [:]
        var nextWait: UInt64 = 0
        var isFinished = false
        var error: MQTTError?
        /// The message that the consumer works on.
        var handedOut: MQTTMessage?
        /// Makes the server wait, for consumers that ask for it.
        var hold: ReadingHold?
    }

    let id: SubscriberID
    let filters: [TopicFilter]
    let policy: MQTTConfiguration.AcknowledgementPolicy
    private let priority: (@Sendable (MQTTMessage) -> Int)?
    private unowned let client: MQTTClient
    /// Guards the queue and who waits for it.
    private let state: Mutex<State>

    init(
        id: SubscriberID, filters: [TopicFilter], queue: MQTTConfiguration.SubscriptionQueue,
        policy: MQTTConfiguration.AcknowledgementPolicy, client: MQTTClient
    ) {
        self.id = id
        self.filters = filters
        self.policy = policy
        self.client = client
        let queue = MessageQueue(queue)
        self.priority = queue.priority
        self.state = Mutex(State(queue: queue))
    }

    // MARK: The event loop's side

    func adopt(_ messages: [MQTTMessage]) {
        self.state.withLock { $0.adopted += messages }
    }

    func receive(_ batch: [MQTTMessage]) {
        var arrival = Arrival()
        var adopted: [MQTTMessage] = []
        var isFull = false
        // The user's code says which goes before which, and runs while nobody is locked out.
        let ranks = self.priority.map { priority in
            adopted = self.state.withLock { exchange(&$0.adopted, with: []) }
            return (adopted + batch).map(priority)
        }
        let waiting = self.state.withLock { state in
            if let ranks {
                for (message, rank) in zip(adopted + batch, ranks) { self.append(message, rank, &state, &arrival) }
            } else {
                adopted = exchange(&state.adopted, with: [])
                for message in adopted { self.append(message, nil, &state, &arrival) }
                for message in batch { self.append(message, nil, &state, &arrival) }
            }
            if state.hold != nil, !state.isFinished { isFull = state.hold?.added(adopted + batch) ?? false }
            return exchange(&state.waiting, with: [:])
        }
        if isFull { self.fill() }
        for continuation in waiting.values { continuation.resume() }
        if self.policy == .onReceipt {
            self.client.passed(adopted.compactMap(\.token))
            self.client.passed(batch.compactMap(\.token))
        } else if !arrival.isEmpty {
            self.client.passed(arrival.dropped.compactMap(\.token))
            self.client.handBack(arrival.late)
        }
        if arrival.hasOverflowed { arrival.dropped += arrival.late.filter { self.isLost($0) } }
        if !arrival.dropped.isEmpty { self.client.noteDropped(arrival.dropped.count, by: self) }
        if arrival.hasOverflowed { self.client.unsubscribeInBackground(self.id) }
    }

    /// What became of those that did not find their place in the queue.
    private struct Arrival {
        /// Lost by the queue's policy.
        var dropped: [MQTTMessage] = []
        /// Those that came when the subscription had ended.
        var late: [MQTTMessage] = []
        /// Whether it has ended because of them.
        var hasOverflowed = false

        var isEmpty: Bool { self.dropped.isEmpty && self.late.isEmpty }
    }

    @inline(__always)
    private func append(_ message: MQTTMessage, _ rank: Int?, _ state: inout State, _ arrival: inout Arrival) {
        guard !state.isFinished else { return arrival.late.append(message) }
        guard state.queue.append(message, rank: rank, dropped: &arrival.dropped) == .failed else { return }
        arrival.late.append(message)
        arrival.hasOverflowed = true
        state.isFinished = true
        state.error = MQTTError(
            .queueOverflow,
            "The queue of the subscription to \(self.name) is full and set to fail: consume faster, enlarge "
                + "`queues.subscription`, or choose another overflow policy.")
    }

    /// Whether nobody else can get a message that the subscription has not taken.
    private func isLost(_ message: MQTTMessage) -> Bool { message.token == nil || self.policy == .onReceipt }

    func miss(_ message: MQTTMessage, _ error: MQTTError) {
        let (fails, waiting): (Bool, [UInt64: Continuation]) = self.state.withLock { state in
            guard !state.isFinished else { return (false, [:]) }
            guard state.queue.countDropped() == .fail else { return (false, [:]) }
            state.isFinished = true
            state.error = error
            return (true, exchange(&state.waiting, with: [:]))
        }
        for continuation in waiting.values { continuation.resume() }
        if fails { self.client.unsubscribeInBackground(self.id) }
    }

    func finish(_ error: MQTTError?) {
        let waiting = self.state.withLock { state in
            if !state.isFinished {
                state.isFinished = true
                state.error = error
            }
            return exchange(&state.waiting, with: [:])
        }
        for continuation in waiting.values { continuation.resume() }
    }

    var handedOut: MQTTMessage? {
        guard self.policy == .onConsumption else { return nil }
        return self.state.withLock { state in
            if let message = state.handedOut { return message }
            guard let message = state.queue.oldest, message.token != nil else { return nil }
            return message
        }
    }

    var name: String { self.filters.map { "\"\($0)\"" }.joined(separator: ", ") }

    // MARK: The consumer's side

    /// How many messages wait, and how many were dropped so far.
    var counts: (queued: Int, dropped: Int) { self.state.withLock { ($0.queue.count, $0.queue.droppedCount) } }

    /// Takes what waits; waits for something if there is nothing. Returns `false` at the end.
    nonisolated(nonsending) func take(into batch: inout Deque<MQTTMessage>) async throws(MQTTError) -> Bool {
        while true {
            var outcome = Result<Bool, MQTTError>.success(true)
            var takesMore = false
            let mustWait = self.state.withLock { state in
                state.queue.take(into: &batch)
                if state.hold != nil { takesMore = state.hold?.tookAll() ?? false }
                guard batch.isEmpty else { return false }
                guard state.isFinished else { return true }
                outcome = exchange(&state.error, with: nil).map { .failure($0) } ?? .success(false)
                return false
            }
            if takesMore { self.client.subscription(self.id, isFull: false) }
            guard mustWait else { return try outcome.get() }
            if Task.isCancelled { return false }
            await self.waitForMessage()
        }
    }

    func holdReading(above bytes: Int) {
        self.state.withLock { $0.hold = ReadingHold(limit: bytes) }
    }

    private nonisolated(nonsending) func waitForMessage() async {
        let id = self.state.withLock { state in
            state.nextWait += 1
            return state.nextWait
        }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: Continuation) in
                let isReady = self.state.withLock { state in
                    // Asked under the lock: a cancellation that comes later finds the continuation.
                    guard state.queue.isEmpty, !state.isFinished, !Task.isCancelled else { return true }
                    state.waiting[id] = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            let continuation = self.state.withLock { $0.waiting.removeValue(forKey: id) }
            continuation?.resume()
        }
    }

    /// The consumer begins to work on a message, or on none.
    func hand(out message: MQTTMessage?) {
        guard self.policy == .onConsumption else { return }
        self.state.withLock { $0.handedOut = message }
    }

    /// The consumer is done with a message: it may be acknowledged.
    func pass(_ message: MQTTMessage) {
        guard self.policy == .onConsumption, let token = message.token else { return }
        self.client.passed(token)
    }

    /// A loop was left: what it has not looked at is for the next.
    func putBack(_ batch: Deque<MQTTMessage>) {
        let waiting = self.state.withLock { state in
            state.queue.putBack(batch)
            return exchange(&state.waiting, with: [:])
        }
        for continuation in waiting.values { continuation.resume() }
    }

    /// The subscription is over: what nobody has looked at may be taken by another.
    func abandon() {
        let (queued, adopted) = self.state.withLock { state in
            state.isFinished = true
            var queued: [MQTTMessage] = []
            while let message = state.queue.popNext() { queued.append(message) }
            return (queued, exchange(&state.adopted, with: []))
        }
        self.client.forget(self)
        self.client.handBack(adopted + (self.policy == .onReceipt ? [] : queued))
        self.endHold()
    }

    private func fill() {
        self.client.subscription(self.id, isFull: true)
        // The consumer may have taken all meanwhile, and told so first.
        if self.state.withLock({ $0.hold?.isFull != true }) { self.client.subscription(self.id, isFull: false) }
    }

    /// Nobody consumes any more: the connection is to be read on.
    private func endHold() {
        if self.state.withLock({ exchange(&$0.hold, with: nil)?.isFull == true }) {
            self.client.subscription(self.id, isFull: false)
        }
    }
}

/// How much of what has come waits for a consumer that has the server wait.
struct ReadingHold: Equatable {
    /// In bytes of memory.
    let limit: Int
    private var held = 0
    /// Whether the server waits.
    private(set) var isFull = false

    init(limit: Int) { self.limit = limit }

    /// Messages have come. Returns whether the server is to wait from now on.
    mutating func added(_ batch: [MQTTMessage]) -> Bool {
        for message in batch { self.held += message.footprint }
        guard !self.isFull, self.held > self.limit else { return false }
        self.isFull = true
        return true
    }

    /// The consumer has taken all that waited. Returns whether the server need not wait any more.
    mutating func tookAll() -> Bool {
        self.held = 0
        return exchange(&self.isFull, with: false)
    }
}

extension MessageQueue {
    /// Takes what the consumer may hold at once: all of it, or the next where what arrives later may still go before it.
    fileprivate mutating func take(into batch: inout Deque<MQTTMessage>) {
        if self.servesBatches {
            self.takeAll(into: &batch)
        } else if let message = self.popNext() {
            batch.append(message)
        }
    }
}
