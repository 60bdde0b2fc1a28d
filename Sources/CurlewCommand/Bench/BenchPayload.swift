#if Tools
import NIOCore

/// The payload of a benchmark's message: sender, sequence number and scheduled time of sending, followed by filler.
///
/// Four bytes `CRLW`, four of the sender, eight of the sequence number, and eight of the time in nanoseconds since 1970
/// (0 if unknown), all in network byte order. A shorter payload contains only filler.
struct BenchPayload: Equatable {
    static let size = 24
    private static let sign: UInt32 = 0x4352_4C57

    var sender: UInt32
    var sequence: UInt64
    /// Nanoseconds since 1970; 0 if the message is not timed.
    var time: UInt64

    init(sender: UInt32, sequence: UInt64, time: UInt64 = 0) {
        self.sender = sender
        self.sequence = sequence
        self.time = time
    }

    /// Decodes a payload; `nil` if it is not one of a benchmark.
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

    /// Overwrites the beginning of a payload, if it is long enough.
    func write(to buffer: inout ByteBuffer) {
        guard buffer.readableBytes >= Self.size else { return }
        buffer.setInteger(self.sender, at: 4)
        buffer.setInteger(self.sequence, at: 8)
        buffer.setInteger(self.time, at: 16)
    }
}
#endif
