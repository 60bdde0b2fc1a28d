import CurlewCore
import NIOCore

extension SocketAddress {
    /// Whether it is a loopback address or a Unix domain socket.
    var isLocal: Bool {
        switch self {
        case .v4: return self.ipAddress?.hasPrefix("127.") ?? false
        case .v6:
            guard let address = self.ipAddress else { return false }
            return address == "::1" || address.lowercased().hasPrefix("::ffff:127.")
        case .unixDomainSocket: return true
        }
    }

    /// `host:port`, an IPv6 address in brackets, or `unix`.
    var name: String {
        switch self {
        // A client may choose the path of its own end.
        case .unixDomainSocket: return "unix"
        case .v4, .v6:
            guard let address = self.ipAddress, let port = self.port else { return "\(self)" }
            return hostInURL(address, port: port)
        }
    }
}
