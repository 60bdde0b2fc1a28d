import DequeModule
import NIOCore

/// What is written to a client and must not leave before the store has committed what it tells of.
struct UncommittedOutput {
    private var parts = Deque<(change: UInt64, bytes: ByteBuffer)>()
    /// How many bytes these are.
    private(set) var byteCount = 0

    var isEmpty: Bool { self.parts.isEmpty }

    /// Adds bytes that have to wait for a change, and for all that was added before.
    mutating func append(_ bytes: ByteBuffer, after change: UInt64) {
        guard bytes.readableBytes > 0 else { return }
        self.byteCount += bytes.readableBytes
        if let last = self.parts.indices.last, self.parts[last].change >= change {
            self.parts[last].bytes.writeImmutableBuffer(bytes)
        } else {
            self.parts.append((change, bytes))
        }
    }

    /// Takes what may leave now, in its order.
    mutating func take(_ isCommitted: (UInt64) -> Bool) -> ByteBuffer {
        var ready = ByteBuffer()
        while let first = self.parts.first, isCommitted(first.change) {
            self.parts.removeFirst()
            if ready.readableBytes == 0 { ready = first.bytes } else { ready.writeImmutableBuffer(first.bytes) }
        }
        self.byteCount -= ready.readableBytes
        return ready
    }

    mutating func removeAll() { self = UncommittedOutput() }
}
