import CurlewCore
import CurlewTransport
import NIOCore

/// What all connections of a client share: configuration, event loop, clock and deadlines.
struct ConnectionContext: Sendable {
    let configuration: MQTTConfiguration
    let clock: MonotonicClock
    let eventLoop: any EventLoop
    let executor: EventLoopExecutor
    let deadlines: Deadlines

    init(_ configuration: MQTTConfiguration) {
        self.configuration = configuration
        self.clock = configuration.clock
        self.eventLoop = EventLoops.shared.next()
        self.executor = EventLoopExecutor(self.eventLoop)
        self.deadlines = Deadlines(clock: self.clock, executor: self.executor)
    }

    func endpoint(of server: ServerList.Server) -> Endpoint {
        let configured = self.configuration.servers[min(server.index, self.configuration.servers.count - 1)]
        if configured.scheme == .unix, server.address == nil { return Endpoint(socketFile: configured.path) }
        return Endpoint(
            host: server.address?.host ?? configured.host,
            port: server.address?.port.map(Int.init) ?? configured.port,
            security: configured.scheme.isSecure ? .tls : .plain,
            webSocket: configured.scheme.isWebSocket ? configured.target : nil)
    }
}
