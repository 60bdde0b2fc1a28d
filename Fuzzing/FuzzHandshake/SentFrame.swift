import NIOCore
import NIOWebSocket

@testable import CurlewTransport

/// A frame that the library has sent.
struct SentFrame: Equatable {
    var opcode: WebSocketOpcode
    var data: ByteBuffer

    var isPong: Bool { self.opcode == .pong }

    /// Reads frames, which must obey RFC 6455 section 5.2 and be complete.
    static func readAll(from bytes: inout ByteBuffer, by role: WebSocketReading.Role) -> [Self] {
        var frames: [Self] = []
        while bytes.readableBytes > 0 {
            guard let frame = self.read(from: &bytes, by: role) else { fatalError("an incomplete frame was sent") }
            expect(frames.last?.opcode != .connectionClose, "a frame was sent after a close frame")
            frames.append(frame)
        }
        return frames
    }

    private static func read(from bytes: inout ByteBuffer, by role: WebSocketReading.Role) -> Self? {
        guard let first = bytes.readInteger(as: UInt8.self), let second = bytes.readInteger(as: UInt8.self),
            let length = self.readLength(second & 0x7F, from: &bytes)
        else { return nil }
        let opcode: WebSocketOpcode
        switch first {
        case 0x82: opcode = .binary
        case 0x88: opcode = .connectionClose
        case 0x8A: opcode = .pong
        default: fatalError("a frame begins with \(first)")
        }
        expect(opcode == .binary || length <= 125, "a control frame has \(length) bytes")
        expect(opcode != .connectionClose || length == 2, "a close frame has \(length) bytes")
        expect(second & 0x80 == (role == .client ? 0x80 : 0), "a frame has the wrong masking")
        guard role == .client else { return bytes.readSlice(length: length).map { Self(opcode: opcode, data: $0) } }
        guard let mask = bytes.readBytes(length: 4), let data = bytes.readBytes(length: length) else { return nil }
        let unmasked = data.enumerated().map { $0.element ^ mask[$0.offset % 4] }
        return Self(opcode: opcode, data: ByteBuffer(bytes: unmasked))
    }

    private static func readLength(_ first: UInt8, from bytes: inout ByteBuffer) -> Int? {
        let length: Int?
        switch first {
        case 126:
            length = bytes.readInteger(as: UInt16.self).map(Int.init)
            expect(length ?? 126 > 125, "a length is not in its shortest form")
        case 127:
            length = bytes.readInteger(as: UInt64.self).map { Int(clamping: $0) }
            expect(length ?? .max > 65_535, "a length is not in its shortest form")
        default: length = Int(first)
        }
        return length
    }
}
