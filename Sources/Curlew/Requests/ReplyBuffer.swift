import CurlewCore
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
        var waiting: [UnsafeContinuation<Void, Never>] = []
        var isFinished = false
        var error: MQTTError?
    }

    /// Guards the replies and who waits for them.
    private let state: Mutex<State>
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
        let (result, waiting): (Received, [UnsafeContinuation<Void, Never>]) = self.state.withLock { state in
            // One that is larger than all may be is taken where it is alone.
            guard !state.isFinished, state.replies.count < self.bound.count,
                state.replies.isEmpty || state.bytes + weight <= self.bound.bytes
            else { return (.dropped, []) }
            state.replies.append(message)
            state.bytes += weight
            if let wanted = state.wanted { state.wanted = wanted - 1 }
            if state.wanted == 0 { state.isFinished = true }
            return (state.isFinished ? .last : .taken, exchange(&state.waiting, with: []))
        }
        for continuation in waiting { continuation.resume() }
        return result
    }

    /// No more will come. Does nothing if it is finished already.
    func finish(_ error: MQTTError?) {
        let waiting: [UnsafeContinuation<Void, Never>] = self.state.withLock { state in
            guard !state.isFinished else { return [] }
            state.isFinished = true
            state.error = error
            return exchange(&state.waiting, with: [])
        }
        for continuation in waiting { continuation.resume() }
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
            await self.waitForReply()
        }
    }

    private nonisolated(nonsending) func waitForReply() async {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                let mustWait = self.state.withLock { state in
                    // Asked under the lock: a cancellation that comes later finds the continuation.
                    guard state.replies.isEmpty, !state.isFinished, !Task.isCancelled else { return false }
                    state.waiting.append(continuation)
                    return true
                }
                if !mustWait { continuation.resume() }
            }
        } onCancel: {
            // Whoever else waits finds nothing, and waits again.
            let waiting = self.state.withLock { exchange(&$0.waiting, with: []) }
            for continuation in waiting { continuation.resume() }
        }
    }
}
