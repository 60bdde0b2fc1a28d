package import NIOCore
package import NIOPosix

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
        let end = clock.now + self.timeout
        let plan = try await self.plan(for: endpoint, on: eventLoop, until: end)
        guard clock.now < end else { throw .timedOut(endpoint, self.timeout) }
        do throws(TransportError) {
            try await ConnectAttempt(plan, on: eventLoop, makeOwner: handler).run(within: end - clock.now)
        } catch {
            guard TLSDiagnosis.isLackOfSignatures(error), let second = await plan.withoutSignatures(), clock.now < end
            else { throw error }
            do throws(TransportError) {
                try await ConnectAttempt(second, on: eventLoop, makeOwner: handler).run(within: end - clock.now)
            } catch let failure {
                // If the peer cannot do without signatures either, the first error says more. If we object to the
                // peer's second answer, report that.
                let isNoNews = [.certificateUnsuitable, .tlsFailed, .tlsVersionMismatch].contains(failure.code)
                throw isNoNews && failure.cause != nil ? error : failure
            }
        }
    }
}

extension SocketConnector {
    /// Gathers what an attempt needs: reads changed files, asks for headers and resolves for a proxy.
    private func plan(
        for endpoint: Endpoint, on eventLoop: any EventLoop, until end: ContinuousClock.Instant
    ) async throws(TransportError) -> ConnectPlan {
        let tls = try await self.tlsContext(for: endpoint, on: eventLoop)
        let left = max(.zero, end - ContinuousClock().now)
        let webSocket = try await self.webSocket.request(to: endpoint, within: left, on: eventLoop)
        return ConnectPlan(
            endpoint: endpoint, proxy: try await self.proxyRequest(for: endpoint, on: eventLoop),
            tls: tls.map { ClientTLS($0) },
            webSocket: webSocket.map { ClientWebSocket(request: $0, settings: self.webSocket) },
            localAddress: self.localAddress, resolver: self.resolver, timeout: self.timeout)
    }

    private func tlsContext(
        for endpoint: Endpoint, on eventLoop: any EventLoop
    ) async throws(TransportError) -> TLSClientContext? {
        guard endpoint.security == .tls else { return nil }
        guard let files = self.tls else {
            throw .invalidConfiguration("\(endpoint) needs TLS, but there are no TLS settings.")
        }
        guard let context = await files.refreshed(within: self.timeout, on: eventLoop) else {
            throw .cancelled(endpoint)
        }
        try context.check(endpoint.host)
        try context.checkOwnCertificate(at: self.now())
        return context
    }

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
