import DequeModule
import NIOCore

/// Bytes for a client that must not leave before the store has committed what they tell of.
struct UncommittedOutput {
    private var parts = Deque<(position: JournalPosition, bytes: ByteBuffer)>()
    /// How many bytes wait.
    private(set) var byteCount = 0

    var isEmpty: Bool { self.parts.isEmpty }

    /// Adds bytes that wait for a position, and for all bytes that were added before.
    mutating func append(_ bytes: ByteBuffer, after position: JournalPosition) {
        guard bytes.readableBytes > 0 else { return }
        self.byteCount += bytes.readableBytes
        if let last = self.parts.indices.last, self.parts[last].position >= position {
            self.parts[last].bytes.writeImmutableBuffer(bytes)
        } else {
            self.parts.append((position, bytes))
        }
    }

    /// Takes the bytes that may leave now, in their order.
    mutating func take(_ isCommitted: (JournalPosition) -> Bool) -> ByteBuffer {
        var ready = ByteBuffer()
        while let first = self.parts.first, isCommitted(first.position) {
            self.parts.removeFirst()
            if ready.readableBytes == 0 { ready = first.bytes } else { ready.writeImmutableBuffer(first.bytes) }
        }
        self.byteCount -= ready.readableBytes
        return ready
    }

    mutating func removeAll() { self = UncommittedOutput() }
}
