import NIOCore

/// Encoded packets that the connection has not written yet. The session appends to it on any thread; the connection takes all of it at once on the
/// event loop, which is woken once for many packets.
struct OutgoingBuffer {
    /// The session appends here.
    var bytes = ByteBuffer()
    /// How many of these bytes answer the server, beyond what publishes may fill.
    private var answers = 0
    private let highWaterMark: Int
    /// Makes the connection write; created once for each connection, so that it costs nothing to hand to the event loop.
    private var flush: (@Sendable () -> Void)?
    /// Whether the connection will write without being asked again.
    private(set) var isFlushScheduled = false

    /// - Parameter highWaterMark: How many bytes publishes may fill.
    init(highWaterMark: Int) { self.highWaterMark = highWaterMark }

    var byteCount: Int { self.bytes.readableBytes }

    /// A connection begins: nothing of an earlier one is sent on it.
    mutating func opens() {
        self.bytes.clear()
        self.isFlushScheduled = false
    }

    /// The server has accepted the connection.
    ///
    /// - Parameter flush: Makes the connection write.
    mutating func opened(_ flush: @escaping @Sendable () -> Void) {
        self.flush = flush
        self.flushesAfterRead()
    }

    /// What is encoded belongs to a connection that is gone.
    mutating func lost() {
        self.bytes = ByteBuffer()
        self.answers = 0
        self.flush = nil
        self.isFlushScheduled = false
    }

    /// If there is something to write and the connection has not been asked to: what the event loop is to do.
    mutating func claimFlush() -> (@Sendable () -> Void)? {
        guard !self.isFlushScheduled, self.bytes.readableBytes > 0, let flush else { return nil }
        self.isFlushScheduled = true
        return flush
    }

    /// The connection flushes by itself when the read that it is in the middle of is over.
    mutating func flushesAfterRead() {
        if self.bytes.readableBytes > 0 { self.isFlushScheduled = true }
    }

    // MARK: Answers

    /// Whether as many answers wait to be written as publishes may wait.
    var hasManyAnswers: Bool { self.answers > self.highWaterMark }

    /// The session has answered the server. Beyond the high-water mark it adds no publish.
    ///
    /// - Parameter before: How many bytes there were before.
    mutating func countAnswers(since before: Int) {
        if before >= self.highWaterMark { self.answers += self.bytes.readableBytes - before }
    }

    // MARK: Writing

    /// Everything that is to be written, in exchange for a buffer that is not needed any more; `nil` if there is nothing.
    ///
    /// Call ``continueFlush()`` after what waited for room in the buffer has been appended.
    mutating func take(_ replacement: inout ByteBuffer) -> ByteBuffer? {
        guard self.bytes.readableBytes > 0 else {
            self.isFlushScheduled = false
            return nil
        }
        // Not before: the link may still hold it, and then it is allocated again. Moved, since only the sole owner of a buffer
        // writes to it without a copy.
        var empty = exchange(&replacement, with: ByteBuffer())
        empty.clear()
        let bytes = exchange(&self.bytes, with: consume empty)
        self.answers = 0
        return bytes
    }

    /// The connection writes what has been appended since, without being asked.
    mutating func continueFlush() { self.isFlushScheduled = self.bytes.readableBytes > 0 }

    /// What is left to be written before the connection is closed.
    mutating func takeLast() -> ByteBuffer { exchange(&self.bytes, with: ByteBuffer()) }
}
