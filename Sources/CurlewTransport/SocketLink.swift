import NIOCore

/// A link over a NIO channel: TCP or a Unix domain socket, with or without TLS and WebSocket.
final class SocketLink: Link {
    let eventLoop: any EventLoop
    let peer: String
    let isLocal: Bool
    let peerCertificate: [UInt8]?
    let applicationProtocol: String?
    let peerUserID: UInt32?
    let overhead: Int
    private let channel: any Channel
    private let handler: NIOLoopBound<SocketLinkHandler>
    /// What the peer authenticated with; only on the side of a listener.
    private let trust: PeerTrust?

    init(
        channel: any Channel, peer: String, isLocal: Bool, peerCertificate: [UInt8]?, isSecure: Bool, trust: PeerTrust?,
        handler: SocketLinkHandler
    ) {
        self.trust = trust
        self.eventLoop = channel.eventLoop
        self.peer = peer
        self.isLocal = isLocal
        self.peerCertificate = peerCertificate
        self.applicationProtocol = handler.applicationProtocol
        self.peerUserID = handler.peerUserID
        self.overhead = isSecure ? Self.overheadOfTLS : 0
        self.channel = channel
        self.handler = NIOLoopBound(handler, eventLoop: channel.eventLoop)
    }

    /// An estimate of the memory of a TLS connection with its buffers.
    static let overheadOfTLS = 40 << 10

    var isStillTrusted: Bool { self.trust?.isValid(self.peerCertificate) ?? true }

    var isWritable: Bool { self.channel.isWritable }

    var heldBytes: Int { self.handler.value.heldBytes }

    var unsentBytes: Int {
        // Getting an option fails only if the channel is closed, and then no bytes are unsent.
        (try? self.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    func write(_ bytes: ByteBuffer) { self.handler.value.write(bytes) }

    func setReading(_ isOn: Bool) { self.handler.value.setReading(isOn) }

    func drain(atMost maximum: Int, within limit: Duration, then body: @escaping @Sendable () -> Void) {
        self.handler.value.drain(atMost: maximum, within: limit, then: body)
    }

    func closeAfterWrites(within limit: Duration) { self.handler.value.closeAfterWrites(within: limit) }

    func close() { self.channel.close(promise: nil) }
}
