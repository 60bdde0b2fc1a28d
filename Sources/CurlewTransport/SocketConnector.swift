package import NIOCore
package import NIOPosix
import NIOSSL

/// Connects over TCP, to whichever of IPv4 and IPv6 answers first, or over a Unix domain socket; with or without TLS
/// and WebSocket.
package struct SocketConnector: Connector {
    private let timeout: Duration
    private let tls: TLSClientFiles?
    private let webSocket: WebSocketSettings
    private let proxy: ProxySettings?
    private let localAddress: SocketAddress?
    private let resolver: (any Resolver & Sendable)?
    private let now: @Sendable () -> Int

    /// Creates a connector. Reads the files that the settings name, which blocks: do not call it on an event loop.
    ///
    /// - Parameters:
    ///   - timeout: How long an attempt may take, including name resolution and TLS handshake. Default: 10 seconds.
    ///   - tls: Needed for endpoints with TLS. Default: `nil`.
    ///   - webSocket: For endpoints with a WebSocket. Default: nothing beyond the handshake.
    ///   - proxy: The proxy to connect through. Default: none.
    ///   - localAddress: The local address or host name to connect from; resolved immediately. Default: `nil`, any.
    ///   - resolver: Resolves host names for one connection at a time. Default: `nil`, the system.
    ///   - now: The current time in seconds since 1970, to compare with the client certificate.
    ///   - report: Called when files of TLS have changed and cannot be used, on any thread. The former ones stay.
    package init(
        timeout: Duration = .seconds(10), tls: TLSSettings? = nil, webSocket: WebSocketSettings = WebSocketSettings(),
        proxy: ProxySettings? = nil, localAddress: String? = nil, resolver: (any Resolver & Sendable)? = nil,
        now: @escaping @Sendable () -> Int = { ValidityPeriod.now },
        report: @escaping @Sendable (TransportError) -> Void = { _ in }
    ) throws(TransportError) {
        try proxy?.validate()
        self.proxy = proxy
        self.timeout = timeout
        self.webSocket = webSocket
        do {
            self.localAddress = try localAddress.map { try .makeAddressResolvingHost($0, port: 0) }
        } catch {
            throw .invalidConfiguration(
                "\(localAddress ?? "") is not an address of this machine; give one to connect from.",
                cause: error)
        }
        self.resolver = resolver
        self.now = now
        self.tls = if let tls { try TLSClientFiles(tls, report: report) } else { nil }
    }

    package func connect(
        to endpoint: Endpoint, on eventLoop: any EventLoop,
        handler: @escaping @Sendable (any Link) -> any LinkHandler
    ) async throws(TransportError) {
        try endpoint.validate()
        let clock = ContinuousClock()
        let start = clock.now
        let tls: TLSClientContext?
        switch endpoint.security {
        case .plain:
            tls = nil
        case .tls:
            guard let files = self.tls else {
                throw .invalidConfiguration("\(endpoint) needs TLS, but there are no TLS settings.")
            }
            guard let context = await files.refreshed(within: self.timeout, on: eventLoop) else {
                throw .cancelled(endpoint)
            }
            try context.check(endpoint.host)
            try context.checkOwnCertificate(at: self.now())
            tls = context
        }
        let left = max(.zero, self.timeout - (clock.now - start))
        let webSocket = try await self.webSocket.request(to: endpoint, within: left, on: eventLoop)
            .map { ClientWebSocket(request: $0, settings: self.webSocket) }
        let proxy = try await self.proxyRequest(for: endpoint, on: eventLoop)
        let rest = self.timeout - (clock.now - start)
        guard rest > .zero else { throw .timedOut(endpoint, self.timeout) }
        let attempt = ConnectAttempt(
            endpoint: endpoint, proxy: proxy, tls: tls.map { ClientTLS($0) }, webSocket: webSocket,
            timeout: self.timeout, rest: rest,
            localAddress: self.localAddress, resolver: self.resolver, eventLoop: eventLoop, makeOwner: handler)
        do throws(TransportError) {
            try await attempt.run()
        } catch {
            guard TLSDiagnosis.isLackOfSignatures(error), let tls, let context = await tls.makeKeyTransportContext()
            else { throw error }
            let rest = self.timeout - (clock.now - start)
            guard rest > .zero else { throw error }
            let second = ConnectAttempt(
                endpoint: endpoint, proxy: proxy, tls: ClientTLS(tls, keyTransport: context), webSocket: webSocket,
                timeout: self.timeout,
                rest: rest, localAddress: self.localAddress, resolver: self.resolver, eventLoop: eventLoop,
                makeOwner: handler)
            do throws(TransportError) { try await second.run() } catch let failure {
                // If the peer cannot do without signatures either, the first error says more. If we object to the
                // peer's second answer, report that.
                let isNoNews = [.certificateUnsuitable, .tlsFailed, .tlsVersionMismatch].contains(failure.code)
                throw isNoNews && failure.cause != nil ? error : failure
            }
        }
    }
}

extension SocketConnector {
    /// What a proxy is asked for; `nil` if the endpoint is reached without one.
    private func proxyRequest(
        for endpoint: Endpoint, on eventLoop: any EventLoop
    ) async throws(TransportError) -> ProxyHandshake.Request? {
        guard let proxy = self.proxy, let port = endpoint.port, !proxy.isException(endpoint.host) else { return nil }
        if let address = AddressRange.bytes(of: endpoint.host) {
            return ProxyHandshake.Request(proxy: proxy, endpoint: endpoint, destination: .address(address))
        }
        guard proxy.kind == .socks5 else {
            guard endpoint.host.utf8.count <= 255 else {
                throw .invalidConfiguration(
                    "The host name \(endpoint.host) is longer than 255 bytes, the maximum for a proxy.")
            }
            return ProxyHandshake.Request(proxy: proxy, endpoint: endpoint, destination: .name(endpoint.host))
        }
        // The system's resolver knows no time limit.
        let resolved = OneShot<SocketAddress?>()
        let pool = NIOThreadPool.singleton
        pool.submit { _ in resolved.set(try? SocketAddress.makeAddressResolvingHost(endpoint.host, port: port)) }
        let deadline = eventLoop.scheduleTask(in: TimeAmount(self.timeout)) { resolved.set(nil) }
        defer { deadline.cancel() }
        guard let address = await resolved.wait() else { throw .cancelled(endpoint) }
        guard let text = address?.ipAddress, let bytes = AddressRange.bytes(of: text) else {
            throw TransportError(
                .hostNotFound,
                "The host name \(endpoint.host) could not be resolved; check its spelling, or let the proxy resolve it with "
                    + "socks5h://.")
        }
        return ProxyHandshake.Request(proxy: proxy, endpoint: endpoint, destination: .address(bytes))
    }
}

/// The WebSocket of one attempt to connect.
private struct ClientWebSocket: Sendable {
    let request: WebSocketSettings.Request
    let settings: WebSocketSettings
}

extension Endpoint {
    fileprivate func validate() throws(TransportError) {
        switch self.address {
        case .host(let host, let port):
            guard (1...65_535).contains(port), !host.isEmpty, !host.utf8.contains(0) else {
                throw .invalidConfiguration("\(self) is not a host and a port from 1 to 65535.")
            }
        case .socketFile(let path):
            guard !path.isEmpty, !path.utf8.contains(0) else {
                throw .invalidConfiguration("The path of a Unix domain socket must not be empty.")
            }
        }
    }
}

/// TLS for one attempt to connect.
private struct ClientTLS: Sendable {
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
}

/// One attempt to connect: ends with success, failure, timeout or cancellation, whichever is first.
private final class ConnectAttempt: Sendable {
    private struct State {
        var isOver = false
        /// All channels of the attempt. Closing those that are already closed does no harm.
        var channels: [any Channel] = []
        var deadline: Scheduled<Void>?
        /// Whether a connection exists, so that only an answer is missing.
        var isConnected = false
    }

    private let endpoint: Endpoint
    private let proxy: ProxyHandshake.Request?
    private let tls: ClientTLS?
    private let webSocket: ClientWebSocket?
    /// For error messages.
    private let timeout: Duration
    /// What is left of the timeout.
    private let rest: Duration
    private let localAddress: SocketAddress?
    private let resolver: (any Resolver & Sendable)?
    private let eventLoop: any EventLoop
    private let makeOwner: @Sendable (any Link) -> any LinkHandler
    private let result: EventLoopPromise<Void>
    private let state: NIOLoopBoundBox<State>

    init(
        endpoint: Endpoint, proxy: ProxyHandshake.Request?, tls: ClientTLS?, webSocket: ClientWebSocket?,
        timeout: Duration, rest: Duration,
        localAddress: SocketAddress?, resolver: (any Resolver & Sendable)?, eventLoop: any EventLoop,
        makeOwner: @escaping @Sendable (any Link) -> any LinkHandler
    ) {
        self.endpoint = endpoint
        self.proxy = proxy
        self.tls = tls
        self.webSocket = webSocket
        self.timeout = timeout
        self.rest = rest
        self.localAddress = localAddress
        self.resolver = resolver
        self.eventLoop = eventLoop
        self.makeOwner = makeOwner
        self.result = eventLoop.makePromise()
        self.state = .makeBoxSendingValue(State(), eventLoop: eventLoop)
    }

    func run() async throws(TransportError) {
        do {
            try await withTaskCancellationHandler {
                self.eventLoop.execute { self.start() }
                try await self.result.futureResult.get()
            } onCancel: {
                self.eventLoop.execute { self.end(.failure(.cancelled(self.endpoint))) }
            }
        } catch {
            throw TransportError(connectingTo: self.endpoint, failedWith: error, timeout: self.timeout)
        }
    }

    private func start() {
        // Cancelled before it started.
        guard !self.state.value.isOver else { return }
        let timeout = TimeAmount(self.rest)
        self.state.value.deadline = self.eventLoop.scheduleTask(in: timeout) {
            self.end(.failure(self.timedOut))
        }
        var bootstrap = ClientBootstrap(group: self.eventLoop)
        let isTCP = self.target.port != nil
        if let localAddress, isTCP { bootstrap = bootstrap.bind(to: localAddress) }
        bootstrap =
            bootstrap
            .connectTimeout(timeout)
            .resolver(self.resolver)
            .socketLinkOptions(isTCP: isTCP)
            // Until the handlers are installed.
            .channelOption(.autoRead, value: false)
            .channelInitializer { channel in
                guard !self.state.value.isOver else { return channel.eventLoop.makeFailedFuture(ChannelError.eof) }
                self.state.value.channels.append(channel)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
        self.connect(bootstrap).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.connected(channel)
            case .failure(let error): self.end(.failure(self.explainConnecting(error)))
            }
        }
    }

    private func connect(_ bootstrap: ClientBootstrap) -> EventLoopFuture<any Channel> {
        switch self.target.address {
        case .socketFile(let path): return bootstrap.connect(unixDomainSocketPath: path)
        case .host(let host, let port):
            // A numeric address needs no resolver and none of its threads.
            if let address = try? SocketAddress(ipAddress: host, port: port) { return bootstrap.connect(to: address) }
            return bootstrap.connect(host: host, port: port)
        }
    }

    private var timedOut: TransportError {
        if let proxy = self.proxy?.proxy, !self.state.value.isConnected {
            return TransportError(
                .timedOut,
                "The proxy \(proxy.address) did not connect to \(self.endpoint) within \(self.timeout); check the proxy, and "
                    + "that it can reach the broker."
            )
        }
        guard self.state.value.isConnected, self.webSocket != nil else { return .timedOut(self.endpoint, self.timeout) }
        return TransportError(
            .timedOut,
            "\(self.endpoint) did not answer the \(self.tls == nil ? "WebSocket handshake" : "handshakes of TLS and WebSocket") within \(self.timeout); check that this is its port for WebSocket."
        )
    }

    /// What the socket connects to.
    private var target: Endpoint {
        self.proxy.map { Endpoint(host: $0.proxy.host, port: $0.proxy.port) } ?? self.endpoint
    }

    private func connected(_ channel: any Channel) {
        guard !self.state.value.isOver else { return channel.close(promise: nil) }
        guard let proxy = self.proxy else { return self.open(channel) }
        ProxyHandshake.begin(proxy, on: channel).assumeIsolated().whenComplete { result in
            switch result {
            case .success: self.open(channel)
            case .failure(let error): self.end(.failure(self.explain(error)))
            }
        }
        // Setting an option fails only if the channel is closed.
        try? channel.syncOptions?.setOption(.autoRead, value: true)
    }

    private func open(_ channel: any Channel) {
        guard !self.state.value.isOver else { return channel.close(promise: nil) }
        self.state.value.isConnected = true
        let opened = self.eventLoop.makePromise(of: Void.self)
        opened.futureResult.assumeIsolated().whenComplete { self.end($0.mapError { self.explain($0) }) }
        let revocation = self.tls?.tls.revocationLists.map { RevocationCheck($0) }
        let link = SocketLinkHandler(
            peer: "\(self.endpoint)", tls: self.tls?.diagnosis(for: self.endpoint, revocation),
            webSocket: self.webSocket.map { .client(self.endpoint, $0.request, $0.settings) }, opened: opened,
            makeOwner: self.makeOwner)
        do {
            try channel.syncOptions?.setOption(.autoRead, value: true)
            try channel.pipeline.syncOperations.addHandler(link)
            if let tls = self.tls {
                try channel.pipeline.syncOperations.addHandler(
                    try tls.tls.makeHandler(for: self.endpoint.host, tls.context, revocation), position: .first)
            }
        } catch {
            opened.fail(error)
        }
    }

    private func end(_ result: Result<Void, TransportError>) {
        guard !self.state.value.isOver else { return }
        self.state.value.isOver = true
        self.state.value.deadline?.cancel()
        if case .failure = result {
            for channel in self.state.value.channels { channel.close(promise: nil) }
        }
        self.state.value.channels = []
        self.result.completeWith(result.mapError { $0 })
    }

    /// Tells failures of the proxy apart from those of the server.
    private func explainConnecting(_ error: any Error) -> TransportError {
        guard let proxy = self.proxy?.proxy else { return self.explain(error) }
        let failure = TransportError(connectingTo: self.target, failedWith: error, timeout: self.timeout)
        let message =
            switch failure.code {
            case .outOfResources: failure.message
            case .connectionRefused:
                "The proxy \(proxy.address) refused the connection; check that it is running, and its port."
            case .hostNotFound:
                "The host name of the proxy, \(proxy.host), could not be resolved; check its spelling and the network."
            case .timedOut: "The proxy \(proxy.address) did not answer; check host, port and firewall."
            default: "There is no connection to the proxy \(proxy.address); check the network and the address."
            }
        return TransportError(failure.code == .outOfResources ? failure.code : .proxyFailed, message, cause: error)
    }

    private func explain(_ error: any Error) -> TransportError {
        TransportError(connectingTo: self.endpoint, failedWith: error, timeout: self.timeout)
    }
}

extension ClientTLS {
    fileprivate func diagnosis(for endpoint: Endpoint, _ revocation: RevocationCheck?) -> TLSDiagnosis {
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
