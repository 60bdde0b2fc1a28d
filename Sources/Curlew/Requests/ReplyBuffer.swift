import CurlewCore
import CurlewTransport
import DequeModule
import Synchronization

/// The replies to one request, between the event loop and who waits for them.
final class ReplyBuffer: Sendable {
    private struct State {
        var replies = Deque<MQTTMessage>()
        /// What the unread replies weigh.
        var bytes = 0
        /// How many more are wanted; `nil`: all that come.
        var wanted: Int?
        var isFinished = false
        var error: MQTTError?
    }

    /// Guards the replies.
    private let state: Mutex<State>
    /// Tasks wait for a reply or the end.
    private let changed = Condition()
    /// How many replies may wait unread, and how many bytes they may weigh.
    private let bound: (count: Int, bytes: Int)

    init(wanted: Int?, bound: (count: Int, bytes: Int)) {
        self.state = Mutex(State(wanted: wanted))
        self.bound = bound
    }

    /// What became of a reply.
    enum Received {
        /// It waits to be read.
        case taken
        /// It waits to be read, and was the last that is wanted.
        case last
        /// It came too late, or there are too many unread.
        case dropped
    }

    func receive(_ message: MQTTMessage) -> Received {
        let weight = message.weight
        let result: Received = self.state.withLock { state in
            // One that is larger than all may be is taken where it is alone.
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

    /// No more will come. Does nothing if it is finished already.
    func finish(_ error: MQTTError?) {
        self.state.withLock { state in
            guard !state.isFinished else { return }
            state.isFinished = true
            state.error = error
        }
        self.changed.wakeAll()
    }

    /// The next reply; `nil` when no more will come.
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
