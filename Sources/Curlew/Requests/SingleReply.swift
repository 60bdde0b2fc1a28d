import CurlewCore
import Synchronization

/// What takes the replies to a request, on the event loop.
protocol ReplyTarget: AnyObject, Sendable {
    func receive(_ message: MQTTMessage) -> ReplyReceived
    /// No more replies follow: because of an error, or because the time is up (`nil`).
    func finish(_ error: MQTTError?)
}

/// What happened to a reply.
enum ReplyReceived {
    /// It waits to be read.
    case taken
    /// It waits to be read, and is the last one wanted.
    case last
    /// It arrived too late, or too many are unread.
    case dropped
}

/// The only reply to a request, for which one task waits.
final class SingleReply: ReplyTarget {
    private enum State {
        case open
        case awaited(UnsafeContinuation<Void, Never>)
        /// The reply; `nil` if the time was up.
        case ended(Result<MQTTMessage?, MQTTError>)
    }

    /// Guards the reply.
    private let state = Mutex(State.open)

    func receive(_ message: MQTTMessage) -> ReplyReceived { self.end(.success(message)) ? .last : .dropped }

    func finish(_ error: MQTTError?) { self.end(error.map { .failure($0) } ?? .success(nil)) }

    /// Returns `false` if there is already a result.
    @discardableResult
    private func end(_ result: Result<MQTTMessage?, MQTTError>) -> Bool {
        let before = self.state.withLock { state in
            let before = state
            if case .ended = before { return before }
            state = .ended(result)
            return before
        }
        switch before {
        case .open: return true
        case .awaited(let continuation):
            continuation.resume()
            return true
        case .ended: return false
        }
    }

    /// Waits for the reply; `nil` if the time is up first.
    nonisolated(nonsending) func wait() async throws(MQTTError) -> MQTTMessage? {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                let hasEnded = self.state.withLock { state in
                    if case .ended = state { return true }
                    state = .awaited(continuation)
                    return false
                }
                if hasEnded { continuation.resume() }
            }
        } onCancel: {
            self.end(.failure(MQTTError(.cancelled, "The task was cancelled.")))
        }
        let result: Result<MQTTMessage?, MQTTError>? = self.state.withLock { state in
            if case .ended(let result) = state { result } else { nil }
        }
        return try result?.get() ?? nil
    }
}
