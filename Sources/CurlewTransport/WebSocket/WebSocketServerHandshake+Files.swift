import NIOCore
import NIOHTTP1
import NIOPosix

// Answers requests that open no WebSocket with files.
extension WebSocketServerHandshake {
    /// How much of a file is read at once.
    private static let partSize = 64 << 10

    /// Answers with the file that a request asks for.
    func serve(_ head: HTTPRequestHead, from folder: StaticFolder, _ context: ChannelHandlerContext) {
        self.beginAnswer()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let target = head.uri
        let isHead = head.method == .HEAD
        NIOThreadPool.singleton.runIfActive(eventLoop: context.eventLoop) { folder.open(target) }
            .whenComplete { result in
                let (handshake, context) = bound.value
                guard case .success(let file?) = result else {
                    return handshake.write(.notFound, "There is no such file.", isHead: isHead, context)
                }
                handshake.send(file, isHead: isHead, context)
            }
    }

    private func send(_ file: StaticFile, isHead: Bool, _ context: ChannelHandlerContext) {
        let headers: HTTPHeaders = [
            "Content-Type": file.type, "Content-Length": "\(file.size)", "X-Content-Type-Options": "nosniff",
            "Connection": "close",
        ]
        let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
        context.writeAndFlush(self.wrapOutboundOut(.head(head)), promise: nil)
        if isHead { self.end(context) } else { self.send(file, from: 0, context) }
    }

    /// Sends the next part once the previous one has left, so that a slow browser costs little memory. The handshake's
    /// deadline is that of the whole answer.
    private func send(_ file: StaticFile, from offset: Int, _ context: ChannelHandlerContext) {
        let count = min(file.size - offset, Self.partSize)
        guard count > 0 else { return self.end(context) }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        NIOThreadPool.singleton.runIfActive(eventLoop: context.eventLoop) { file.read(at: offset, count: count) }
            .flatMap { bytes -> EventLoopFuture<Int> in
                let (handshake, context) = bound.value
                // The file has become shorter, and the announced length cannot be kept.
                guard let bytes else { return context.eventLoop.makeFailedFuture(ChannelError.eof) }
                let body = handshake.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes))))
                return context.writeAndFlush(body).map { bytes.count }
            }
            .whenComplete { result in
                let (handshake, context) = bound.value
                switch result {
                case .success(let sent): handshake.send(file, from: offset + sent, context)
                case .failure: context.close(promise: nil)
                }
            }
    }
}
