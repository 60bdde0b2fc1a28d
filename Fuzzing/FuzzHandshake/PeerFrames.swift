import NIOCore

@testable import CurlewTransport

/// What frames of a peer mean (RFC 6455 section 5), read at once and without the library.
struct PeerFrames {
    /// The data of each frame that has any.
    private(set) var portions: [ByteBuffer] = []
    /// The data of each ping.
    private(set) var pings: [ByteBuffer] = []
    /// How many bytes there are of the data of an incomplete frame.
    private(set) var incompleteData = 0
    /// Whether the WebSocket must be closed, because of a close frame or because of a frame that breaks the rules.
    private(set) var isEnded = false
    private var isInMessage = false

    /// - Parameter role: The end that reads them.
    init(_ bytes: ByteBufferView, to role: WebSocketReading.Role) {
        var rest = ByteBuffer(bytes)
        while !self.isEnded, let header = Header(from: &rest) {
            guard header.isValid else {
                self.isEnded = true
                break
            }
            guard !header.isMasked || rest.readableBytes >= 4 else { break }
            let mask = header.isMasked ? rest.readBytes(length: 4) ?? [] : [0, 0, 0, 0]
            guard let data = rest.readBytes(length: header.length) else {
                self.incompleteData = rest.readableBytes
                break
            }
            self.isEnded = header.isMasked != (role == .server) || header.hasReservedBits
            if !self.isEnded { self.add(header, data.enumerated().map { $0.element ^ mask[$0.offset % 4] }) }
        }
    }

    private mutating func add(_ header: Header, _ data: [UInt8]) {
        switch header.opcode {
        case 0 where self.isInMessage, 2 where !self.isInMessage:
            self.isInMessage = !header.isFinal
            if !data.isEmpty { self.portions.append(ByteBuffer(bytes: data)) }
        case 9: self.pings.append(ByteBuffer(bytes: data))
        case 10: break
        default: self.isEnded = true
        }
    }

    /// The beginning of a frame, up to its length.
    private struct Header {
        let opcode: UInt8
        let isFinal: Bool
        let hasReservedBits: Bool
        let isMasked: Bool
        let length: Int

        /// `nil`, and reads nothing, if it is not complete.
        init?(from bytes: inout ByteBuffer) {
            var rest = bytes
            guard let first = rest.readInteger(as: UInt8.self), let second = rest.readInteger(as: UInt8.self),
                let length = Self.readLength(second & 0x7F, from: &rest)
            else { return nil }
            self.opcode = first & 0x0F
            self.isFinal = first & 0x80 != 0
            self.hasReservedBits = first & 0x70 != 0
            self.isMasked = second & 0x80 != 0
            self.length = length
            bytes = rest
        }

        private static func readLength(_ first: UInt8, from bytes: inout ByteBuffer) -> Int? {
            switch first {
            case 126: bytes.readInteger(as: UInt16.self).map { Int($0) }
            case 127: bytes.readInteger(as: UInt64.self).map { Int(clamping: $0) }
            default: Int(first)
            }
        }

        /// Whether the frame may have this length. A control frame must be short and whole.
        var isValid: Bool {
            self.opcode & 8 == 0 ? self.length <= maximumFrameSize : self.length <= 125 && self.isFinal
        }
    }
}
