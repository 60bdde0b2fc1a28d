#if Tools
import NIOCore

/// What a message of a benchmark says: its sender, a running number, and when it was meant to be sent; the rest is filler.
///
/// Four bytes `CRLW`, four that name the sender, eight of the sequence and eight of the time in nanoseconds since 1970, 0 if it
/// is not said; all in network byte order. A shorter payload is filler alone.
struct BenchPayload: Equatable {
    static let size = 24
    private static let sign: UInt32 = 0x4352_4C57

    var sender: UInt32
    var sequence: UInt64
    /// Nanoseconds since 1970; 0 when nobody looked at the clock.
    var time: UInt64

    init(sender: UInt32, sequence: UInt64, time: UInt64 = 0) {
        self.sender = sender
        self.sequence = sequence
        self.time = time
    }

    /// What a payload says; `nil` if it is none of a benchmark.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.size,
            UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)) == Self.sign
        else { return nil }
        self.sender = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        self.sequence = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        self.time = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
    }

    static func buffer(size: Int) -> ByteBuffer {
        var buffer = ByteBuffer(repeating: UInt8(ascii: "x"), count: size)
        if size >= Self.size { buffer.setInteger(Self.sign, at: 0) }
        return buffer
    }

    /// Writes itself over the beginning of a payload, if there is room.
    func write(to buffer: inout ByteBuffer) {
        guard buffer.readableBytes >= Self.size else { return }
        buffer.setInteger(self.sender, at: 4)
        buffer.setInteger(self.sequence, at: 8)
        buffer.setInteger(self.time, at: 16)
    }
}
#endif
