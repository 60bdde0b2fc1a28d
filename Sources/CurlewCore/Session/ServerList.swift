/// Selects the server to connect to: the configured servers in their order, repeatedly, or those to which a server
/// redirected the client (MQTT 5.0 section 4.11). Lives as long as the client.
package struct ServerList: Sendable {
    /// A server to connect to. A redirection inherits from the configured server what it does not specify (security,
    /// path, port).
    package struct Server: Hashable, Sendable {
        /// The index in the configured list.
        package var index: Int
        /// Where that server redirected the client, directly or indirectly; `nil` if it did not.
        package var address: ServerAddress?

        package init(index: Int, address: ServerAddress? = nil) {
            self.index = index
            self.address = address
        }
    }

    /// The next step after a server failed.
    package enum AfterFailure: Hashable, Sendable {
        /// ``current`` has not been tried in this round.
        case tryNext
        /// All were tried: wait before trying ``current`` in the next round.
        case roundIsOver
    }

    /// The configured servers, or those that replaced them permanently.
    private var servers: [Server]
    private var position = 0
    /// Servers to use temporarily instead, the next one first. Empty for none.
    private var detour: ArraySlice<Server> = []
    /// The number of `servers` that failed in this round.
    private var failed = 0

    /// - Parameter count: The number of configured servers, at least one.
    package init(count: Int) {
        assert(count > 0, "there must be a server")
        self.servers = (0..<max(1, count)).map { Server(index: $0) }
    }

    /// The server to connect to, or the one that the client is connected to.
    package var current: Server { self.detour.first ?? self.servers[self.position] }

    /// The current server could not be reached, or refused the client.
    package mutating func currentFailed() -> AfterFailure {
        if self.detour.popFirst() != nil, !self.detour.isEmpty { return .tryNext }
        self.position = (self.position + 1) % self.servers.count
        self.failed += 1
        guard self.failed >= self.servers.count else { return .tryNext }
        self.failed = 0
        return .roundIsOver
    }

    /// The connection to the current server was stable, or a delay has passed: a new round begins.
    package mutating func startRound() { self.failed = 0 }

    /// The current server sent 0x9C: use these servers for now. When all of them have failed, the configured servers
    /// follow.
    package mutating func useInstead(_ addresses: [ServerAddress]) {
        let index = self.current.index
        self.detour = addresses.map { Server(index: index, address: $0) }[...]
    }

    /// The current server sent 0x9D: these replace the configured server for the life of the client.
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
