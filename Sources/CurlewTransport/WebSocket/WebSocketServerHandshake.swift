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

    private let gate: WebSocketGate
    private var hasAnswered = false

    private init(_ gate: WebSocketGate) { self.gate = gate }

    /// Waits for the handshake of a client on an open channel, below the link.
    static func begin(
        _ gate: WebSocketGate, below link: SocketLinkHandler, _ context: ChannelHandlerContext
    ) throws {
        let settings = gate.settings
        let encoder = HTTPResponseEncoder()
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = settings.maximumHeaderSize
        limits.maxHeaderListSize = settings.maximumHeaderSize
        limits.maxHeaderFieldCount = 128
        let decoder = ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
        let handshake = WebSocketServerHandshake(gate)
        let upgrade = HTTPServerUpgradeHandler(
            upgraders: [WebSocketServerUpgrader(gate, link)], httpEncoder: encoder,
            extraHTTPHandlers: [decoder, handshake], upgradeCompletionHandler: { _ in })
        let handlers: [any ChannelHandler] = [encoder, decoder, upgrade, handshake]
        try context.pipeline.syncOperations.addHandlers(handlers, position: .before(link))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // The upgrade handler forwards only requests that are not upgraded.
        guard case .head(let head) = self.unwrapInboundIn(data) else { return }
        let objection = self.gate.objection(to: head) ?? .malformed
        context.fireUserInboundEventTriggered(
            Refused(sentence: objection.sentence(about: head), isOrdinaryRequest: objection == .noUpgrade))
        self.answer(objection.status, objection.text, isHead: head.method == .HEAD, context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        // The request follows, and is answered.
        case is NIOWebSocketUpgradeError, is HTTPServerUpgradeErrors: break
        case let error as HTTPParserError:
            let status: HTTPResponseStatus = error == .headerOverflow ? .requestHeaderFieldsTooLarge : .badRequest
            self.answer(status, "The HTTP request is malformed or too large.", isHead: false, context)
        default: context.fireErrorCaught(error)
        }
    }

    private func answer(_ status: HTTPResponseStatus, _ text: String, isHead: Bool, _ context: ChannelHandlerContext) {
        guard !self.hasAnswered else { return }
        self.hasAnswered = true
        let body = ByteBuffer(string: text + "\n")
        var headers: HTTPHeaders = [
            "Content-Type": "text/plain; charset=utf-8", "Content-Length": "\(body.readableBytes)",
            "Connection": "close",
        ]
        if status == .upgradeRequired { headers.add(name: "Upgrade", value: "websocket") }
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        if !isHead { context.write(self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        // The client reads the answer before it closes; one that does not is closed with the handshake's deadline.
        context.close(mode: .output, promise: nil)
    }
}

@available(*, unavailable)
extension WebSocketServerHandshake: Sendable {}

/// The library's upgrade to WebSocket, with the handlers of this link.
private final class WebSocketServerUpgrader: HTTPServerProtocolUpgrader {
    private let library: NIOWebSocketServerUpgrader
    private let gate: WebSocketGate
    private let link: SocketLinkHandler

    init(_ gate: WebSocketGate, _ link: SocketLinkHandler) {
        self.gate = gate
        self.link = link
        self.library = NIOWebSocketServerUpgrader { channel, request in
            guard gate.objection(to: request) == nil,
                let subprotocol = WebSocketGate.subprotocol(for: request)
            else { return channel.eventLoop.makeSucceededFuture(nil) }
            return channel.eventLoop.makeSucceededFuture(["Sec-WebSocket-Protocol": subprotocol])
        } upgradePipelineHandler: { channel, _ in
            channel.eventLoop.makeSucceededVoidFuture()
        }
    }

    var supportedProtocol: String { self.library.supportedProtocol }

    var requiredUpgradeHeaders: [String] { self.library.requiredUpgradeHeaders }

    func buildUpgradeResponse(
        channel: any Channel, upgradeRequest: HTTPRequestHead, initialResponseHeaders: HTTPHeaders
    ) -> EventLoopFuture<HTTPHeaders> {
        self.library.buildUpgradeResponse(
            channel: channel, upgradeRequest: upgradeRequest, initialResponseHeaders: initialResponseHeaders)
    }

    func upgrade(context: ChannelHandlerContext, upgradeRequest: HTTPRequestHead) -> EventLoopFuture<Void> {
        if let client = self.gate.forwardedClient(of: upgradeRequest) { self.link.forwards(client) }
        return context.eventLoop.makeCompletedFuture {
            try self.link.addWebSocket(
                as: .server, maximumFrameSize: self.gate.settings.maximumFrameSize, context.pipeline.syncOperations)
        }
    }
}
