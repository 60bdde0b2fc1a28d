/// Which of several servers to connect to: in the order of the configuration, one after the other, round and round; and
/// where a server sent the client instead (MQTT 5.0 section 4.11). Lives as long as the client.
package struct ServerList: Sendable {
    /// A server to connect to. What a redirection does not say (security, path, port) is that of the configured server.
    package struct Server: Hashable, Sendable {
        /// The place in the list that the user configured.
        package var index: Int
        /// Where that server, or one it named, sent the client; `nil` if nowhere.
        package var address: ServerAddress?

        package init(index: Int, address: ServerAddress? = nil) {
            self.index = index
            self.address = address
        }
    }

    /// After a server failed.
    package enum AfterFailure: Hashable, Sendable {
        /// ``current`` is a server that was not yet tried in this round.
        case tryNext
        /// All were tried: wait before ``current`` is tried in the next round.
        case roundIsOver
    }

    /// The configured servers, or those that took the place of one for good.
    private var servers: [Server]
    private var position = 0
    /// Servers to use instead for the time being, the next first. Empty for none.
    private var detour: ArraySlice<Server> = []
    /// How many of `servers` failed in this round.
    private var failed = 0

    /// - Parameter count: how many servers are configured, at least one.
    package init(count: Int) {
        assert(count > 0, "there must be a server")
        self.servers = (0..<max(1, count)).map { Server(index: $0) }
    }

    /// The server to connect to, or to which the client is connected.
    package var current: Server { self.detour.first ?? self.servers[self.position] }

    /// The current server could not be reached, or did not want the client.
    package mutating func currentFailed() -> AfterFailure {
        if self.detour.popFirst() != nil, !self.detour.isEmpty { return .tryNext }
        self.position = (self.position + 1) % self.servers.count
        self.failed += 1
        guard self.failed >= self.servers.count else { return .tryNext }
        self.failed = 0
        return .roundIsOver
    }

    /// The current server proved good, or a delay has passed: all deserve a try again.
    package mutating func startRound() { self.failed = 0 }

    /// The current server said 0x9C: use these for now. When all of them have failed, the configured servers have their
    /// turn.
    package mutating func useInstead(_ addresses: [ServerAddress]) {
        let index = self.current.index
        self.detour = addresses.map { Server(index: index, address: $0) }[...]
    }

    /// The current server said 0x9D: these take the place of the configured server, for as long as the client lives.
    package mutating func replaceCurrent(by addresses: [ServerAddress]) {
        guard !addresses.isEmpty else { return }
        let index = self.current.index
        self.servers.removeAll { $0.index == index }
        let place = self.servers.count { $0.index < index }
        self.servers.insert(contentsOf: addresses.map { Server(index: index, address: $0) }, at: place)
        self.position = place
        self.detour = []
        self.failed = 0
    }
}
