package import NIOCore

// A slice keeps its whole buffer alive: a payload of one byte, for example, a read of 32 KiB.
extension ByteBuffer {
    /// From this size on, bytes are not copied if they take up a large part of their storage.
    private static let copyLimit = 4096

    /// Whether the readable bytes are many and take up at least half of the storage, so that they may keep it
    /// alive.
    package var fillsItsStorage: Bool {
        self.readableBytes >= Self.copyLimit && self.readableBytes >= self.storageCapacity / 2
    }

    /// The readable bytes, copied to storage of their own unless they fill their current one.
    package var withoutUnusedStorage: ByteBuffer {
        if self.fillsItsStorage { return self }
        var copy = ByteBuffer()
        guard self.readableBytes > 0 else { return copy }
        copy.reserveCapacity(self.readableBytes)
        self.withUnsafeReadableBytes { _ = copy.writeBytes($0) }
        return copy
    }
}
