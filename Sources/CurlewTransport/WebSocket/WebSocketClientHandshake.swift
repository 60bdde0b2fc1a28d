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
    private let request: WebSocketSettings.Request
    private let settings: WebSocketSettings
    private let link: any WebSocketOwner
    private let gate: HTTPHeadGate
    private let codec: [any RemovableChannelHandler]
    /// Makes the key of the request, and checks the answer to it.
    private let upgrader = NIOWebSocketClientUpgrader { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
    private var isOver = false

    private init(
        _ peer: Endpoint, _ request: WebSocketSettings.Request, _ settings: WebSocketSettings,
        _ link: any WebSocketOwner,
        _ gate: HTTPHeadGate, _ codec: [any RemovableChannelHandler]
    ) {
        self.peer = peer
        self.request = request
        self.settings = settings
        self.link = link
        self.gate = gate
        self.codec = codec
    }

    /// Begins the handshake on an open channel, below the link.
    static func begin(
        to peer: Endpoint, _ request: WebSocketSettings.Request, _ settings: WebSocketSettings,
        below link: any WebSocketOwner,
        _ context: ChannelHandlerContext
    ) throws {
        let gate = HTTPHeadGate(maximumSize: Self.largestHead, beginning: "HTTP/")
        let (encoder, decoder) = (HTTPRequestEncoder(), HTTPHandshake.makeResponseDecoder())
        let handshake = WebSocketClientHandshake(peer, request, settings, link, gate, [encoder, decoder])
        let pipeline = context.pipeline.syncOperations
        let handlers: [any ChannelHandler] = [gate, encoder, decoder, handshake]
        try pipeline.addHandlers(handlers, position: .before(link))
        handshake.sendRequest(try pipeline.context(handler: handshake))
    }

    private static let largestHead = 16 << 10

    private func sendRequest(_ context: ChannelHandlerContext) {
        var headers = HTTPHeaders()
        if !self.request.headers.contains(where: { $0.name.lowercased() == "host" }) {
            headers.add(name: "Host", value: self.host)
        }
        for header in self.request.headers { headers.add(name: header.name, value: header.value) }
        headers.add(name: "Sec-WebSocket-Protocol", value: self.settings.subprotocol)
        headers.add(name: "Connection", value: "Upgrade")
        headers.add(name: "Upgrade", value: "websocket")
        self.upgrader.addCustom(upgradeRequestHeaders: &headers)
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: self.request.target, headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// The value of the field `Host`, without the port that is usual for the scheme.
    private var host: String {
        let isUsual = self.request.port == (self.request.isSecure ? 443 : 80)
        // The zone of an IPv6 address means something only on this machine (RFC 6874 section 1).
        let host = self.request.host.prefix { $0 != "%" }
        return hostInURL(String(host), port: isUsual ? nil : self.request.port)
    }

    // MARK: The answer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isOver, case .head(let head) = self.unwrapInboundIn(data) else { return }
        guard !head.isInterim else { return self.gate.passNext() }
        if let refusal = WebSocketRefusal(head, self.settings, isKeyAccepted: self.upgrader.shouldAllowUpgrade) {
            return self.fail(refusal.error(from: self.peer, self.request), context)
        }
        self.isOver = true
        self.gate.hold()
        // After the decoder has finished with the head.
        let handler = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.execute { handler.value.0.finish(handler.value.1) }
    }

    private func finish(_ context: ChannelHandlerContext) {
        HTTPHandshake.leave(self.codec, self, self.gate, context) { pipeline in
            try self.link.addWebSocket(as: .client, maximumFrameSize: self.settings.maximumFrameSize, pipeline)
        }
    }

    // MARK: Failures

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !self.isOver else { return context.fireErrorCaught(error) }
        switch error {
        case is HTTPParserError, is HTTPHeadGate.Failure: self.fail(self.notWebSocket(cause: error), context)
        case is IOError: self.fail(self.unanswered(cause: error), context)
        default: context.fireErrorCaught(error)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.fail(
            self.gate.firstBytes.readableBytes > 0 ? self.notWebSocket(cause: nil) : self.unanswered(cause: nil),
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
        let bytes = self.gate.firstBytes
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
        guard !self.isOver else { return }
        self.isOver = true
        self.gate.discard()
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension WebSocketClientHandshake: Sendable {}

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

    /// `nil` if the answer opens the WebSocket.
    init?(_ head: HTTPResponseHead, _ settings: WebSocketSettings, isKeyAccepted: (HTTPResponseHead) -> Bool) {
        switch head.status.code {
        case 101:
            let isUpgrade =
                head.headers[canonicalForm: "Upgrade"].map { $0.lowercased() } == ["websocket"]
                && head.headers[canonicalForm: "Connection"].contains { $0.lowercased() == "upgrade" }
            guard isUpgrade, isKeyAccepted(head), head.headers["Sec-WebSocket-Extensions"].isEmpty else {
                self = .malformed
                return
            }
            guard head.headers["Sec-WebSocket-Protocol"] != [settings.subprotocol] else { return nil }
            self = .subprotocol(settings.subprotocol)
        case 401, 403: self = .unauthorized(head.status)
        case 301, 302, 303, 307, 308: self = .redirected(head.status, to: head.headers.first(name: "Location"))
        case 404, 405, 410: self = .notFound(head.status)
        default: self = .other(head.status)
        }
    }

    /// One sentence for people.
    func error(from peer: Endpoint, _ request: WebSocketSettings.Request) -> TransportError {
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
                "\(peer) refused the WebSocket (HTTP \(status.code) \(status.reasonPhrase.printable)); "
                    + (request.target.contains("X-Amz-Signature=")
                        ? "check the AWS credentials, the region, their policy, and the clock of this machine."
                        : "check the header fields, such as Authorization or Cookie, and the origin."))
        case .redirected(let status, let location):
            TransportError(
                .webSocketRefused,
                "\(peer) redirects the WebSocket (HTTP \(status.code))"
                    + (location.map { " to \(Self.server(of: $0).printable)" } ?? "")
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

    /// Scheme, host and port of a URL; the rest may contain secrets.
    private static func server(of url: String) -> String {
        guard let scheme = url.firstRange(of: "://") else { return "another path" }
        let authority = url[scheme.upperBound...].prefix { !"/?#".contains($0) }
        return "\(url[..<scheme.upperBound])\(authority.split(separator: "@").last ?? "")"
    }
}
