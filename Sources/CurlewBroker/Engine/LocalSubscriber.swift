import CurlewCore
import DequeModule
import Synchronization

/// A subscription of the program that embeds the broker: messages wait in a bounded queue until the program takes them.
final class LocalSubscriber: Sendable {
    private struct State {
        var messages = Deque<MQTTBrokerMessage>()
        var waiting: UnsafeContinuation<MQTTBrokerMessage?, Never>?
        var isFinished = false
        var dropped = 0
    }

    let filter: TopicFilter
    private let capacity: Int
    /// Guards what waits, and who waits for it.
    private let state = Mutex(State())

    init(filter: TopicFilter, capacity: Int) {
        self.filter = filter
        self.capacity = capacity
    }

    /// How many messages were not taken because the queue was full.
    var dropped: Int { self.state.withLock { $0.dropped } }

    /// Adds a message. Returns whether there was room.
    func deliver(_ message: MQTTBrokerMessage) -> Bool {
        let (continuation, isTaken): (UnsafeContinuation<MQTTBrokerMessage?, Never>?, Bool) = self.state.withLock {
            state in
            guard !state.isFinished else { return (nil, true) }
            if let waiting = exchange(&state.waiting, with: nil) { return (waiting, true) }
            guard state.messages.count < self.capacity else {
                state.dropped += 1
                return (nil, false)
            }
            state.messages.append(message)
            return (nil, true)
        }
        continuation?.resume(returning: message)
        return isTaken
    }

    /// The next message; `nil` when the subscription is over or the task is cancelled.
    func next() async -> MQTTBrokerMessage? {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let result: MQTTBrokerMessage?? = self.state.withLock { state in
                    if let message = state.messages.popFirst() { return .some(message) }
                    if state.isFinished || Task.isCancelled { return .some(nil) }
                    state.waiting = continuation
                    return nil
                }
                if let result { continuation.resume(returning: result) }
            }
        } onCancel: {
            self.state.withLock { exchange(&$0.waiting, with: nil) }?.resume(returning: nil)
        }
    }

    /// No more messages come.
    func finish() {
        let waiting = self.state.withLock { state in
            state.isFinished = true
            return exchange(&state.waiting, with: nil)
        }
        waiting?.resume(returning: nil)
    }
}

extension LocalSubscriber: Hashable {
    static func == (left: LocalSubscriber, right: LocalSubscriber) -> Bool { left === right }

    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
