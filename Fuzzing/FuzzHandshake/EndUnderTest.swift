import CurlewCore
import NIOCore
import NIOEmbedded

@testable import CurlewTransport

/// One end of a connection: the library's handlers on an embedded channel, put together as for a socket.
final class EndUnderTest: @unchecked Sendable {
    // Used on a single thread.
    let channel = EmbeddedChannel()
    let wire = Wire()
    private(set) var owner: Owner?
    /// How many bytes were sent before the link was open.
    private var handshakeSize: Int?
    /// Why a listener let nobody in.
    private(set) var refusals: [FailedHandshake] = []
    /// Why a client could not connect.
    private(set) var failure: TransportError?
    private let behavior: Owner.Behavior

    init(_ behavior: Owner.Behavior) throws {
        self.behavior = behavior
        try self.pipeline.addHandler(self.wire)
    }

    var pipeline: ChannelPipeline.SynchronousOperations { self.channel.pipeline.syncOperations }

    var isOpen: Bool { self.channel.isActive }

    // MARK: Building

    /// Adds the link of a listener, before the channel is active.
    func addListenersLink(awaitsProxyHeader: Bool = false, _ webSocket: SocketLinkHandler.WebSocketSide?) throws {
        try self.pipeline.addHandler(
            SocketLinkHandler(
                peer: "10.0.0.1:50000", awaitsProxyHeader: awaitsProxyHeader, tls: nil, webSocket: webSocket,
                opened: nil, refused: { [unowned self] in self.refusals.append($0) },
                makeOwner: { [unowned self] in self.own($0) }))
    }

    /// Adds the link of a client, once the channel is active.
    func addClientsLink(_ webSocket: SocketLinkHandler.WebSocketSide?) throws {
        let opened = self.channel.eventLoop.makePromise(of: Void.self)
        opened.futureResult.whenFailure { self.fail($0) }
        try self.pipeline.addHandler(
            SocketLinkHandler(
                peer: "\(Self.endpoint)", tls: nil, webSocket: webSocket, opened: opened,
                makeOwner: { [unowned self] in self.own($0) }))
    }

    /// Begins the handshake of a client with a proxy, after which `addNext` adds the next handlers.
    func beginProxyHandshake(
        with proxy: ProxySettings, then addNext: @escaping @Sendable (EndUnderTest) throws -> Void
    ) {
        let request = ProxyHandshake.Request(
            proxy: proxy, endpoint: Self.endpoint, destination: .name(Self.endpoint.host))
        ProxyHandshake.begin(request, on: self.channel).whenComplete { result in
            do {
                try result.get()
                try addNext(self)
            } catch {
                self.fail(error)
            }
        }
    }

    /// Where clients connect to.
    static let endpoint = Endpoint(host: "broker.example", port: 8083, webSocket: "/mqtt?token=abc")

    private func own(_ link: any Link) -> Owner {
        expect(self.owner == nil, "a connection has two links")
        let owner = Owner(link, self.behavior)
        self.owner = owner
        self.handshakeSize = self.wire.sent.readableBytes
        return owner
    }

    /// As a client does that could not connect.
    private func fail(_ error: any Error) {
        let failure = TransportError(connectingTo: Self.endpoint, failedWith: error, timeout: .seconds(10))
        expect(
            self.failure == nil && self.owner == nil, "connecting has failed twice, or after its success: \(failure)")
        self.failure = failure
        self.channel.close(promise: nil)
    }

    // MARK: The peer

    func connect(from address: String = "10.0.0.1") throws {
        let address = try SocketAddress(ipAddress: address, port: 50_000)
        self.channel.remoteAddress = address
        self.channel.connect(to: address, promise: nil)
    }

    /// Receives bytes, unless the channel is closed.
    func receive(_ bytes: ByteBuffer) {
        guard self.isOpen else { return }
        self.pipeline.fireChannelRead(NIOAny(bytes))
        self.pipeline.fireChannelReadComplete()
    }

    /// Runs everything that is due now.
    func run() { self.channel.embeddedEventLoop.run() }

    func wait(_ time: Duration) { self.channel.embeddedEventLoop.advanceTime(by: TimeAmount(time)) }

    /// The peer leaves.
    func lose() {
        self.channel.close(promise: nil)
        self.run()
    }

    // MARK: Checks

    /// The bytes that wait in the handlers for others.
    var heldBytes: Int {
        if let owner { return owner.link.heldBytes }
        // Throws if there is no such handler.
        let gate = try? self.pipeline.handler(type: HTTPHeadGate.self)
        let header = try? self.pipeline.handler(type: ProxyHeaderHandler.self)
        let socks = try? self.pipeline.handler(type: SOCKSHandler.self)
        return (gate?.heldBytes ?? 0) + (header?.heldBytes ?? 0) + (socks?.heldBytes ?? 0)
    }

    /// What was sent before the link was open, and from then on.
    var sent: (handshake: ByteBuffer, rest: ByteBuffer) {
        var rest = self.wire.sent
        let handshake = rest.readSlice(length: self.handshakeSize ?? rest.readableBytes) ?? ByteBuffer()
        return (handshake, rest)
    }

    /// Whether the handshake has an end, good or bad.
    var hasDecided: Bool { self.owner != nil || self.wire.isOutputClosed || !self.isOpen }

    /// Nothing may pass the last handler, and what is shown to people must be safe for a terminal.
    func check() throws {
        // A client that could not connect has no link that takes errors.
        if self.failure == nil { try self.channel.throwIfErrorCaught() }
        expect(try self.channel.readInbound(as: ByteBuffer.self) == nil, "bytes were lost behind the last handler")
        let errors = [self.failure, self.owner?.failure].compactMap { $0 } + self.refusals.map(\.error)
        for text in errors.map(\.message) + self.refusals.map(\.peer) {
            expect(text == text.printable(keepsLines: false), "a message is not printable: \(text)")
            // A message quotes at most 2,000 characters, of which escaping makes more.
            expect(text.utf8.count < 25_000, "a message is too long: \(text)")
        }
    }
}
