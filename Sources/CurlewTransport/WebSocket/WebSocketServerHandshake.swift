import CurlewCore
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Opens a WebSocket as a listener: answers the requests of clients that do not open one.
///
/// The handlers of the handshake come before the link's, and leave when the WebSocket is open.
final class WebSocketServerHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// A request was answered without opening a WebSocket.
    struct Refused: Sendable {
        /// Why, for the operator.
        let sentence: String
        /// Whether the client asked for no WebSocket, as browsers, scanners and health checks do.
        let isOrdinaryRequest: Bool
    }

    private let rules: WebSocketRules
    private let link: any WebSocketOwner
    private let gate: HTTPHeadGate
    private let codec: [any RemovableChannelHandler]
    /// Computes the answer to the request's key.
    private let upgrader = NIOWebSocketServerUpgrader(
        shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
        upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
    private var isOver = false

    private init(
        _ rules: WebSocketRules, _ link: any WebSocketOwner, _ gate: HTTPHeadGate,
        _ codec: [any RemovableChannelHandler]
    ) {
        self.rules = rules
        self.link = link
        self.gate = gate
        self.codec = codec
    }

    /// Waits for the handshake of a client on an open channel, below the link.
    static func begin(_ rules: WebSocketRules, below link: any WebSocketOwner, _ context: ChannelHandlerContext) throws
    {
        let gate = HTTPHeadGate(maximumSize: rules.settings.maximumHeaderSize)
        let (encoder, decoder) = (HTTPResponseEncoder(), ByteToMessageHandler(HTTPRequestDecoder()))
        let handshake = WebSocketServerHandshake(rules, link, gate, [encoder, decoder])
        let handlers: [any ChannelHandler] = [gate, encoder, decoder, handshake]
        try context.pipeline.syncOperations.addHandlers(handlers, position: .before(link))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isOver, case .head(let head) = self.unwrapInboundIn(data) else { return }
        if let objection = self.rules.objection(to: head) {
            if objection == .noUpgrade, let folder = self.rules.settings.folder, [.GET, .HEAD].contains(head.method) {
                return self.serve(head, from: folder, context)
            }
            context.fireUserInboundEventTriggered(
                Refused(sentence: objection.sentence(about: head), isOrdinaryRequest: objection == .noUpgrade))
            return self.answer(objection.status, objection.text, isHead: head.method == .HEAD, context)
        }
        self.isOver = true
        self.gate.hold()
        let handler = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        self.upgrader.buildUpgradeResponse(
            channel: context.channel, upgradeRequest: head, initialResponseHeaders: HTTPHeaders()
        ).whenComplete { result in
            // After the decoder has finished with the head.
            handler.eventLoop.execute { handler.value.0.finish(result, head, handler.value.1) }
        }
    }

    private func finish(
        _ result: Result<HTTPHeaders, any Error>, _ head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) {
        guard case .success(var headers) = result, let subprotocol = WebSocketRules.subprotocol(for: head) else {
            self.isOver = false
            return self.answer(.badRequest, WebSocketObjection.malformed.text, isHead: false, context)
        }
        headers.add(name: "Sec-WebSocket-Protocol", value: subprotocol)
        context.writeAndFlush(
            self.wrapOutboundOut(
                .head(HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers))), promise: nil
        )
        if let client = self.rules.forwardedClient(of: head) { self.link.forwards(client) }
        HTTPHandshake.leave(self.codec, self, self.gate, context) { pipeline in
            try self.link.addWebSocket(as: .server, maximumFrameSize: self.rules.settings.maximumFrameSize, pipeline)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !self.isOver else { return context.fireErrorCaught(error) }
        switch error {
        case HTTPHeadGate.Failure.tooLarge:
            self.answer(.requestHeaderFieldsTooLarge, "The HTTP request is too large.", isHead: false, context)
        case is HTTPParserError, HTTPHeadGate.Failure.notHTTP:
            self.answer(.badRequest, "The HTTP request is malformed or too large.", isHead: false, context)
        default: context.fireErrorCaught(error)
        }
    }

    private func answer(_ status: HTTPResponseStatus, _ text: String, isHead: Bool, _ context: ChannelHandlerContext) {
        guard !self.isOver else { return }
        self.beginAnswer()
        self.write(status, text, isHead: isHead, context)
    }

    /// Ignores everything that the client sends from now on.
    func beginAnswer() {
        self.isOver = true
        self.gate.discard()
    }

    func write(_ status: HTTPResponseStatus, _ text: String, isHead: Bool, _ context: ChannelHandlerContext) {
        let body = ByteBuffer(string: text + "\n")
        var headers: HTTPHeaders = [
            "Content-Type": "text/plain; charset=utf-8", "Content-Length": "\(body.readableBytes)",
            "Connection": "close",
        ]
        if status == .upgradeRequired || status == .badRequest {
            headers.add(name: "Upgrade", value: "websocket")
            headers.add(name: "Sec-WebSocket-Version", value: "13")
        }
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        if !isHead { context.write(self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        self.end(context)
    }

    func end(_ context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        // The client reads the answer before it closes; one that does not is closed with the handshake's deadline.
        context.close(mode: .output, promise: nil)
    }
}

@available(*, unavailable)
extension WebSocketServerHandshake: Sendable {}
