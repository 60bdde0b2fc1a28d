import NIOCore
import NIOHTTP1

/// The end of a handshake over HTTP, after which the connection speaks another protocol.
enum HTTPHandshake {
    /// A decoder of a server's answers, which include interim responses.
    static func makeResponseDecoder() -> ByteToMessageHandler<HTTPResponseDecoder> {
        ByteToMessageHandler(HTTPResponseDecoder(informationalResponseStrategy: .forward))
    }

    /// Removes the handlers of the handshake, adds those of the next protocol, and releases what was held.
    ///
    /// - Parameters:
    ///   - codec: Encoder and decoder of HTTP. The decoder leaves in a task of its own.
    ///   - handshake: The handler that has decided.
    ///   - addNext: Adds the handlers of the next protocol.
    static func leave(
        _ codec: [any RemovableChannelHandler], _ handshake: any RemovableChannelHandler, _ gate: HTTPHeadGate,
        _ context: ChannelHandlerContext, addNext: @escaping (ChannelPipeline.SynchronousOperations) throws -> Void
    ) {
        let removed = codec.map { context.pipeline.syncOperations.removeHandler($0) }
        let bound = NIOLoopBound((handshake, gate, context, addNext), eventLoop: context.eventLoop)
        EventLoopFuture.andAllComplete(removed, on: context.eventLoop).whenComplete { _ in
            let (handshake, gate, context, addNext) = bound.value
            let pipeline = context.pipeline.syncOperations
            do {
                try addNext(pipeline)
                pipeline.removeHandler(handshake, promise: nil)
                gate.release()
            } catch {
                // Handlers can only be missing if the channel is closing.
                context.close(promise: nil)
            }
        }
    }
}

extension HTTPResponseHead {
    /// Whether another response follows, which is the answer (RFC 9110 section 15.2).
    var isInterim: Bool { (100...199).contains(self.status.code) && self.status != .switchingProtocols }
}
