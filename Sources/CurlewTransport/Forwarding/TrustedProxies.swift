import CurlewCore

/// The proxies in front of a listener that state the addresses of their clients.
package struct TrustedProxies: Sendable, Hashable {
    /// Their addresses. What others state is ignored, because anyone could state anything.
    package var ranges: [AddressRange]
    /// Whether every connection begins with a header of the PROXY protocol; only trusted proxies may connect then.
    package var usesProxyProtocol: Bool

    package init(ranges: [AddressRange] = [], usesProxyProtocol: Bool = false) {
        self.ranges = ranges
        self.usesProxyProtocol = usesProxyProtocol
    }

    /// Whether an address is that of a trusted proxy.
    func include(_ address: String) -> Bool {
        guard let bytes = AddressRange.bytes(of: address) else { return false }
        return self.ranges.contains { $0.contains(bytes) }
    }

    /// The client's address according to `X-Forwarded-For`: the last one that no trusted proxy has; `nil` if there is
    /// none.
    ///
    /// Each proxy appends the address that it was connected from, so only the entries of trusted proxies can be
    /// believed.
    func client(forwardedFor fields: [String], by proxy: String) -> String? {
        guard self.include(proxy) else { return nil }
        let addresses = fields.flatMap { $0.split(separator: ",") }.map { Self.address($0) }
        for address in addresses.reversed() {
            guard let bytes = AddressRange.bytes(of: address), let text = AddressRange.text(of: bytes) else {
                return nil
            }
            if !self.include(address) { return text }
        }
        return nil
    }

    /// An address without port, brackets and spaces.
    private static func address(_ entry: Substring) -> String {
        let entry = entry.filter { $0 != " " && $0 != "\t" }
        if entry.hasPrefix("[") { return String(entry.dropFirst().prefix { $0 != "]" }) }
        return entry.split(separator: ":").count == 2 ? String(entry.prefix { $0 != ":" }) : entry
    }
}

/// The address of the client behind a proxy.
struct ForwardedClient: Sendable, Equatable {
    let address: String
    /// As in ``Link/peer``.
    let peer: String
    /// Whether it is this machine.
    let isLocal: Bool

    init(address: String, port: Int? = nil) {
        let bytes = AddressRange.bytes(of: address) ?? []
        self.address = address
        self.isLocal = bytes.count == 4 ? bytes[0] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
        self.peer = hostInURL(address, port: port)
    }
}
