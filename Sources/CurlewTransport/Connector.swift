package import NIOCore

/// The address of a peer, and whether the connection is encrypted.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    package enum Security: Hashable, Sendable {
        case plain
        case tls
    }

    /// A host name or an IP address; an IPv6 address has no brackets.
    package var host: String
    package var port: Int
    package var security: Security

    package init(host: String, port: Int, security: Security = .plain) {
        self.host = host
        self.port = port
        self.security = security
    }

    /// `host:port`, as in a URL.
    package var description: String {
        self.host.utf8.contains(UInt8(ascii: ":")) ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }
}

/// Creates links.
package protocol Connector: Sendable {
    /// Connects to `endpoint`.
    ///
    /// Cancelling the task ends the attempt. The connector limits its time.
    ///
    /// - Parameter handler: Creates the owner of the link. Called on `eventLoop` when the link is open (connected, and
    ///   with TLS verified), before any byte is read. Not called if the attempt fails.
    func connect(
        to endpoint: Endpoint, on eventLoop: any EventLoop,
        handler: @escaping @Sendable (any Link) -> any LinkHandler
    ) async throws(TransportError)
}
