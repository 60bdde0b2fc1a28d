import CurlewCore
import NIOCore
import NIOHTTP1

/// The handshake with a proxy at the beginning of a channel's pipeline. Its handlers leave when the proxy has connected
/// to the destination.
enum ProxyHandshake {
    /// What is needed for one handshake.
    struct Request: Sendable {
        let proxy: ProxySettings
        /// Where the proxy is to connect to.
        let endpoint: Endpoint
        /// The destination of SOCKS.
        let destination: SOCKSHandshake.Destination
    }

    /// Begins the handshake on an open channel.
    ///
    /// - Returns: Succeeds when the proxy is connected to the destination.
    static func begin(_ request: Request, on channel: any Channel) -> EventLoopFuture<Void> {
        let done = channel.eventLoop.makePromise(of: Void.self)
        do {
            if request.proxy.kind == .http {
                try HTTPProxyHandler.add(request, done, channel.pipeline.syncOperations)
            } else {
                try channel.pipeline.syncOperations.addHandler(SOCKSHandler(request, done))
            }
        } catch {
            done.fail(error)
        }
        return done.futureResult
    }

    fileprivate static func closed(_ proxy: ProxySettings) -> TransportError {
        TransportError(
            .proxyFailed,
            "The proxy \(proxy.address) closed the connection; check its port, and whether it is \(proxy.kind == .http ? "an HTTP" : "a SOCKS 5") proxy."
        )
    }
}

/// Talks to a SOCKS proxy.
final class SOCKSHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: ProxyHandshake.Request
    private let done: EventLoopPromise<Void>
    private var handshake: SOCKSHandshake
    private var bytes = ByteBuffer()
    private var isOver = false

    /// The bytes of an incomplete answer.
    var heldBytes: Int { self.bytes.readableBytes }

    init(_ request: ProxyHandshake.Request, _ done: EventLoopPromise<Void>) {
        self.request = request
        self.done = done
        let proxy = request.proxy
        self.handshake = SOCKSHandshake(
            request.destination, port: UInt16(clamping: request.endpoint.port ?? 0),
            login: proxy.username.map { ($0, proxy.password ?? "") })
    }

    func handlerAdded(context: ChannelHandlerContext) { self.send(self.handshake.greeting, context) }

    private func send(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isOver else { return context.fireChannelRead(data) }
        self.bytes.writeImmutableBuffer(self.unwrapInboundIn(data))
        while !self.isOver {
            switch self.handshake.received(&self.bytes) {
            case .wait: return
            case .send(let bytes): self.send(bytes, context)
            case .connected: self.connected(context)
            case .failed(let failure):
                self.isOver = true
                self.done.fail(failure.error(of: self.request.proxy, connectingTo: self.request.endpoint))
            }
        }
    }

    private func connected(_ context: ChannelHandlerContext) {
        self.isOver = true
        self.done.succeed()
        // The server may have sent something already.
        if self.bytes.readableBytes > 0 { context.fireChannelRead(self.wrapInboundOut(self.bytes)) }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !self.isOver else { return context.fireErrorCaught(error) }
        self.isOver = true
        self.done.fail(ProxyHandshake.closed(self.request.proxy))
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !self.isOver { self.done.fail(ProxyHandshake.closed(self.request.proxy)) }
        self.isOver = true
        context.fireChannelInactive()
    }
}

@available(*, unavailable)
extension SOCKSHandler: Sendable {}

/// Asks an HTTP proxy for a connection with CONNECT.
private final class HTTPProxyHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let request: ProxyHandshake.Request
    private let done: EventLoopPromise<Void>
    private let gate: HTTPHeadGate
    private let codec: [any RemovableChannelHandler]
    private var isOver = false

    private init(
        _ request: ProxyHandshake.Request, _ done: EventLoopPromise<Void>, _ gate: HTTPHeadGate,
        _ codec: [any RemovableChannelHandler]
    ) {
        self.gate = gate
        self.request = request
        self.done = done
        self.codec = codec
    }

    static func add(
        _ request: ProxyHandshake.Request, _ done: EventLoopPromise<Void>,
        _ pipeline: ChannelPipeline.SynchronousOperations
    ) throws {
        let gate = HTTPHeadGate(maximumSize: 16 << 10, beginning: "HTTP/")
        let (encoder, decoder) = (HTTPRequestEncoder(), HTTPHandshake.makeResponseDecoder())
        let handler = HTTPProxyHandler(request, done, gate, [encoder, decoder])
        try pipeline.addHandlers([gate, encoder, decoder, handler] as [any ChannelHandler])
        handler.send(try pipeline.context(handler: handler))
    }

    private func send(_ context: ChannelHandlerContext) {
        var headers: HTTPHeaders = ["Host": "\(self.request.endpoint)"]
        if let username = self.request.proxy.username {
            let login = BasicAuthorization(username: username, password: self.request.proxy.password ?? "")
            headers.add(name: "Proxy-Authorization", value: login.value)
        }
        let head = HTTPRequestHead(
            version: .http1_1, method: .CONNECT, uri: "\(self.request.endpoint)", headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isOver, case .head(let head) = self.unwrapInboundIn(data) else { return }
        guard !head.isInterim else { return self.gate.passNext() }
        self.isOver = true
        guard (200...299).contains(head.status.code) else {
            self.gate.discard()
            return self.done.fail(self.refusal(head.status))
        }
        self.gate.hold()
        // After the decoder has finished with the head.
        let handler = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.execute { handler.value.0.finish(handler.value.1) }
    }

    private func finish(_ context: ChannelHandlerContext) {
        HTTPHandshake.leave(self.codec, self, self.gate, context) { _ in self.done.succeed() }
    }

    private func refusal(_ status: HTTPResponseStatus) -> TransportError {
        let proxy = "The proxy \(self.request.proxy.address)"
        let shown = "(HTTP \(status.code) \(status.reasonPhrase.printable))"
        switch status.code {
        case 401 where self.request.proxy.username == nil, 407 where self.request.proxy.username == nil:
            return TransportError(
                .proxyFailed,
                "\(proxy) requires a user name and a password \(shown); add them to its URL, as in http://user:password@host."
            )
        case 401, 407:
            return TransportError(
                .proxyFailed, "\(proxy) rejected the user name or the password for the proxy \(shown); check both.")
        case 403, 405:
            return TransportError(
                .proxyFailed, "\(proxy) does not permit connections to \(self.request.endpoint) \(shown).")
        // Tinyproxy uses 500 for it.
        case 500, 502, 503, 504:
            return TransportError(
                .hostUnreachable,
                "\(proxy) could not connect to \(self.request.endpoint) \(shown); check host and port.")
        default: return TransportError(.proxyFailed, "\(proxy) did not connect to \(self.request.endpoint) \(shown).")
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !self.isOver else { return context.fireErrorCaught(error) }
        self.isOver = true
        self.gate.discard()
        guard error is HTTPParserError || error is HTTPHeadGate.Failure else {
            return self.done.fail(ProxyHandshake.closed(self.request.proxy))
        }
        self.done.fail(
            TransportError(
                .proxyFailed,
                "The proxy \(self.request.proxy.address) does not speak HTTP; check its port, and whether it is a SOCKS proxy.",
                cause: error))
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !self.isOver { self.done.fail(ProxyHandshake.closed(self.request.proxy)) }
        self.isOver = true
        context.fireChannelInactive()
    }
}

@available(*, unavailable)
extension HTTPProxyHandler: Sendable {}
