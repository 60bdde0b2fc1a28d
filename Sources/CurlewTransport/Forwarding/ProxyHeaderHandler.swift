import NIOCore

/// Reads the header of the PROXY protocol, the first bytes of a connection to a listener behind a proxy.
final class ProxyHeaderHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// The header was read. What follows is the client's.
    struct Received: Sendable {
        /// `nil` if the proxy speaks for itself.
        let client: ForwardedClient?
    }

    private var bytes = ByteBuffer()
    private var isOver = false

    /// The bytes of an incomplete header.
    var heldBytes: Int { self.bytes.readableBytes }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isOver else { return context.fireChannelRead(data) }
        self.bytes.writeImmutableBuffer(self.unwrapInboundIn(data))
        switch ProxyHeader.parse(self.bytes.readableBytesView) {
        case .incomplete: break
        case .malformed:
            self.isOver = true
            context.fireErrorCaught(
                TransportError(.connectionLost, "The connection does not begin with a header of the PROXY protocol."))
            context.close(promise: nil)
        case .header(let header, let length):
            self.isOver = true
            self.bytes.moveReaderIndex(forwardBy: length)
            let client = header.client.map { ForwardedClient(address: $0.address, port: $0.port) }
            context.fireUserInboundEventTriggered(Received(client: client))
            if self.bytes.readableBytes > 0 { context.fireChannelRead(self.wrapInboundOut(self.bytes)) }
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        }
    }
}

@available(*, unavailable)
extension ProxyHeaderHandler: Sendable {}
