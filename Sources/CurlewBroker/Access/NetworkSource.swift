/// The origin of a connection, for fairness: an IPv4 address, or the IPv6 network (64 bits) of one subscriber.
struct NetworkSource: Hashable, Sendable, CustomStringConvertible {
    let description: String

    /// - Parameter peer: `host:port`, an IPv6 address in brackets.
    init(peer: String) {
        if peer.utf8.first == UInt8(ascii: "[") {
            let host = peer.dropFirst().prefix { $0 != "]" }
            // An IPv4 address in IPv6 notation counts as an IPv4 address.
            self.description = host.contains(".") ? String(host) : Self.network(of: host)
        } else if let colon = peer.lastIndex(of: ":") {
            self.description = String(peer[..<colon])
        } else {
            self.description = peer
        }
    }

    /// The first four groups of an IPv6 address.
    private static func network(of address: Substring) -> String {
        let groups = address.prefix { $0 != "%" }.split(separator: ":", omittingEmptySubsequences: false)
        guard let gap = groups.dropFirst().firstIndex(where: \.isEmpty) else {
            return groups.prefix(4).joined(separator: ":")
        }
        let (head, tail) = (groups[..<gap].filter { !$0.isEmpty }, groups[gap...].filter { !$0.isEmpty })
        let zeros = Array(repeating: Substring("0"), count: max(0, 8 - head.count - tail.count))
        return (head + zeros + tail).prefix(4).joined(separator: ":")
    }
}
