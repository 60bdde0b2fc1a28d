import CurlewCore
import DequeModule
import Synchronization

/// Who gets the messages of a filter: a subscription's queue, or the inbox of replies.
protocol MessageReceiver: AnyObject, Sendable {
    /// What it gets the messages of.
    var filters: [TopicFilter] { get }
    /// Takes what one read brought.
    func receive(_ batch: [MQTTMessage])
    /// No more will come: normally, or because of an error.
    func finish(_ error: MQTTError?)
    /// The oldest message that was handed out and not passed on, for the warning about stuck acknowledgements.
    var handedOut: MQTTMessage? { get }
}

/// The queue between the event loop, which appends once per read, and the consumer, which takes all in one swap.
final class SubscriptionBuffer: MessageReceiver {
    private typealias Continuation = UnsafeContinuation<Void, Never>

    private struct State {
        var queue: MessageQueue
        /// Consumers that wait for a message, by a number that cancels the wait. Usually one at the most.
        var waiting: [UInt64: Continuation] = [:]
        var nextWait: UInt64 = 0
        var isFinished = false
        var error: MQTTError?
        /// The message that the consumer works on.
        var handedOut: MQTTMessage?
        /// Has the server wait, for consumers that want it.
        var hold: ReadingHold?
    }

    let id: SubscriberID
    let filters: [TopicFilter]
    let policy: MQTTConfiguration.AcknowledgementPolicy
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
        self.state = Mutex(State(queue: MessageQueue(queue)))
    }

    // MARK: The event loop's side

    func receive(_ batch: [MQTTMessage]) {
        var dropped: [MQTTMessage] = []
        var (overflowed, isFull) = (false, false)
        let waiting = self.state.withLock { state in
            guard !state.isFinished else {
                dropped = batch
                return exchange(&state.waiting, with: [:])
            }
            for message in batch where state.queue.append(message, dropped: &dropped) == .failed {
                overflowed = true
                dropped.append(message)
                state.isFinished = true
                state.error = MQTTError(
                    .queueOverflow,
                    "The queue of the subscription to \(self.name) is full and set to fail: consume faster, enlarge "
                        + "`queues.subscription`, or choose another overflow policy.")
            }
            if state.hold != nil { isFull = state.hold?.added(batch) ?? false }
            return exchange(&state.waiting, with: [:])
        }
        if isFull { self.fill() }
        for continuation in waiting.values { continuation.resume() }
        if self.policy == .onReceipt {
            self.client.passed(batch.compactMap(\.token))
        } else if !dropped.isEmpty {
            self.client.passed(dropped.compactMap(\.token))
        }
        if !dropped.isEmpty { self.client.noteDropped(dropped.count, by: self) }
        if overflowed { self.client.unsubscribeInBackground(self.id) }
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

    var handedOut: MQTTMessage? { self.state.withLock { $0.handedOut } }

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

    /// The subscription is over: whatever nobody will read any more is passed, so that it does not hold up the others.
    func abandon(_ unread: Deque<MQTTMessage>) {
        var tokens = unread.compactMap(\.token)
        self.state.withLock { state in
            state.isFinished = true
            while let message = state.queue.popNext() {
                if let token = message.token { tokens.append(token) }
            }
        }
        if self.policy != .onReceipt { self.client.passed(tokens) }
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
