import CurlewCore

/// The address of a peer, and how to reach it.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    package enum Security: Hashable, Sendable {
        case plain
        case tls
    }

    package enum Address: Hashable, Sendable {
        /// A host name or an IP address; an IPv6 address has no brackets.
        case host(String, port: Int)
        /// A Unix domain socket, by its path.
        case socketFile(String)
    }

    package var address: Address
    package var security: Security
    /// The path and query of a WebSocket; `nil` if the bytes travel without one.
    package var webSocket: String?

    package init(host: String, port: Int, security: Security = .plain, webSocket: String? = nil) {
        self.address = .host(host, port: port)
        self.security = security
        self.webSocket = webSocket
    }

    package init(socketFile path: String) {
        self.address = .socketFile(path)
        self.security = .plain
    }

    /// The host; `localhost` for a Unix domain socket.
    package var host: String { if case .host(let host, _) = self.address { host } else { "localhost" } }

    /// The port; `nil` for a Unix domain socket.
    package var port: Int? { if case .host(_, let port) = self.address { port } else { nil } }

    /// `host:port`, as in a URL, or the path of a Unix domain socket.
    package var description: String {
        switch self.address {
        case .host(let host, let port): hostInURL(host, port: port)
        case .socketFile(let path): path
        }
    }
}
