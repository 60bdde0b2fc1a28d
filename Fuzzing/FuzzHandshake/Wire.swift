import NIOCore

/// The handler next to the network: records what is sent, and closes as a socket does. An embedded channel knows no
/// half-closed connection, and accepts writes after its end.
final class Wire: ChannelOutboundHandler {
    typealias OutboundIn = IOData

    private(set) var sent = ByteBuffer()
    /// Whether the end under test has said that it sends nothing more.
    private(set) var isOutputClosed = false

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard context.channel.isActive else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        expect(!self.isOutputClosed, "something was sent after the end of the output")
        guard case .byteBuffer(let bytes) = self.unwrapOutboundIn(data) else { fatalError("a file was sent") }
        self.sent.writeImmutableBuffer(bytes)
        promise?.succeed()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output, context.channel.isActive else { return context.close(mode: mode, promise: promise) }
        self.isOutputClosed = true
        promise?.succeed()
    }
}

@available(*, unavailable)
extension Wire: Sendable {}
