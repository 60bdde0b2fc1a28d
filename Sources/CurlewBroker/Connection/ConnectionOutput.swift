import CurlewCore
import DequeModule
import NIOCore

/// What a connection has to send besides the messages of its session: answers that have not been written yet, and bytes
/// that must not leave before the store has committed what they tell of.
struct ConnectionOutput {
    /// Answers to be written at the end of this round of the event loop.
    var replies = ByteBuffer()
    /// The position in the journal that they wait for, if there is a store.
    private var repliesPosition = JournalPosition.none
    private var uncommitted = Deque<(position: JournalPosition, bytes: ByteBuffer)>()
    /// How many bytes wait for the store.
    private(set) var uncommittedByteCount = 0
    /// Whether these include CONNACK.
    private(set) var isGreetingUncommitted = false
    private var isFlushPending = false
    private var isWaitingForCommit = false

    /// The memory of what waits.
    var byteCount: Int { self.replies.readableBytes + self.uncommittedByteCount }

    /// Whether bytes wait for the store.
    var isUncommitted: Bool { !self.uncommitted.isEmpty }

    // MARK: Writing

    /// Whether a flush is to be scheduled for what was added; not if one is pending.
    mutating func requestFlush() -> Bool { !exchange(&self.isFlushPending, with: true) }

    /// The flush has begun: what is added now needs another one.
    mutating func flushBegan() { self.isFlushPending = false }

    /// The answers wait for another position in the journal.
    mutating func repliesWait(for position: JournalPosition) { self.repliesPosition.advance(to: position) }

    /// Takes the answers, and the position that they wait for.
    mutating func takeReplies() -> (ByteBuffer, JournalPosition) {
        (exchange(&self.replies, with: ByteBuffer()), exchange(&self.repliesPosition, with: .none))
    }

    // MARK: The store

    /// Whether the connection is to be told of the next commit; not if it will be anyway.
    mutating func requestCommit() -> Bool { !exchange(&self.isWaitingForCommit, with: true) }

    /// Adds bytes that wait for a position, and for all bytes that were added before.
    mutating func append(_ bytes: ByteBuffer, after position: JournalPosition) {
        guard bytes.readableBytes > 0 else { return }
        self.uncommittedByteCount += bytes.readableBytes
        if let last = self.uncommitted.indices.last, self.uncommitted[last].position >= position {
            self.uncommitted[last].bytes.writeImmutableBuffer(bytes)
        } else {
            self.uncommitted.append((position, bytes))
        }
    }

    /// CONNACK is the last packet that was written or added: nothing may overtake it.
    mutating func greeted() { self.isGreetingUncommitted = self.isUncommitted }

    /// The store has committed more. Takes the bytes that may leave now, in their order.
    mutating func committed(_ isCommitted: (JournalPosition) -> Bool) -> ByteBuffer {
        self.isWaitingForCommit = false
        var ready = ByteBuffer()
        while let first = self.uncommitted.first, isCommitted(first.position) {
            self.uncommitted.removeFirst()
            if ready.readableBytes == 0 { ready = first.bytes } else { ready.writeImmutableBuffer(first.bytes) }
        }
        if ready.readableBytes > 0 { self.isGreetingUncommitted = false }
        self.uncommittedByteCount -= ready.readableBytes
        return ready
    }

    /// The connection ends: what depends on uncommitted changes is dropped, and all answers with it.
    mutating func dropUncommitted(_ isCommitted: (JournalPosition) -> Bool) {
        if self.isUncommitted || !isCommitted(self.repliesPosition) {
            self.uncommitted.removeAll()
            self.uncommittedByteCount = 0
            self.replies = ByteBuffer()
        }
        self.repliesPosition = .none
    }
}
