import NIOCore

/// Encoded packets that the connection has not written yet.
///
/// The session appends packets on any thread. The connection takes all of them at once, on the event loop, which is
/// woken once for many packets.
struct OutgoingBuffer {
    /// The session appends here.
    var bytes = ByteBuffer()
    /// The number of bytes of answers to the server that were appended above the high-water mark.
    private var answers = 0
    private let highWaterMark: Int
    /// Makes the connection write. Created once per connection, so that scheduling it does not allocate a closure.
    private var flush: (@Sendable () -> Void)?
    /// Whether the connection will write without another request.
    private(set) var isFlushScheduled = false

    /// - Parameter highWaterMark: The number of bytes above which the session appends no more publishes.
    init(highWaterMark: Int) { self.highWaterMark = highWaterMark }

    var byteCount: Int { self.bytes.readableBytes }

    /// CONNACK arrived: discards bytes of an earlier connection, before the session appends packets for this one.
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

    /// The connection is lost: discards its bytes.
    mutating func lost() {
        self.bytes = ByteBuffer()
        self.answers = 0
        self.flush = nil
        self.isFlushScheduled = false
    }

    /// Returns the closure to run on the event loop, if there are bytes to write and no flush is scheduled.
    mutating func claimFlush() -> (@Sendable () -> Void)? {
        guard !self.isFlushScheduled, self.bytes.readableBytes > 0, let flush else { return nil }
        self.isFlushScheduled = true
        return flush
    }

    /// The connection flushes on its own at the end of the current read.
    mutating func flushesAfterRead() {
        if self.bytes.readableBytes > 0 { self.isFlushScheduled = true }
    }

    // MARK: Answers

    /// Whether more bytes of answers wait to be written than the high-water mark.
    var hasManyAnswers: Bool { self.answers > self.highWaterMark }

    /// Counts the answers that the session has just appended. Above the high-water mark it appends no publishes, so all
    /// new bytes are answers.
    ///
    /// - Parameter before: The number of bytes before they were appended.
    mutating func countAnswers(since before: Int) {
        if before >= self.highWaterMark { self.answers += self.bytes.readableBytes - before }
    }

    // MARK: Writing

    /// Returns all bytes to write; `nil` if there are none. Takes a buffer to reuse in exchange.
    ///
    /// Call ``continueFlush()`` after the session has appended the messages that waited for room.
    mutating func take(_ replacement: inout ByteBuffer) -> ByteBuffer? {
        guard self.bytes.readableBytes > 0 else {
            self.isFlushScheduled = false
            return nil
        }
        // Clear it only now: while the link holds it, clearing would allocate a new buffer. Move it, because writing to
        // a buffer with more than one owner copies it.
        var empty = exchange(&replacement, with: ByteBuffer())
        empty.clear()
        let bytes = exchange(&self.bytes, with: consume empty)
        self.answers = 0
        return bytes
    }

    /// The connection writes bytes appended since `take` without another request.
    mutating func continueFlush() { self.isFlushScheduled = self.bytes.readableBytes > 0 }

    /// Returns the bytes to write before the connection is closed.
    mutating func takeLast() -> ByteBuffer { exchange(&self.bytes, with: ByteBuffer()) }
}
