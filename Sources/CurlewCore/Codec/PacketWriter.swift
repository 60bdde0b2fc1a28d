import NIOCore

/// Writes the fields of one packet into space that was measured before.
///
/// Sizes are computed, and all errors found, before the first byte is written. So writing cannot fail; if a size
/// were wrong nevertheless, it would trap rather than write out of bounds.
struct PacketWriter {
    private let room: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ room: UnsafeMutableRawBufferPointer) { self.room = room }

    @inline(__always)
    private mutating func advance(by size: Int) -> Int {
        let position = self.count
        precondition(size <= self.room.count - position, "a packet is larger than it was measured to be")
        self.count = position + size
        return position
    }

    @inline(__always)
    mutating func write(_ value: UInt8) {
        self.room.storeBytes(of: value, toByteOffset: self.advance(by: 1), as: UInt8.self)
    }

    @inline(__always)
    mutating func write(_ value: UInt16) {
        self.room.storeBytes(of: value.bigEndian, toByteOffset: self.advance(by: 2), as: UInt16.self)
    }

    @inline(__always)
    mutating func write(_ value: UInt32) {
        self.room.storeBytes(of: value.bigEndian, toByteOffset: self.advance(by: 4), as: UInt32.self)
    }

    @inline(__always)
    mutating func write(variable value: Int) {
        var rest = value
        while rest >= 0x80 {
            self.write(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        self.write(UInt8(truncatingIfNeeded: rest))
    }

    /// Bytes without a length.
    @inline(__always)
    mutating func write(bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { self.write($0) }
    }

    /// Two bytes of length, then the bytes.
    mutating func write(data: ByteBuffer) {
        self.write(UInt16(truncatingIfNeeded: data.readableBytes))
        self.write(bytes: data)
    }

    /// Two bytes of length, then the text in UTF-8.
    @inline(__always)
    mutating func write(text: String) {
        let size = text.utf8.count
        self.write(UInt16(truncatingIfNeeded: size))
        if text.utf8.withContiguousStorageIfAvailable({ self.write(UnsafeRawBufferPointer($0)) }) == nil {
            // Only strings from Foundation on Darwin get here.
            for byte in text.utf8 { self.write(byte) }
        }
    }

    @inline(__always)
    private mutating func write(_ source: UnsafeRawBufferPointer) {
        let position = self.advance(by: source.count)
        guard let room = self.room.baseAddress, let source = source.baseAddress else { return }
        (room + position).copyMemory(from: source, byteCount: self.count - position)
    }
}

extension ByteBuffer {
    /// Writes one packet: the first byte, the remaining length, and exactly that number of bytes from `body`.
    @inline(__always)
    mutating func writePacket(_ firstByte: UInt8, remaining: Int, _ body: (inout PacketWriter) -> Void) {
        self.writeWithUnsafeMutableBytes(minimumWritableBytes: EncodedSize.packet(remaining: remaining)) { room in
            var writer = PacketWriter(room)
            writer.write(firstByte)
            writer.write(variable: remaining)
            body(&writer)
            assert(writer.count == EncodedSize.packet(remaining: remaining), "a packet has not its measured size")
            return writer.count
        }
    }
}

/// The sizes of fields on the wire. Measuring finds what cannot be sent.
enum EncodedSize {
    /// A whole packet, with `remaining` bytes after the fixed header.
    @inline(__always)
    static func packet(remaining: Int) -> Int { 1 + VariableByteInteger.size(of: remaining) + remaining }

    /// The remaining length, if a fixed header can express it.
    @inline(__always)
    static func checked(remaining: Int) throws(EncodingError) -> Int {
        guard remaining <= VariableByteInteger.maximum else { throw .packetTooLarge(bytes: remaining) }
        return remaining
    }

    /// A text with its length. [MQTT-1.5.4-2]
    static func text(_ text: String, _ field: @autoclosure () -> String) throws(EncodingError) -> Int {
        let size = text.utf8.count
        guard size <= 65_535 else { throw .tooLong(field(), bytes: size) }
        guard !text.utf8.contains(0) else { throw .nullCharacter(field()) }
        return 2 + size
    }

    /// Bytes with their length.
    static func data(_ data: ByteBuffer, _ field: @autoclosure () -> String) throws(EncodingError) -> Int {
        guard data.readableBytes <= 65_535 else { throw .tooLong(field(), bytes: data.readableBytes) }
        return 2 + data.readableBytes
    }

    /// A topic with its length. Its type guarantees that it is well-formed and short enough.
    @inline(__always)
    static func topic(_ topic: TopicName) -> Int { 2 + topic.string.utf8.count }
    @inline(__always)
    static func topic(_ filter: TopicFilter) -> Int { 2 + filter.string.utf8.count }
}
