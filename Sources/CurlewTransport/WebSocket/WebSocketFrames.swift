import NIOCore
import NIOWebSocket

/// The library's decoder of frames, and how many bytes it holds of one that is not complete.
final class WebSocketFrames: ByteToMessageDecoder {
    typealias InboundOut = WebSocketFrame

    private let decoder: WebSocketFrameDecoder
    /// The bytes of an incomplete frame.
    private(set) var heldBytes = 0

    init(maximumSize: Int) {
        // The decoder traps on more.
        self.decoder = WebSocketFrameDecoder(maxFrameSize: min(maximumSize, Int(clamping: UInt32.max)))
    }

    func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        // After an error, nothing more is decoded.
        self.heldBytes = 0
        let state = try self.decoder.decode(context: context, buffer: &buffer)
        self.heldBytes = buffer.readableBytes
        return state
    }

    func decodeLast(context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool) throws -> DecodingState {
        try self.decode(context: context, buffer: &buffer)
    }
}

@available(*, unavailable)
extension WebSocketFrames: Sendable {}
