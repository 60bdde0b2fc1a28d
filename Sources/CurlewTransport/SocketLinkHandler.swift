import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import NIOWebSocket

/// The last handler of the channel's pipeline: forwards events to the owner of the link.
final class SocketLinkHandler: ChannelInboundHandler, WebSocketOwner {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var peer: String
    /// The client behind a trusted proxy, if the peer is one.
    private var forwarded: ForwardedClient?
    /// Whether a header of the PROXY protocol comes first.
    private var awaitsProxyHeader: Bool
    /// Explains TLS failures; `nil` on a plain connection.
    private let tls: TLSDiagnosis?
    private let trust: PeerTrust?
    /// The WebSocket to open once the channel is; `nil` for none.
    private let webSocket: WebSocketSide?
    /// The decoder of frames, once there is a WebSocket.
    private var incomingFrames: WebSocketFrames?
    /// Called when a client's handshake fails.
    private let refused: @Sendable (FailedHandshake) -> Void
    private let makeOwner: @Sendable (any Link) -> any LinkHandler
    /// Completes when the link is open or cannot be opened; then `nil`.
    private var opened: EventLoopPromise<Void>?

    private var context: ChannelHandlerContext?
    /// Present from opening to closing.
    private var owner: (any LinkHandler)?
    /// The first error; later ones are consequences of it.
    private var failure: TransportError?
    private var isClosing = false
    /// Whether the owner wants to read.
    private var wantsReading = true
    /// Present while received bytes are drained, even if the owner does not want to read.
    private var draining: Draining?
    /// The number of bytes in the current series of reads.
    private var bytesInRead = 0
    /// Whether the kernel acknowledges received bytes; not on a Unix domain socket.
    private var isTCP = false
    /// Whether the kernel still has to be told to acknowledge received bytes.
    private var owesAcknowledgement = false
    private var closeDeadline: Scheduled<Void>?
    /// The budget to return the handshake's memory to.
    private var handshakes: (any HandshakeBudget)?
    /// The name in the certificate that the peer of a failed handshake presented.
    private var peerName: String?
    /// The protocol of the completed TLS handshake.
    private(set) var applicationProtocol: String?
    /// Whether the channel is connected and, with TLS, the peer verified.
    private var isChannelReady = false
    private var handshakeDeadline: Scheduled<Void>?
    private static let handshakeTime = Duration.seconds(10)

    init(
        peer: String, awaitsProxyHeader: Bool = false, tls: TLSDiagnosis?, trust: PeerTrust? = nil,
        webSocket: WebSocketSide? = nil,
        opened: EventLoopPromise<Void>?,
        refused: @escaping @Sendable (FailedHandshake) -> Void = { _ in },
        makeOwner: @escaping @Sendable (any Link) -> any LinkHandler
    ) {
        self.peer = peer
        self.awaitsProxyHeader = awaitsProxyHeader
        self.tls = tls
        self.trust = trust
        self.webSocket = webSocket
        self.opened = opened
        self.refused = refused
        self.makeOwner = makeOwner
    }

    // MARK: The memory of a handshake

    /// Reserves the memory for a client's handshake, until the link is open or has failed.
    ///
    /// - Throws: ``TransportError`` if there is not enough.
    func takeHandshake(from budget: (any HandshakeBudget)?) throws {
        guard let budget else { return }
        guard budget.take(SocketLink.overheadOfTLS) else {
            throw TransportError(.connectionLost, "There is no memory for the handshake of \(self.peer).")
        }
        self.handshakes = budget
    }

    private func giveHandshakeBack() {
        self.handshakes?.giveBack(SocketLink.overheadOfTLS)
        self.handshakes = nil
    }

    // MARK: WebSocket

    /// The side of a WebSocket that this is, and how to open it.
    enum WebSocketSide {
        case client(Endpoint, WebSocketSettings.Request, WebSocketSettings)
        case server(WebSocketServerSettings, TrustedProxies)
    }

    /// A trusted proxy has stated the address of its client.
    func forwards(_ client: ForwardedClient) {
        self.forwarded = client
        self.peer = client.peer
    }

    private func isLocal(_ context: ChannelHandlerContext) -> Bool {
        self.forwarded?.isLocal ?? context.remoteAddress?.isLocal ?? false
    }

    /// The channel can be written to and read: opens the link, or the WebSocket first.
    private func channelReady(_ context: ChannelHandlerContext) {
        // Handlers that are added to an active channel may still get `channelActive`.
        guard !self.isChannelReady else { return }
        self.isChannelReady = true
        do {
            switch self.webSocket {
            case nil: self.open(context)
            case .client(let peer, let request, let settings)?:
                try WebSocketClientHandshake.begin(to: peer, request, settings, below: self, context)
            case .server(let settings, let proxies)?:
                // A balancer that speaks the PROXY protocol passes X-Forwarded-For on as its client has written it.
                let rules = WebSocketRules(
                    settings: settings, proxies: proxies,
                    address: self.forwarded?.address ?? context.remoteAddress?.ipAddress,
                    isLocal: self.isLocal(context))
                try WebSocketServerHandshake.begin(rules, below: self, context)
            }
        } catch {
            // Handlers can only be missing if the channel is closing.
            self.failure = self.failure ?? TransportError(linkTo: self.peer, brokenBy: error)
            context.close(promise: nil)
        }
    }

    /// The handshake was successful: frames follow.
    func addWebSocket(
        as role: WebSocketReading.Role, maximumFrameSize: Int, _ pipeline: ChannelPipeline.SynchronousOperations
    ) throws {
        let frames = WebSocketFrames(maximumSize: maximumFrameSize)
        self.incomingFrames = frames
        let handlers: [any ChannelHandler] = [
            WebSocketFrameEncoder(), ByteToMessageHandler(frames), WebSocketStreamHandler(peer: self.peer, role: role),
        ]
        try pipeline.addHandlers(handlers, position: .before(self))
    }

    /// The bytes of incomplete frames.
    var heldBytes: Int { self.incomingFrames?.heldBytes ?? 0 }

    // MARK: Requests of the owner

    func write(_ bytes: ByteBuffer) {
        guard let context = self.context, !self.isClosing else { return }
        // The written bytes carry the TCP acknowledgement.
        self.owesAcknowledgement = false
        context.writeAndFlush(self.wrapOutboundOut(bytes), promise: nil)
    }

    func setReading(_ isOn: Bool) {
        guard let context = self.context, !self.isClosing else { return }
        self.wantsReading = isOn
        if self.draining == nil { self.setAutomaticReading(isOn, context) }
    }

    private func setAutomaticReading(_ isOn: Bool, _ context: ChannelHandlerContext) {
        // Setting an option fails only if the channel is closed, and then there is nothing to read.
        try? context.channel.syncOptions?.setOption(.autoRead, value: isOn)
    }

    /// The draining of received bytes, and who waits for it.
    private struct Draining {
        /// How many bytes may still be read.
        var left: Int
        let deadline: Scheduled<Void>
        var bodies: [@Sendable () -> Void]
    }

    func drain(atMost maximum: Int, within limit: Duration, then body: @escaping @Sendable () -> Void) {
        guard let context = self.context else { return body() }
        guard !self.isClosing, self.owner != nil, Self.hasUnreadBytes(context) else {
            return context.eventLoop.execute(body)
        }
        guard self.draining == nil else {
            self.draining?.bodies.append(body)
            return
        }
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        let deadline = context.eventLoop.scheduleTask(in: TimeAmount(limit)) { handler.value.finishDraining() }
        self.draining = Draining(left: maximum, deadline: deadline, bodies: [body])
        self.setAutomaticReading(true, context)
    }

    /// The user of the other process on a Unix domain socket.
    var peerUserID: UInt32? {
        guard let context = self.context, case .unixDomainSocket? = context.remoteAddress else { return nil }
        // Throws if the channel is closed.
        let user = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self, SocketOptions.peerUserID)
        return user.flatMap { $0 }
    }

    /// Whether bytes, or the end of the stream, are waiting in the kernel.
    private static func hasUnreadBytes(_ context: ChannelHandlerContext) -> Bool {
        // Throws if the channel is closed, and then there is nothing to read.
        let hasUnread = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self, SocketOptions.hasUnreadBytes)
        return hasUnread.flatMap { $0 } ?? false
    }

    private func continueDraining(_ context: ChannelHandlerContext, read count: Int) {
        guard self.draining != nil else { return }
        self.draining?.left -= count
        if self.draining?.left ?? 0 <= 0 || !Self.hasUnreadBytes(context) { self.finishDraining() }
    }

    private func finishDraining() {
        guard let draining = self.draining else { return }
        self.draining = nil
        draining.deadline.cancel()
        guard let context = self.context else { return draining.bodies.forEach { $0() } }
        if !self.isClosing { self.setAutomaticReading(self.wantsReading, context) }
        for body in draining.bodies { context.eventLoop.execute(body) }
    }

    func closeAfterWrites(within limit: Duration) {
        guard let context = self.context, !self.isClosing else { return }
        // Reading must be on to see the peer's close.
        self.setReading(true)
        self.isClosing = true
        self.finishDraining()
        let channel = context.channel
        self.closeDeadline = context.eventLoop.scheduleTask(in: TimeAmount(limit)) { channel.close(promise: nil) }
        // Half-close: a full close while the peer is still sending would reset the connection and discard the bytes
        // that we just wrote and the peer has not read yet.
        context.close(mode: .output, promise: nil)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if self.tls != nil || self.webSocket != nil || self.awaitsProxyHeader, self.opened == nil {
            // Nobody waits for a client's handshake, and the client may never start it.
            let channel = context.channel
            let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
            let tls = self.tls
            self.handshakeDeadline = context.eventLoop.scheduleTask(in: TimeAmount(Self.handshakeTime)) {
                handler.value.failure = handler.value.failure ?? tls?.handshakeTimedOut(after: Self.handshakeTime)
                channel.close(promise: nil)
            }
        }
        if context.channel.isActive, self.tls == nil, !self.awaitsProxyHeader { self.channelReady(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.giveHandshakeBack()
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        if self.tls == nil, !self.awaitsProxyHeader { self.channelReady(context) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is WebSocketStreamHandler.Opened: return self.open(context)
        case let refusal as WebSocketServerHandshake.Refused:
            return self.refused(
                FailedHandshake(
                    "WebSocket", peer: self.peer, error: TransportError(.notWebSocket, refusal.sentence),
                    isAbandoned: refusal.isOrdinaryRequest))
        case let header as ProxyHeaderHandler.Received:
            self.awaitsProxyHeader = false
            if let client = header.client { self.forwards(client) }
            if self.tls == nil { self.channelReady(context) }
            return
        default: break
        }
        guard let tls = self.tls, case TLSUserEvent.handshakeCompleted(let applicationProtocol) = event else { return }
        self.applicationProtocol = applicationProtocol
        if let objection = tls.objection(address: context.remoteAddress, certificate: context.peerCertificate) {
            self.failure = objection
            context.close(promise: nil)
        } else {
            self.channelReady(context)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let owner = self.owner, !self.isClosing else { return }
        let bytes = self.unwrapInboundIn(data)
        self.bytesInRead += bytes.readableBytes
        owner.linkRead(bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard let owner = self.owner, !self.isClosing else { return }
        owner.linkReadCompleted()
        if self.bytesInRead < SocketOptions.smallRead, self.isTCP { self.acknowledgeSoon(context) }
        let count = self.bytesInRead
        self.bytesInRead = 0
        self.continueDraining(context, read: count)
    }

    /// Makes the kernel acknowledge received bytes, unless an answer is sent first. A separate acknowledgement would
    /// take longer than all other work for an answer, and would delay it.
    private func acknowledgeSoon(_ context: ChannelHandlerContext) {
        guard !self.owesAcknowledgement else { return }
        self.owesAcknowledgement = true
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        let loop = context.eventLoop
        // Tasks that the read resumed are among the current tasks of the loop, and what they send among the next ones.
        loop.execute { loop.execute { handler.value.acknowledge() } }
    }

    private func acknowledge() {
        guard self.owesAcknowledgement, let context = self.context else { return }
        self.owesAcknowledgement = false
        SocketOptions.acknowledgeAtOnce(context.channel)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard let owner = self.owner, !self.isClosing else { return }
        owner.linkWritabilityChanged(context.channel.isWritable)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // NIO closes the channel itself after each fatal error.
        guard self.failure == nil, !self.isClosing else { return }
        if let tls = self.tls, TLSDiagnosis.covers(error) {
            let certificate = context.peerCertificate
            self.failure = tls.explain(error, certificate: certificate)
            if self.owner == nil { self.peerName = certificate.flatMap { CertificateContents($0)?.subjectName } }
        } else if let tls = self.tls, !self.isChannelReady {
            self.failure = tls.brokenHandshake(cause: error)
        } else {
            self.failure = TransportError(linkTo: self.peer, brokenBy: error)
        }
        // Over TLS, the end of the channel may take a while.
        if let failure = self.failure, self.owner == nil, self.webSocket != nil {
            self.finishOpening(.failure(failure))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.closeDeadline?.cancel()
        self.handshakeDeadline?.cancel()
        self.giveHandshakeBack()
        self.context = nil
        let owner = self.owner
        self.owner = nil
        if self.awaitsProxyHeader {
            self.refused(
                FailedHandshake(
                    "PROXY protocol", peer: self.peer,
                    error: self.failure
                        ?? TransportError(
                            .connectionLost, "The proxy closed the connection before its header was complete."),
                    isAbandoned: self.failure == nil))
        } else if let tls = self.tls, !self.isChannelReady, self.opened == nil {
            self.refused(FailedHandshake(peer: self.peer, error: self.failure, tls, certificateName: self.peerName))
        }
        self.finishOpening(
            .failure(
                self.failure
                    ?? TransportError(.connectionLost, "\(self.peer) closed the connection before it was ready.")))
        owner?.linkClosed(self.failure)
        self.finishDraining()
    }

    private func open(_ context: ChannelHandlerContext) {
        guard self.owner == nil, self.context != nil else { return }
        guard self.failure == nil else { return context.close(promise: nil) }
        self.handshakeDeadline?.cancel()
        self.handshakeDeadline = nil
        self.isTCP = context.remoteAddress?.port != nil
        // From now on, the owner counts the memory of the link.
        self.giveHandshakeBack()
        // A certificate that cannot be encoded counts as none.
        let certificate = self.tls == nil ? nil : try? context.peerCertificate?.toDERBytes()
        self.owner = self.makeOwner(
            SocketLink(
                channel: context.channel, peer: self.peer, isLocal: self.isLocal(context), peerCertificate: certificate,
                isSecure: self.tls != nil,
                trust: self.trust,
                handler: self))
        self.finishOpening(.success(()))
    }

    private func finishOpening(_ result: Result<Void, any Error>) {
        self.opened?.completeWith(result)
        self.opened = nil
    }
}

@available(*, unavailable)
extension SocketLinkHandler: Sendable {}

extension ChannelHandlerContext {
    /// The certificate that the peer of a TLS connection presented, verified or not.
    fileprivate var peerCertificate: NIOSSLCertificate? {
        // Throws if there is no TLS handler any more; then there is no certificate.
        try? self.pipeline.syncOperations.nioSSL_peerCertificate()
    }
}
