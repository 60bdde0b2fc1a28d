/// The replies to one request, until enough replies have arrived or the time is up. Iterate over it once.
public final class MQTTReplies: AsyncSequence, Sendable {
    /// A reply.
    public typealias Element = MQTTMessage
    /// Always ``MQTTError``, mostly with one of these codes: `noMatchingSubscribers`, `publishRefused`,
    /// `packetTooLarge`, `clientStopped`, `timedOut` if the request could not be sent in time, `cancelled`, or
    /// `subscriptionRefused` if the broker lost the session and now refuses the subscription to the replies.
    public typealias Failure = any Error

    private let buffer: ReplyBuffer
    /// Called when no more replies are wanted.
    private let end: @Sendable () -> Void

    init(_ buffer: ReplyBuffer, end: @escaping @Sendable () -> Void) {
        self.buffer = buffer
        self.end = end
    }

    deinit { self.end() }

    nonisolated(nonsending) func next() async throws(MQTTError) -> MQTTMessage? { try await self.buffer.next() }

    /// Returns an iterator that starts at the first reply that has not been taken.
    public func makeAsyncIterator() -> Iterator { Iterator(replies: self) }

    /// Iterates over the replies.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let replies: MQTTReplies

        /// Waits for the next reply; `nil` if no more replies follow.
        ///
        /// - Throws: ``MQTTError``.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> MQTTMessage? {
            try await self.replies.next()
        }

        /// Waits for the next reply; `nil` if no more replies follow.
        ///
        /// - Throws: ``MQTTError``.
        public nonisolated(nonsending) mutating func next() async throws -> MQTTMessage? {
            try await self.replies.next()
        }
    }
}
