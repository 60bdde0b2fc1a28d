import CurlewCore
import CurlewTransport
import DequeModule
import Synchronization

/// The queue between the event loop, which appends once per read, and the consumer, which takes all messages in one
/// swap.
final class SubscriptionBuffer: MessageReceiver {
    private struct State {
        var queue: MessageQueue
        /// Claimed messages; they go into the queue before the next received ones.
        var adopted: [MQTTMessage] = []
        var isFinished = false
        var error: MQTTError?
        /// The message that a loop is processing.
        var handedOut: MQTTMessage?
        /// The last message that `next(within:)` has returned, until it is acknowledged.
        var returned: MQTTMessage?
        /// The QoS that the server granted for each filter.
        var grantedQoS: [QoS] = []
        /// The number of loops.
        var loops = 0
        /// Messages that the consumer must acknowledge itself.
        var owed = OwedAcknowledgements()
        /// Stops reading from the connection, for consumers that ask for it.
        var hold: ReadingHold?
    }

    let id: SubscriberID
    let filters: [TopicFilter]
    let policy: MQTTConfiguration.AcknowledgementPolicy
    private let priority: (@Sendable (MQTTMessage) -> Int)?
    private unowned let owner: any ReceiverOwner
    /// Guards the queue.
    private let state: Mutex<State>
    /// Consumers wait for a message or for the end of the subscription.
    private let changed: Condition

    init(
        id: SubscriberID, filters: [TopicFilter], queue: MQTTConfiguration.SubscriptionQueue,
        policy: MQTTConfiguration.AcknowledgementPolicy, owner: any ReceiverOwner, changed: Condition = Condition()
    ) {
        self.changed = changed
        self.id = id
        self.filters = filters
        self.policy = policy
        self.owner = owner
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
        // The priority function is user code: do not call it under the lock.
        let ranks = self.priority.map { priority in
            adopted = self.state.withLock { exchange(&$0.adopted, with: []) }
            return (adopted + batch).map(priority)
        }
        self.state.withLock { state in
            if let ranks {
                for (message, rank) in zip(adopted + batch, ranks) { self.append(message, rank, &state, &arrival) }
            } else {
                adopted = exchange(&state.adopted, with: [])
                for message in adopted { self.append(message, nil, &state, &arrival) }
                for message in batch { self.append(message, nil, &state, &arrival) }
            }
            for message in arrival.dropped { state.owed.forget(message) }
            if state.hold != nil, !state.isFinished { isFull = state.hold?.added(adopted + batch) ?? false }
        }
        if isFull { self.fill() }
        self.changed.wake(for: adopted.count + batch.count)
        if self.policy == .onReceipt {
            self.owner.acknowledge(adopted.compactMap(\.token))
            self.owner.acknowledge(batch.compactMap(\.token))
        } else if !arrival.isEmpty {
            self.owner.acknowledge(arrival.dropped.compactMap(\.token))
            self.owner.handBack(arrival.late)
        }
        if arrival.hasOverflowed { arrival.dropped += arrival.late.filter { self.isLost($0) } }
        if !arrival.dropped.isEmpty { self.owner.dropped(arrival.dropped.count, by: self) }
        if arrival.hasOverflowed {
            self.changed.wakeAll()
            self.owner.endSubscription(self.id)
        }
    }

    /// Messages that did not get a place in the queue.
    private struct Arrival {
        /// Dropped by the queue's policy.
        var dropped: [MQTTMessage] = []
        /// Arrived after the subscription ended.
        var late: [MQTTMessage] = []
        /// Whether these messages ended the subscription.
        var hasOverflowed = false

        var isEmpty: Bool { self.dropped.isEmpty && self.late.isEmpty }
    }

    @inline(__always)
    private func append(_ message: MQTTMessage, _ rank: Int?, _ state: inout State, _ arrival: inout Arrival) {
        guard !state.isFinished else { return arrival.late.append(message) }
        if self.policy == .manual, let token = message.token { state.owed.insert(token) }
        guard state.queue.append(message, rank: rank, dropped: &arrival.dropped) == .failed else { return }
        arrival.late.append(message)
        arrival.hasOverflowed = true
        state.isFinished = true
        state.error = MQTTError(
            .queueOverflow,
            "The queue of the subscription to \(self.name) is full and set to fail: consume faster, enlarge "
                + "`queues.subscription`, or choose a different overflow policy.")
    }

    /// Whether no other subscription can get a message that this one has not taken.
    private func isLost(_ message: MQTTMessage) -> Bool { message.token == nil || self.policy == .onReceipt }

    func miss(_ message: MQTTMessage, _ error: MQTTError) {
        let fails = self.state.withLock { state in
            guard !state.isFinished, state.queue.countDropped() == .fail else { return false }
            state.isFinished = true
            state.error = error
            return true
        }
        guard fails else { return }
        self.changed.wakeAll()
        self.owner.endSubscription(self.id)
    }

    func finish(_ error: MQTTError?) {
        self.state.withLock { state in
            guard !state.isFinished else { return }
            state.isFinished = true
            state.error = error
        }
        self.changed.wakeAll()
    }

    var messageInHand: MQTTMessage? {
        guard self.policy == .onConsumption else { return nil }
        return self.state.withLock { state in
            if let message = state.returned ?? state.handedOut { return message }
            guard let message = state.queue.oldest, message.token != nil else { return nil }
            return message
        }
    }

    var name: String { self.filters.map { "\"\($0)\"" }.joined(separator: ", ") }

    // MARK: The consumer's side

    /// The number of messages in the queue, and the number dropped so far.
    var counts: (queued: Int, dropped: Int) { self.state.withLock { ($0.queue.count, $0.queue.droppedCount) } }

    /// Takes the waiting messages; waits if there are none. Returns `false` at the end.
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
            if takesMore { self.owner.setFull(false, self.id) }
            guard mustWait else { return try outcome.get() }
            if Task.isCancelled { return false }
            await self.waitForMessage()
        }
    }

    /// Pauses reading from the connection while more than `bytes` wait here.
    func holdReading(above bytes: Int) {
        self.state.withLock { $0.hold = ReadingHold(limit: bytes) }
    }

    /// Whether a message waits, or no more follow.
    var hasNews: Bool { self.state.withLock { !$0.queue.isEmpty || $0.isFinished } }

    var hasEnded: Bool { self.state.withLock { $0.queue.isEmpty && $0.isFinished } }

    nonisolated(nonsending) func waitForMessage(unless isOver: () -> Bool = { false }) async {
        await self.changed.wait { !isOver() && self.state.withLock { $0.queue.isEmpty && !$0.isFinished } }
    }

    /// The consumer starts to process a message, or has none.
    func hand(out message: MQTTMessage?) {
        guard self.policy == .onConsumption else { return }
        self.state.withLock { $0.handedOut = message }
    }

    /// The consumer is done with a message.
    func acknowledge(_ message: MQTTMessage) {
        guard self.policy == .onConsumption, let token = message.token else { return }
        self.owner.acknowledge(token, .success)
    }

    /// Acknowledges a message of a subscription with the policy `.manual`.
    func acknowledge(byHand message: MQTTMessage, _ reasonCode: ReasonCode) throws(MQTTError) {
        guard self.policy == .manual else {
            throw MQTTError(
                .invalidArgument,
                "The subscription to \(self.name) acknowledges automatically: set its `acknowledgement` to `.manual`.")
        }
        guard let token = message.token else { return }
        guard self.state.withLock({ $0.owed.remove(token) }) else {
            throw MQTTError(
                .invalidArgument,
                "The message on \"\(message.topic)\" does not belong to the subscription to \(self.name), or was already acknowledged."
            )
        }
        self.owner.acknowledge(token, reasonCode)
    }

    var grantedQoS: [QoS] { self.state.withLock { $0.grantedQoS } }

    /// The server granted the filters, with this QoS for each.
    func granted(_ qos: [QoS]) { self.state.withLock { $0.grantedQoS = qos } }

    // MARK: Loops

    func loopEntered() {
        self.state.withLock { $0.loops += 1 }
        self.acknowledgeReturned()
    }

    /// A loop ended. When the last one ends, so does the subscription.
    ///
    /// - Parameter unread: Messages that the loop took but did not return.
    func loopLeft(_ unread: Deque<MQTTMessage>) {
        let isLast = self.state.withLock { state in
            state.handedOut = nil
            if !unread.isEmpty { state.queue.putBack(unread) }
            state.loops -= 1
            return state.loops == 0
        }
        self.changed.wakeAll()
        if isLast { self.end() }
    }

    /// A loop that took messages one at a time ended. Another subscription may claim those that it did not return.
    func loopLeft(returning unread: [MQTTMessage]) {
        self.loopLeft(Deque())
        let unread = unread.filter { $0.token != nil && self.policy != .onReceipt }
        if !unread.isEmpty { self.owner.handBack(unread) }
    }

    /// Ends the subscription. Another one may claim the messages that no consumer has seen.
    func end() {
        // Loops have already acknowledged theirs.
        self.acknowledgeReturned()
        self.owner.endSubscription(self.id)
        let unread = self.state.withLock { state in
            state.isFinished = true
            var unread = exchange(&state.adopted, with: [])
            while let message = state.queue.popNext() {
                // With `.onReceipt` they are already acknowledged.
                if self.policy != .onReceipt { unread.append(message) }
            }
            return unread
        }
        self.changed.wakeAll()
        if !unread.isEmpty { self.owner.handBack(unread) }
        self.endHold()
    }

    // MARK: Single messages

    /// Acknowledges the last message that `next(within:)` has returned, if that is still to be done.
    func acknowledgeReturned() {
        if let last = self.state.withLock({ exchange(&$0.returned, with: nil) }) { self.acknowledge(last) }
    }

    /// Returns the next message if it arrives in time. Acknowledges the message that the previous call returned.
    nonisolated(nonsending) func next(within limit: Duration?) async throws(MQTTError) -> MQTTMessage? {
        try await self.next(before: limit.map { self.makeLimit(until: self.owner.clock.now() + $0) })
    }

    /// Begins a time limit for several calls of ``next(before:)``.
    func makeLimit(until end: Timestamp) -> TimeLimit { TimeLimit(end, by: self.owner, waking: self.changed) }

    nonisolated(nonsending) func next(before limit: TimeLimit?) async throws(MQTTError) -> MQTTMessage? {
        self.acknowledgeReturned()
        while true {
            if Task.isCancelled { throw MQTTError(.cancelled, "The task was cancelled.") }
            switch self.poll() {
            case .message(let message): return message
            case .ended(let error?): throw error
            case .ended(nil): return nil
            case .empty:
                if let limit, limit.isOver { return nil }
                await self.waitForMessage { limit?.isOver ?? false }
            }
        }
    }

    /// What a consumer finds that does not wait.
    enum Polled {
        case message(MQTTMessage)
        /// No message waits.
        case empty
        /// No more messages follow.
        case ended(MQTTError?)
    }

    /// Returns the next message, if one waits. Acknowledge the previous one first.
    ///
    /// - Parameter keeps: Whether ``acknowledgeReturned()`` acknowledges the message. If not, the caller does.
    func poll(keeping keeps: Bool = true) -> Polled {
        var takesMore = false
        let polled: Polled = self.state.withLock { state in
            if let message = state.queue.popNext() {
                if keeps, self.policy == .onConsumption, message.token != nil { state.returned = message }
                if state.queue.isEmpty { takesMore = state.hold?.tookAll() ?? false }
                return .message(message)
            }
            return state.isFinished ? .ended(exchange(&state.error, with: nil)) : .empty
        }
        if takesMore { self.owner.setFull(false, self.id) }
        return polled
    }

    // MARK: Back-pressure

    private func fill() {
        self.owner.setFull(true, self.id)
        // The consumer may have taken all messages in the meantime, and reported that first.
        if self.state.withLock({ $0.hold?.isFull != true }) { self.owner.setFull(false, self.id) }
    }

    /// No consumer remains: resume reading from the connection.
    private func endHold() {
        if self.state.withLock({ exchange(&$0.hold, with: nil)?.isFull == true }) {
            self.owner.setFull(false, self.id)
        }
    }
}

/// The time until which calls wait for messages.
final class TimeLimit: Sendable {
    private let owner: any ReceiverOwner
    private let hasEnded = Latch()
    private let deadline: Deadlines.ID
    private let consumers: Condition

    /// - Parameter consumers: Wakes them at the end.
    init(_ end: Timestamp, by owner: any ReceiverOwner, waking consumers: Condition) {
        self.owner = owner
        self.consumers = consumers
        if end <= owner.clock.now() { self.hasEnded.raise() }
        self.deadline = owner.deadlines.schedule(at: end) { [hasEnded] in
            hasEnded.raise()
            consumers.wakeAll()
        }
    }

    deinit { self.owner.deadlines.cancel(self.deadline) }

    var isOver: Bool { self.hasEnded.isRaised }

    /// Waits for the end, or until the task is cancelled.
    nonisolated(nonsending) func wait() async { await self.consumers.wait { !self.hasEnded.isRaised } }
}

/// Messages that a consumer must acknowledge itself and has not yet.
struct OwedAcknowledgements {
    private var tokens: Set<DeliveryToken> = []
    /// Whether there were too many to keep track of: messages of lost connections stay forever.
    private var isOverfull = false
    private static let maximumCount = 1 << 17

    mutating func insert(_ token: DeliveryToken) {
        guard !self.isOverfull else { return }
        self.tokens.insert(token)
        guard self.tokens.count > Self.maximumCount else { return }
        self.isOverfull = true
        self.tokens = []
    }

    /// The queue dropped the message.
    mutating func forget(_ message: MQTTMessage) {
        if let token = message.token { self.tokens.remove(token) }
    }

    /// Returns whether the message was there.
    mutating func remove(_ token: DeliveryToken) -> Bool { self.isOverfull || self.tokens.remove(token) != nil }
}

/// How much memory the queue of a consumer uses that pauses reading.
struct ReadingHold: Equatable {
    /// In bytes of memory.
    let limit: Int
    private var held = 0
    /// Whether reading is paused.
    private(set) var isFull = false

    init(limit: Int) { self.limit = limit }

    /// Messages arrived. Returns whether to pause reading now.
    mutating func added(_ batch: [MQTTMessage]) -> Bool {
        for message in batch { self.held += message.footprint }
        guard !self.isFull, self.held > self.limit else { return false }
        self.isFull = true
        return true
    }

    /// The consumer took all messages. Returns whether to resume reading.
    mutating func tookAll() -> Bool {
        self.held = 0
        return exchange(&self.isFull, with: false)
    }
}

extension MessageQueue {
    /// Takes all messages, or only the next one if later messages may still overtake those that wait.
    fileprivate mutating func take(into batch: inout Deque<MQTTMessage>) {
        if self.servesBatches {
            self.takeAll(into: &batch)
        } else if let message = self.popNext() {
            batch.append(message)
        }
    }
}

extension MQTTSubscription {
    /// Stops reading from the connection while more than `bytes` wait here. No message is dropped, and the broker
    /// notices that its client is slow. The command does this because its output may be a slow pipe.
    ///
    /// While reading is paused, no acknowledgements arrive either, so the consumer must not wait for one.
    package func holdReading(above bytes: Int) { self.buffer.holdReading(above: bytes) }
}
