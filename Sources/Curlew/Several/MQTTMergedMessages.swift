import CurlewTransport
import Synchronization

/// The messages of the same subscription at several brokers; see ``MQTTClients``.
///
/// Takes messages from the brokers in turn, so that a busy one does not hide the others. Asking for the next message
/// acknowledges the previous one. If the subscription ends at one broker, the messages of the others continue. The
/// subscriptions end when no reference to the sequence remains. Let only one task at a time take messages.
public final class MQTTMergedMessages: AsyncSequence, Sendable {
    /// A message and the name of the client that received it.
    public typealias Element = (source: String, message: MQTTMessage)
    /// Always ``MQTTError``: why the last of the subscriptions ended.
    public typealias Failure = any Error

    private struct State {
        /// The part that has the next turn.
        var turn = 0
        /// The part of the message that was returned last.
        var current: Int?
        /// The parts that have ended.
        var ended: Set<Int> = []
        /// Why the last of them ended.
        var failure: MQTTError?
    }

    private let parts: [(source: String, subscription: MQTTSubscription)]
    /// A message arrived for one of the subscriptions.
    private let changed: Condition
    /// Guards whose turn it is.
    private let state = Mutex(State())

    init(_ parts: [(source: String, subscription: MQTTSubscription)], _ changed: Condition) {
        self.parts = parts
        self.changed = changed
    }

    /// Acknowledges the previous message, then waits for the next one.
    ///
    /// - Parameter limit: How long to wait. Default: no limit.
    /// - Returns: The message and its source; `nil` if none came in time, or all subscriptions have ended.
    /// - Throws: ``MQTTError``: `cancelled`, or why the last subscription ended.
    public nonisolated(nonsending) func next(within limit: Duration? = nil) async throws -> Element? {
        try await self.next(before: limit.flatMap { self.makeLimit($0) })
    }

    /// Begins a time limit for several calls of ``next(before:)``.
    func makeLimit(_ limit: Duration) -> TimeLimit? {
        self.parts.first.map { part in
            part.subscription.buffer.makeLimit(until: part.subscription.owner.clock.now() + limit)
        }
    }

    nonisolated(nonsending) func next(before limit: TimeLimit?) async throws(MQTTError) -> Element? {
        self.acknowledgeLast()
        while true {
            if Task.isCancelled { throw MQTTError(.cancelled, "The task was cancelled.") }
            switch self.poll() {
            case .message(let element): return element
            case .ended(let error?): throw error
            case .ended(nil): return nil
            case .empty:
                if let limit, limit.isOver { return nil }
                await self.changed.wait { !(limit?.isOver ?? false) && !self.hasNews }
            }
        }
    }

    private enum Polled {
        case message(Element)
        case empty
        /// All subscriptions have ended.
        case ended(MQTTError?)
    }

    private func poll() -> Polled {
        self.state.withLock { state in
            for offset in self.parts.indices {
                let place = (state.turn + offset) % self.parts.count
                guard !state.ended.contains(place) else { continue }
                switch self.parts[place].subscription.buffer.poll() {
                case .message(let message):
                    state.turn = (place + 1) % self.parts.count
                    state.current = place
                    return .message((self.parts[place].source, message))
                case .empty: break
                case .ended(let error):
                    state.ended.insert(place)
                    if let error { state.failure = error }
                }
            }
            return state.ended.count < self.parts.count ? .empty : .ended(state.failure)
        }
    }

    private var hasNews: Bool {
        let ended = self.state.withLock { $0.ended }
        return self.parts.indices.contains { !ended.contains($0) && self.parts[$0].subscription.buffer.hasNews }
    }

    private func acknowledgeLast() {
        let last = self.state.withLock { exchange(&$0.current, with: nil) }
        if let last { self.parts[last].subscription.buffer.acknowledgeReturned() }
    }

    /// Returns an iterator that starts at the first messages that have not been taken.
    public func makeAsyncIterator() -> Iterator { Iterator(messages: self) }

    /// Iterates over the messages.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let messages: MQTTMergedMessages

        /// Acknowledges the previous message, then waits for the next one. Returns `nil` when all subscriptions have
        /// ended, or the task is cancelled.
        ///
        /// - Throws: ``MQTTError``: why the last subscription ended.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> Element? {
            try await self.next()
        }

        /// Acknowledges the previous message, then waits for the next one. Returns `nil` when all subscriptions have
        /// ended, or the task is cancelled.
        ///
        /// - Throws: ``MQTTError``: why the last subscription ended.
        public nonisolated(nonsending) mutating func next() async throws -> Element? {
            do throws(MQTTError) { return try await self.messages.next(before: nil) } catch {
                if error.code == .cancelled, Task.isCancelled { return nil }
                throw error
            }
        }
    }
}

@available(*, unavailable)
extension MQTTMergedMessages.Iterator: Sendable {}
