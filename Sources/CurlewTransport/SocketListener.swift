package import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Accepts links over TCP or a Unix domain socket, with or without TLS and WebSocket.
package struct SocketListener: Sendable {
    private let channel: any Channel
    private let tls: TLSServerContext?
    /// The socket file to remove at the end.
    private let socketFile: (file: SocketFile, identity: SocketFile.Identity?)?

    /// The port that it listens on; the actual one if any free port was requested. 0 for a Unix domain socket.
    package let port: Int

    /// An address to listen on.
    package enum Address: Sendable {
        /// - Parameters:
        ///   - port: 0 for any free one.
        ///   - acceptsOnlyIPv6: Whether `::` accepts only IPv6; otherwise it accepts IPv4 clients as well.
        case host(String, port: Int, acceptsOnlyIPv6: Bool = false)
        case socketFile(SocketFile)
    }

    /// Binds a listening socket.
    ///
    /// - Parameters:
    ///   - address: Where to listen.
    ///   - tls: `nil` for plain connections.
    ///   - webSocket: `nil` for connections without WebSocket.
    ///   - proxies: Proxies in front of the listener that state the addresses of their clients.
    ///   - group: The event loops of the accepted links.
    ///   - handshakes: Limits the memory for handshakes; clients for which there is no memory are disconnected.
    ///   - clock: Measures how long accepting has worked after a failure.
    ///   - report: Called when connections cannot be accepted, and when they can again; on the listener's event loop.
    ///   - refused: Called for each client whose handshake failed; on an event loop.
    ///   - accept: Creates the owner of a new link; called on the link's event loop when the link is open (with TLS:
    ///     after the handshake), before any byte is read.
    package static func bind(
        to address: Address = .host("127.0.0.1", port: 0), tls: TLSServerSettings? = nil,
        webSocket: WebSocketServerSettings? = nil, proxies: TrustedProxies = TrustedProxies(),
        group: any EventLoopGroup = EventLoops.shared,
        handshakes: (any HandshakeBudget)? = nil,
        clock: MonotonicClock = MonotonicClock(ContinuousClock()),
        report: @escaping @Sendable (AcceptEvent) -> Void = { _ in },
        refused: @escaping @Sendable (FailedHandshake) -> Void = { _ in },
        accept: @escaping @Sendable (any Link) -> any LinkHandler
    ) async throws(TransportError) -> Self {
        let tls = if let tls { try TLSServerContext(tls) } else { TLSServerContext?.none }
        let isTCP = if case .host = address { true } else { false }
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Self.backlog)
            .socketLinkOptions(isTCP: isTCP)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptingHandler(clock: clock, report: report))
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let peer = channel.remoteAddress?.name ?? "unknown"
                    if proxies.usesProxyProtocol {
                        guard let address = channel.remoteAddress?.ipAddress, proxies.include(address) else {
                            let error = TransportError(.connectionLost, "\(peer) is not a trusted proxy.")
                            refused(FailedHandshake("PROXY protocol", peer: peer, error: error, isAbandoned: false))
                            throw error
                        }
                        try channel.pipeline.syncOperations.addHandler(ProxyHeaderHandler())
                    }
                    let material = tls?.material
                    let revocation = material?.revocationLists.map { RevocationCheck($0) }
                    let trust = tls.flatMap { tls in material.map { PeerTrust(tls, $0, revocation) } }
                    let link = SocketLinkHandler(
                        peer: peer, awaitsProxyHeader: proxies.usesProxyProtocol,
                        tls: material?.diagnosis(of: peer, revocation),
                        trust: trust,
                        webSocket: webSocket.map { .server($0, proxies) }, opened: nil, refused: refused,
                        makeOwner: accept)
                    if material != nil || webSocket != nil { try link.takeHandshake(from: handshakes) }
                    if let material, let trust {
                        if material.usesPreSharedKeys {
                            try channel.pipeline.syncOperations.addHandler(HandshakeWatch(trust))
                        }
                        try channel.pipeline.syncOperations.addHandler(
                            try NIOSSLServerHandler.checking(material.context, with: revocation))
                    }
                    try channel.pipeline.syncOperations.addHandler(link)
                }
            }
        switch address {
        case .host(let host, let port, let acceptsOnlyIPv6):
            var bootstrap = bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            if host == "::" {
                // On Linux the default is a setting of the machine.
                bootstrap = bootstrap.serverChannelOption(Self.ipv6Only, value: acceptsOnlyIPv6 ? 1 : 0)
            }
            do {
                let channel = try await bootstrap.bind(host: host, port: port).get()
                return Self(channel: channel, tls: tls, socketFile: nil, port: channel.localAddress?.port ?? port)
            } catch {
                throw TransportError(listeningOn: host, port: port, failedWith: error)
            }
        case .socketFile(let file):
            let channel = try await file.bind(bootstrap)
            return Self(channel: channel, tls: tls, socketFile: (file, file.identity), port: 0)
        }
    }

    /// Reloads the files of certificate, key, authorities and revocation lists, for future connections.
    ///
    /// - Throws: ``TransportError`` if they are not valid; then nothing changes.
    package func reloadCertificates() throws(TransportError) { try self.tls?.reload() }

    /// Warnings about certificates that have expired or will soon, are not valid yet, or do not permit what they are
    /// used for, and about revocation lists that are not current. Empty without TLS.
    package func certificateNotices() -> [String] { self.tls?.notices(at: ValidityPeriod.now) ?? [] }

    /// The maximum number of connections that wait to be accepted. After an outage, a whole fleet reconnects at once.
    private static let backlog: CInt = 4096

    private static let ipv6Only = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)

    /// Stops accepting. Existing links stay open.
    package func close() async {
        if let (file, identity) = self.socketFile { file.remove(identity) }
        // Closing fails only if the listener is already closed.
        try? await self.channel.close()
    }
}

extension TransportError {
    /// Whether listening failed because the machine has no IPv6.
    package var isIPv6Unavailable: Bool {
        guard self.code == .listeningFailed, let error = self.cause as? IOError else { return false }
        return [EAFNOSUPPORT, EADDRNOTAVAIL, EPROTONOSUPPORT].contains(error.errnoCode)
    }
}
