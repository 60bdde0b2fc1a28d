import CurlewCore
import CurlewTransport
import DequeModule
import Synchronization

/// A subscription of the embedding program: messages wait in a bounded queue until the program takes them.
final class LocalSubscriber: Sendable {
    /// A message and how it is delivered.
    private struct Pending {
        let message: BrokerMessage
        let terms: DeliveryTerms

        var weight: Int { self.message.byteCount + 128 }

        var delivered: MQTTBrokerMessage {
            MQTTBrokerMessage(
                topic: self.message.topic, payload: self.message.payload, qos: self.terms.qos,
                retain: self.terms.retain, properties: self.message.properties)
        }
    }

    private struct State {
        var messages = Deque<Pending>()
        /// Messages that arrive before the retained messages were added; `nil` from then on.
        var later: Deque<Pending>? = []
        /// The weight of all messages in the queue, in bytes.
        var bytes = 0
        /// How many tasks wait for a message.
        var waitingTasks = 0
        var isFinished = false
        var dropped = 0
        var backpressure: Backpressure
        var waitingPublishers = WaitingPublishers()

        var load: Backpressure.Load {
            Backpressure.Load(messages: self.messages.count + (self.later?.count ?? 0), bytes: self.bytes)
        }

        mutating func append(_ pending: Pending) {
            self.bytes += pending.weight
            if self.later == nil { self.messages.append(pending) } else { self.later?.append(pending) }
        }

        mutating func takePublishersToRelease() -> [any HeldPublisher] {
            let count = self.isFinished ? .max : self.backpressure.drained(to: self.load)
            let released = self.waitingPublishers.take(count)
            if self.waitingPublishers.isEmpty { self.backpressure.released() }
            return released
        }
    }

    let filter: TopicFilter
    let capacity: Int
    private let clock: MonotonicClock
    /// Guards the queue.
    private let state: Mutex<State>
    /// Tasks wait for a message or the end of the subscription.
    private let changed = Condition()

    init(filter: TopicFilter, capacity: Int, patience: Duration, clock: MonotonicClock) {
        self.filter = filter
        self.capacity = capacity
        self.clock = clock
        self.state = Mutex(State(backpressure: Backpressure(patience: patience)))
    }

    /// How many messages wait, and how many were dropped because the queue was full.
    var counts: (queued: Int, dropped: Int) { self.state.withLock { ($0.load.messages, $0.dropped) } }

    /// Dispatches a message to the program, if there is room in the queue.
    ///
    /// - Parameter publisher: The publisher, if it can wait for the program.
    /// - Returns: `nil` when the subscription is over.
    func dispatch(
        _ message: BrokerMessage, _ terms: DeliveryTerms, from publisher: (any HeldPublisher)?, now: Timestamp,
        budget: MemoryBudget
    ) -> HostedSession.Delivery? {
        let pending = Pending(message: message, terms: terms)
        let delivery: HostedSession.Delivery? = self.state.withLock { state in
            guard !state.isFinished else { return nil }
            let room = budget.room(holding: state.bytes)
            var delivery = HostedSession.Delivery(outcome: .queueFull)
            // A message for an empty queue is accepted regardless of its size, since the program can take it at once.
            let wasEmpty = state.load.messages == 0
            let isAwaited = wasEmpty && state.waitingTasks > 0
            if state.load.messages < self.capacity, pending.weight <= room || wasEmpty {
                state.append(pending)
                delivery.outcome = .written
            } else {
                state.dropped += 1
            }
            let capacity = Backpressure.Load(messages: self.capacity, bytes: state.bytes + min(room, Int.max / 2))
            if let publisher, terms.qos > .atMostOnce, !isAwaited,
                let until = state.backpressure.queued(state.load, capacity: capacity, now: now)
            {
                state.waitingPublishers.add(publisher)
                delivery.heldUntil = until
            }
            return delivery
        }
        self.changed.wakeAll()
        return delivery
    }

    /// Adds retained messages, in front of messages that have arrived since the subscription was made.
    func begin(with retained: [(BrokerMessage, DeliveryTerms)]) {
        self.state.withLock { state in
            let later = exchange(&state.later, with: nil) ?? []
            for (message, terms) in retained.prefix(self.capacity) {
                state.append(Pending(message: message, terms: terms))
            }
            state.dropped += max(0, retained.count - self.capacity)
            state.messages.append(contentsOf: later)
        }
        self.changed.wakeAll()
    }

    /// The next message; `nil` if the subscription is over or the task is cancelled. Several tasks share the messages.
    ///
    /// - Parameter isOver: Whether the caller does not wait any longer. It must call ``wake()`` when this changes.
    nonisolated(nonsending) func next(unless isOver: () -> Bool = { false }) async -> MQTTBrokerMessage? {
        while !Task.isCancelled {
            let (message, isFinished, released) = self.state.withLock { state in
                guard let pending = state.messages.popFirst() else {
                    return (nil as MQTTBrokerMessage?, state.isFinished, [] as [any HeldPublisher])
                }
                state.bytes -= pending.weight
                state.backpressure.took(
                    Backpressure.Load(messages: 1, bytes: pending.weight),
                    capacity: Backpressure.Load(messages: self.capacity, bytes: .max), now: self.clock.now())
                return (pending.delivered, false, state.takePublishersToRelease())
            }
            self.release(released)
            if message != nil || isFinished || isOver() { return message }
            self.state.withLock { $0.waitingTasks += 1 }
            await self.changed.wait { !isOver() && self.state.withLock { $0.messages.isEmpty && !$0.isFinished } }
            self.state.withLock { $0.waitingTasks -= 1 }
        }
        return nil
    }

    /// Lets the waiting tasks check again whether to wait.
    func wake() { self.changed.wakeAll() }

    /// No more messages come.
    func finish() {
        let released = self.state.withLock { state in
            state.isFinished = true
            return state.takePublishersToRelease()
        }
        self.changed.wakeAll()
        self.release(released)
    }

    private func release(_ publishers: [any HeldPublisher]) {
        for publisher in publishers { publisher.released(by: ObjectIdentifier(self)) }
    }
}

extension LocalSubscriber: Hashable {
    static func == (left: LocalSubscriber, right: LocalSubscriber) -> Bool { left === right }

    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
