import CurlewCore
import CurlewTransport
import DequeModule
import Synchronization

/// The replies to one request, between the event loop and the consumer.
final class ReplyBuffer: ReplyTarget {
    private struct State {
        var replies = Deque<MQTTMessage>()
        /// The weight of the unread replies.
        var bytes = 0
        /// How many more replies are wanted; `nil` for no limit.
        var wanted: Int?
        var isFinished = false
        var error: MQTTError?
    }

    /// Guards the replies.
    private let state: Mutex<State>
    /// Tasks wait for a reply or the end.
    private let changed = Condition()
    /// The maximum number of unread replies, and of their bytes.
    private let bound: (count: Int, bytes: Int)

    init(wanted: Int?, bound: (count: Int, bytes: Int)) {
        self.state = Mutex(State(wanted: wanted))
        self.bound = bound
    }

    func receive(_ message: MQTTMessage) -> ReplyReceived {
        let weight = message.weight
        let result: ReplyReceived = self.state.withLock { state in
            // A reply that exceeds the bound by itself is accepted if no other waits.
            guard !state.isFinished, state.replies.count < self.bound.count,
                state.replies.isEmpty || state.bytes + weight <= self.bound.bytes
            else { return .dropped }
            state.replies.append(message)
            state.bytes += weight
            if let wanted = state.wanted { state.wanted = wanted - 1 }
            if state.wanted == 0 { state.isFinished = true }
            return state.isFinished ? .last : .taken
        }
        self.changed.wakeAll()
        return result
    }

    /// No more replies follow. Does nothing if the buffer is already finished.
    func finish(_ error: MQTTError?) {
        self.state.withLock { state in
            guard !state.isFinished else { return }
            state.isFinished = true
            state.error = error
        }
        self.changed.wakeAll()
    }

    /// Returns the next reply; `nil` if no more follow.
    nonisolated(nonsending) func next() async throws(MQTTError) -> MQTTMessage? {
        while true {
            if Task.isCancelled { throw MQTTError(.cancelled, "The task was cancelled.") }
            let known: Result<MQTTMessage?, MQTTError>? = self.state.withLock { state in
                if let reply = state.replies.popFirst() {
                    state.bytes -= reply.weight
                    return .success(reply)
                }
                guard state.isFinished else { return nil }
                if let error = exchange(&state.error, with: nil) { return .failure(error) }
                return .success(nil)
            }
            if let known { return try known.get() }
            await self.changed.wait { self.state.withLock { $0.replies.isEmpty && !$0.isFinished } }
        }
    }
}
