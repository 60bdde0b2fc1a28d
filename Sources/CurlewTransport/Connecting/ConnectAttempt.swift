import NIOCore
import NIOPosix

/// One attempt to connect: ends with success, failure, timeout or cancellation, whichever is first.
final class ConnectAttempt: Sendable {
    private struct State {
        var phases: ConnectPhases
        /// All channels of the attempt. Closing those that are already closed does no harm.
        var channels: [any Channel] = []
        var deadline: Scheduled<Void>?
    }

    private let plan: ConnectPlan
    private let eventLoop: any EventLoop
    private let makeOwner: @Sendable (any Link) -> any LinkHandler
    private let result: EventLoopPromise<Void>
    private let state: NIOLoopBoundBox<State>

    init(
        _ plan: ConnectPlan, on eventLoop: any EventLoop,
        makeOwner: @escaping @Sendable (any Link) -> any LinkHandler
    ) {
        self.plan = plan
        self.eventLoop = eventLoop
        self.makeOwner = makeOwner
        self.result = eventLoop.makePromise()
        let state = State(phases: ConnectPhases(usesProxy: plan.proxy != nil))
        self.state = .makeBoxSendingValue(state, eventLoop: eventLoop)
    }

    /// - Parameter limit: How long the attempt may take.
    func run(within limit: Duration) async throws(TransportError) {
        do {
            try await withTaskCancellationHandler {
                self.eventLoop.execute { self.start(within: TimeAmount(limit)) }
                try await self.result.futureResult.get()
            } onCancel: {
                self.eventLoop.execute { self.end(.failure(.cancelled(self.plan.endpoint))) }
            }
        } catch {
            throw self.plan.openingFailed(error)
        }
    }

    private func start(within limit: TimeAmount) {
        guard self.state.value.phases.started() else { return }
        self.state.value.deadline = self.eventLoop.scheduleTask(in: limit) {
            self.end(.failure(self.plan.timedOut(while: self.state.value.phases.phase)))
        }
        self.connect(self.bootstrap(limit)).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.connected(channel)
            case .failure(let error): self.end(.failure(self.plan.connectingFailed(error)))
            }
        }
    }

    private func bootstrap(_ limit: TimeAmount) -> ClientBootstrap {
        let isTCP = self.plan.target.port != nil
        var bootstrap = ClientBootstrap(group: self.eventLoop)
        if let localAddress = self.plan.localAddress, isTCP { bootstrap = bootstrap.bind(to: localAddress) }
        return
            bootstrap
            .connectTimeout(limit)
            .resolver(self.plan.resolver)
            .socketLinkOptions(isTCP: isTCP)
            // Until the handlers are installed.
            .channelOption(.autoRead, value: false)
            .channelInitializer { channel in
                guard self.state.value.phases.phase == .connecting else {
                    return channel.eventLoop.makeFailedFuture(ChannelError.eof)
                }
                self.state.value.channels.append(channel)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
    }

    private func connect(_ bootstrap: ClientBootstrap) -> EventLoopFuture<any Channel> {
        switch self.plan.target.address {
        case .socketFile(let path): return bootstrap.connect(unixDomainSocketPath: path)
        case .host(let host, let port):
            // A numeric address needs no resolver and none of its threads.
            if let address = try? SocketAddress(ipAddress: host, port: port) { return bootstrap.connect(to: address) }
            return bootstrap.connect(host: host, port: port)
        }
    }

    private func connected(_ channel: any Channel) {
        switch self.state.value.phases.connected() {
        case .askProxy: self.askProxy(channel)
        case .open: self.open(channel)
        case .close: channel.close(promise: nil)
        }
    }

    private func askProxy(_ channel: any Channel) {
        guard let proxy = self.plan.proxy else { return }
        ProxyHandshake.begin(proxy, on: channel).assumeIsolated().whenComplete { result in
            switch result {
            case .success where self.state.value.phases.proxyConnected(): self.open(channel)
            case .success: channel.close(promise: nil)
            case .failure(let error): self.end(.failure(self.plan.openingFailed(error)))
            }
        }
        // Setting an option fails only if the channel is closed.
        try? channel.syncOptions?.setOption(.autoRead, value: true)
    }

    private func open(_ channel: any Channel) {
        let opened = self.eventLoop.makePromise(of: Void.self)
        opened.futureResult.assumeIsolated().whenComplete { self.end($0.mapError { self.plan.openingFailed($0) }) }
        let revocation = self.plan.tls?.tls.revocationLists.map { RevocationCheck($0) }
        do {
            try channel.syncOptions?.setOption(.autoRead, value: true)
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(self.plan.makeLinkHandler(opened, revocation, makeOwner: self.makeOwner))
            if let tls = self.plan.tls {
                try pipeline.addHandler(
                    try tls.tls.makeHandler(for: self.plan.endpoint.host, tls.context, revocation), position: .first)
            }
        } catch {
            opened.fail(error)
        }
    }

    private func end(_ result: Result<Void, TransportError>) {
        guard self.state.value.phases.ended() else { return }
        self.state.value.deadline?.cancel()
        if case .failure = result {
            for channel in self.state.value.channels { channel.close(promise: nil) }
        }
        self.state.value.channels = []
        self.result.completeWith(result.mapError { $0 })
    }
}
