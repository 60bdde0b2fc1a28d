package import NIOCore

/// Decodes the packets of one connection: holds the decoder, and the beginning of an incomplete packet.
package struct PacketInput: Sendable {
    package private(set) var decoder: PacketDecoder
    /// The beginning of a packet; never more than the decoder's maximum.
    private var partial: ByteBuffer?

    package init(_ decoder: PacketDecoder) { self.decoder = decoder }

    /// The number of bytes of an incomplete packet.
    package var waiting: Int { self.partial?.readableBytes ?? 0 }

    /// Their size in memory.
    package var capacity: Int { self.partial?.storageCapacity ?? 0 }

    /// The bytes of the next packet, and those after it.
    package var unread: ByteBuffer? { self.partial }

    /// Stops reading.
    package mutating func clear() { self.partial = nil }

    /// From the next packet on, other limits apply.
    package mutating func use(_ decoder: PacketDecoder) { self.decoder = decoder }

    /// Adds the bytes of a read.
    package mutating func append(_ bytes: ByteBuffer) {
        if self.partial == nil {
            self.partial = bytes
        } else {
            self.partial?.writeImmutableBuffer(bytes)
        }
    }

    /// The PUBLISH that was too large and has been skipped, in front of which ``next()`` has stopped.
    package mutating func takeSkipped() -> PacketDecoder.SkippedPublish? { self.decoder.takeSkipped() }

    /// The topic of the PUBLISH that was refused, if it has arrived.
    package var refusedTopic: TopicName? { self.partial.flatMap { self.decoder.topicOfRefused(in: $0) } }

    /// The next complete packet.
    package mutating func next() throws(DecodingError) -> Packet? {
        guard self.partial != nil else { return nil }
        guard let packet = try self.decode() else {
            self.settle()
            return nil
        }
        return packet
    }

    @inline(__always)
    private mutating func decode() throws(DecodingError) -> Packet? {
        guard var bytes = exchange(&self.partial, with: nil) else { return nil }
        defer { self.partial = bytes }
        return try self.decoder.decode(from: &bytes)
    }

    /// Keeps the beginning of a packet in a buffer of its own: the one in which it arrived may be shared with many
    /// messages.
    private mutating func settle() {
        guard let bytes = self.partial, bytes.readableBytes > 0 else {
            self.partial = nil
            return
        }
        guard bytes.readerIndex > 0 else { return }
        var own = ByteBufferAllocator().buffer(capacity: max(256, bytes.readableBytes * 2))
        own.writeImmutableBuffer(bytes)
        self.partial = own
    }
}
