import CurlewCore
import Synchronization

/// The messages of a subscription, for code without async.
///
/// ```swift
/// for message in try client.blocking.subscribe(to: "home/#") { print(message.topic, message.text) }
/// ```
///
/// Asking for the next message acknowledges the previous one. Let only one thread at a time take messages. The
/// subscription ends when no reference to it remains, by ``unsubscribe()``, and when the client is disconnected.
public final class MQTTBlockingSubscription: Sequence, Sendable {
    /// The subscription with the async methods.
    public let subscription: MQTTSubscription
    private let engine: ClientEngine
    /// Why the messages have ended.
    private let failure = Mutex<MQTTError?>(nil)

    init(_ subscription: MQTTSubscription, _ engine: ClientEngine) {
        self.subscription = subscription
        self.engine = engine
    }

    /// Why a loop over the messages has ended, if not because the client was disconnected or the subscription ended.
    public var error: MQTTError? { self.failure.withLock { $0 } }

    /// Waits for the next message.
    ///
    /// - Parameter limit: How long to wait. Default: no limit.
    /// - Returns: The message; `nil` if none came in time, or the subscription has ended.
    /// - Throws: ``MQTTError``: `mustNotBlock`, or what ended the subscription.
    public func next(within limit: Duration? = nil) throws(MQTTError) -> MQTTMessage? {
        try self.engine.requireBlockableThread()
        let buffer = self.subscription.buffer
        buffer.acknowledgeReturned()
        let timeLimit = limit.map { buffer.makeLimit(until: self.engine.clock.now() + $0) }
        while true {
            switch buffer.poll() {
            case .message(let message): return message
            case .ended(let error?): throw error
            case .ended(nil): return nil
            case .empty:
                if let timeLimit, timeLimit.isOver { return nil }
                try self.engine.blockThread { await buffer.waitForMessage { timeLimit?.isOver ?? false } }
            }
        }
    }

    /// Ends the subscription and waits until the broker confirms it.
    ///
    /// - Throws: ``MQTTError``: `mustNotBlock`, or what ``MQTTSubscription/unsubscribe()`` throws.
    public func unsubscribe() throws(MQTTError) {
        try self.engine.blockThread { [subscription] in try await subscription.unsubscribe() }
    }

    /// Returns an iterator that starts at the first message that has not been taken.
    public func makeIterator() -> Iterator { Iterator(self) }

    /// Iterates over the messages.
    public struct Iterator: IteratorProtocol {
        private let messages: MQTTBlockingSubscription

        fileprivate init(_ messages: MQTTBlockingSubscription) { self.messages = messages }

        /// Acknowledges the previous message, then waits for the next one. Returns `nil` at the end of the
        /// subscription; ``MQTTBlockingSubscription/error`` says why it ended.
        public mutating func next() -> MQTTMessage? {
            do throws(MQTTError) {
                return try self.messages.next()
            } catch {
                self.messages.failure.withLock { $0 = error }
                return nil
            }
        }
    }
}
