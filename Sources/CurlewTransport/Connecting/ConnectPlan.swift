import NIOCore
import NIOPosix
import NIOSSL

/// What an attempt to connect needs: where to, and how.
struct ConnectPlan: Sendable {
    let endpoint: Endpoint
    /// What a proxy is asked for; `nil` for a direct connection.
    let proxy: ProxyHandshake.Request?
    /// `nil` for no TLS.
    var tls: ClientTLS?
    /// `nil` for no WebSocket.
    let webSocket: ClientWebSocket?
    /// The address of this machine to connect from; `nil` for any.
    let localAddress: SocketAddress?
    /// Resolves host names; `nil` for the system.
    let resolver: (any Resolver & Sendable)?
    /// How long connecting may take in all, for error messages.
    let timeout: Duration

    /// What the socket connects to.
    var target: Endpoint {
        self.proxy.map { Endpoint(host: $0.proxy.host, port: $0.proxy.port) } ?? self.endpoint
    }

    /// The plan of a second attempt, for a peer whose certificate permits no signatures; `nil` if there can be none.
    func withoutSignatures() async -> ConnectPlan? {
        guard let tls = self.tls?.tls, let context = await tls.makeKeyTransportContext() else { return nil }
        var plan = self
        plan.tls = ClientTLS(tls, keyTransport: context)
        return plan
    }

    /// The handler of the link for the connected channel.
    func makeLinkHandler(
        _ opened: EventLoopPromise<Void>, _ revocation: RevocationCheck?,
        makeOwner: @escaping @Sendable (any Link) -> any LinkHandler
    ) -> SocketLinkHandler {
        SocketLinkHandler(
            peer: "\(self.endpoint)", tls: self.tls?.diagnosis(for: self.endpoint, revocation),
            webSocket: self.webSocket.map { .client(self.endpoint, $0.request, $0.settings) }, opened: opened,
            makeOwner: makeOwner)
    }
}

/// The WebSocket of one attempt to connect.
struct ClientWebSocket: Sendable {
    let request: WebSocketSettings.Request
    let settings: WebSocketSettings
}

/// TLS for one attempt to connect.
struct ClientTLS: Sendable {
    let tls: TLSClientContext
    let context: NIOSSLContext
    /// Whether the peer's certificate must be one that permits no signatures.
    ///
    /// An attacker on the network path can answer the first attempt with a forged certificate of that kind, before it
    /// is verified. The second attempt verifies the peer's real certificate: if that permits signatures, somebody wants
    /// us to give up forward secrecy.
    let expectsNoSignatures: Bool

    init(_ tls: TLSClientContext) {
        self.tls = tls
        self.context = tls.context
        self.expectsNoSignatures = false
    }

    init(_ tls: TLSClientContext, keyTransport context: NIOSSLContext) {
        self.tls = tls
        self.context = context
        self.expectsNoSignatures = true
    }

    func diagnosis(for endpoint: Endpoint, _ revocation: RevocationCheck?) -> TLSDiagnosis {
        let settings = self.tls.settings
        return TLSDiagnosis(
            peer: "\(endpoint)",
            side: .client(
                TLSDiagnosis.ClientSide(
                    host: settings.serverName ?? endpoint.host,
                    verifiesHostName: settings.verification == .full && settings.preSharedKey == nil,
                    ownCertificate: self.tls.ownCertificate, hasPreSharedKey: settings.preSharedKey != nil,
                    minimumVersion: settings.minimumVersion, applicationProtocols: settings.applicationProtocols,
                    authorities: self.tls.authorities,
                    expectsNoSignatures: self.expectsNoSignatures)),
            revocation: revocation)
    }
}
