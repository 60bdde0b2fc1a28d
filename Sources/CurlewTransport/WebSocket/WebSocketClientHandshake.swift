import CurlewCore
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Opens a WebSocket as a client (RFC 6455 section 4.1): sends the request, and explains an answer that is no upgrade.
///
/// The handlers of the handshake come before the link's, and leave when the WebSocket is open.
final class WebSocketClientHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let peer: Endpoint
    private let request: WebSocketRequest
    private let settings: WebSocketSettings
    private let firstBytes: FirstBytes
    private var hasFailed = false

    private init(_ peer: Endpoint, _ request: WebSocketRequest, _ settings: WebSocketSettings, _ firstBytes: FirstBytes)
    {
        self.peer = peer
        self.request = request
        self.settings = settings
        self.firstBytes = firstBytes
    }

    /// Begins the handshake on an open channel, below the link.
    static func begin(
        to peer: Endpoint, _ request: WebSocketRequest, _ settings: WebSocketSettings, below link: SocketLinkHandler,
        _ context: ChannelHandlerContext
    ) throws {
        let firstBytes = FirstBytes()
        let encoder = HTTPRequestEncoder()
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = Self.largestHeaders
        limits.maxHeaderListSize = Self.largestHeaders
        let decoder = ByteToMessageHandler(
            HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
        let handshake = WebSocketClientHandshake(peer, request, settings, firstBytes)
        let upgrade = NIOHTTPClientUpgradeHandler(
            upgraders: [WebSocketClientUpgrader(settings, link)],
            httpHandlers: [firstBytes, encoder, decoder, handshake], upgradeCompletionHandler: { _ in })
        let pipeline = context.pipeline.syncOperations
        let handlers: [any ChannelHandler] = [firstBytes, encoder, decoder, upgrade, handshake]
        try pipeline.addHandlers(handlers, position: .before(link))
        handshake.sendRequest(try pipeline.context(handler: handshake))
    }

    private static let largestHeaders = 16 << 10

    private func sendRequest(_ context: ChannelHandlerContext) {
        var headers = HTTPHeaders()
        if !self.request.headers.contains(where: { $0.name.lowercased() == "host" }) {
            headers.add(name: "Host", value: self.host)
        }
        for header in self.request.headers { headers.add(name: header.name, value: header.value) }
        headers.add(name: "Sec-WebSocket-Protocol", value: self.settings.subprotocol)
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: self.request.target, headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// The value of the field `Host`, without the port that is usual for the scheme.
    private var host: String {
        let host = self.request.host
        let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return self.request.port == (self.request.isSecure ? 443 : 80) ? name : "\(name):\(self.request.port)"
    }

    // MARK: Failures

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // The upgrade handler forwards only a response that is no upgrade.
        guard case .head(let head) = self.unwrapInboundIn(data) else { return }
        self.fail(WebSocketRefusal(head, self.settings).error(from: self.peer, self.request), context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case is NIOHTTPClientUpgradeError: break  // the response follows
        case is HTTPParserError: self.fail(self.notWebSocket(cause: error), context)
        case is IOError: self.fail(self.unanswered(cause: error), context)
        default: context.fireErrorCaught(error)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.fail(
            self.firstBytes.bytes.readableBytes > 0 ? self.notWebSocket(cause: nil) : self.unanswered(cause: nil),
            context)
        context.fireChannelInactive()
    }

    private func unanswered(cause: (any Error)?) -> TransportError {
        TransportError(
            .notWebSocket,
            "\(self.peer) closed the connection without answering the WebSocket handshake; is this its port for WebSocket"
                + "\(self.request.isSecure ? "" : ", or does it expect wss://")?", cause: cause)
    }

    private func notWebSocket(cause: (any Error)?) -> TransportError {
        let bytes = self.firstBytes.bytes
        let advice =
            switch ForeignProtocol(answer: bytes) {
            case .tls? where !self.request.isSecure: "this port expects TLS; connect with wss://"
            case .tls?, .http?, .webSocket?, .unknown?: "use the port for WebSocket, usually 8083, 9001 or 443"
            case let other?: "it speaks \(other.name); use the port for WebSocket"
            case nil where bytes.readableBytesView.first.map(Self.isFromMQTT) ?? false:
                "it speaks MQTT without WebSocket; connect with \(self.request.isSecure ? "mqtts://" : "mqtt://")"
            case nil: "use the port for WebSocket, usually 8083, 9001 or 443"
            }
        return TransportError(.notWebSocket, "\(self.peer) is not a WebSocket server: \(advice).", cause: cause)
    }

    /// CONNACK or DISCONNECT.
    private static func isFromMQTT(_ first: UInt8) -> Bool { first == 0x20 || first == 0xE0 }

    private func fail(_ error: TransportError, _ context: ChannelHandlerContext) {
        guard !self.hasFailed else { return }
        self.hasFailed = true
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension WebSocketClientHandshake: Sendable {}

/// Remembers how the peer begins, to recognise other protocols.
private final class FirstBytes: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private(set) var bytes = ByteBuffer()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let missing = 64 - self.bytes.readableBytes
        if missing > 0 { self.bytes.writeBytes(self.unwrapInboundIn(data).readableBytesView.prefix(missing)) }
        context.fireChannelRead(data)
    }
}

@available(*, unavailable)
extension FirstBytes: Sendable {}

/// The library's upgrade to WebSocket, with the handlers of this link.
private final class WebSocketClientUpgrader: NIOHTTPClientProtocolUpgrader {
    private let library = NIOWebSocketClientUpgrader { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
    private let settings: WebSocketSettings
    private let link: SocketLinkHandler

    init(_ settings: WebSocketSettings, _ link: SocketLinkHandler) {
        self.settings = settings
        self.link = link
    }

    var supportedProtocol: String { self.library.supportedProtocol }

    var requiredUpgradeHeaders: [String] { self.library.requiredUpgradeHeaders }

    func addCustom(upgradeRequestHeaders: inout HTTPHeaders) {
        self.library.addCustom(upgradeRequestHeaders: &upgradeRequestHeaders)
    }

    func shouldAllowUpgrade(upgradeResponse: HTTPResponseHead) -> Bool {
        self.library.shouldAllowUpgrade(upgradeResponse: upgradeResponse)
            && WebSocketRefusal.isSubprotocolChosen(upgradeResponse, self.settings)
    }

    func upgrade(context: ChannelHandlerContext, upgradeResponse: HTTPResponseHead) -> EventLoopFuture<Void> {
        context.eventLoop.makeCompletedFuture {
            try self.link.addWebSocket(
                as: .client, maximumFrameSize: self.settings.maximumFrameSize, context.pipeline.syncOperations)
        }
    }
}

/// Why a server did not open a WebSocket.
enum WebSocketRefusal: Equatable {
    /// The server is one for WebSocket, but the answer breaks its rules.
    case malformed
    /// The server did not accept the subprotocol [MQTT-6.0.0-4].
    case subprotocol(String)
    case unauthorized(HTTPResponseStatus)
    case redirected(HTTPResponseStatus, to: String?)
    case notFound(HTTPResponseStatus)
    case other(HTTPResponseStatus)

    /// - Parameter head: An answer that is no valid upgrade.
    init(_ head: HTTPResponseHead, _ settings: WebSocketSettings) {
        switch head.status.code {
        case 101: self = Self.isSubprotocolChosen(head, settings) ? .malformed : .subprotocol(settings.subprotocol)
        case 401, 403: self = .unauthorized(head.status)
        case 301, 302, 303, 307, 308: self = .redirected(head.status, to: head.headers.first(name: "Location"))
        case 404, 405, 410: self = .notFound(head.status)
        default: self = .other(head.status)
        }
    }

    static func isSubprotocolChosen(_ head: HTTPResponseHead, _ settings: WebSocketSettings) -> Bool {
        head.headers["Sec-WebSocket-Protocol"] == [settings.subprotocol]
    }

    /// One sentence for people.
    func error(from peer: Endpoint, _ request: WebSocketRequest) -> TransportError {
        // The query may contain a token.
        let path = request.target.prefix { $0 != "?" }
        return switch self {
        case .malformed:
            TransportError(
                .notWebSocket,
                "\(peer) sent an invalid answer to the WebSocket handshake (RFC 6455); is this a WebSocket server?")
        case .subprotocol(let name):
            TransportError(
                .notWebSocket,
                "\(peer) has a WebSocket at \(path), but not one for MQTT: it did not choose the subprotocol '\(name)'; check "
                    + "the path.")
        case .unauthorized(let status):
            TransportError(
                .webSocketUnauthorized,
                "\(peer) refused the WebSocket (HTTP \(status.code) \(status.reasonPhrase.printable)); check the header "
                    + "fields, such as Authorization or Cookie, and the origin.")
        case .redirected(let status, let location):
            TransportError(
                .webSocketRefused,
                "\(peer) redirects the WebSocket (HTTP \(status.code))"
                    + (location.map { " to \($0.prefix { $0 != "?" }.description.printable)" } ?? "")
                    + "; connect to that address.")
        case .notFound(let status):
            TransportError(
                .webSocketRefused,
                "\(peer) has no WebSocket at \(path) (HTTP \(status.code) \(status.reasonPhrase.printable)); check the path."
            )
        case .other(let status):
            TransportError(
                .webSocketRefused,
                "\(peer) did not open a WebSocket (HTTP \(status.code) \(status.reasonPhrase.printable)); are port and path "
                    + "those of the broker's WebSocket?")
        }
    }
}
