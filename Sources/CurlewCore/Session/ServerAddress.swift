/// A host that a server names in a Server Reference (MQTT 5.0 section 4.11).
package struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
    /// A host name or an IP address; an IPv6 address has no brackets.
    package var host: String
    /// `nil` if the reference contains no port: use the port of the connection that delivered it.
    package var port: UInt16?

    package init(host: String, port: UInt16? = nil) {
        self.host = host
        self.port = port
    }

    package var description: String { hostInURL(self.host, port: self.port.map(Int.init)) }

    /// More servers than a client tries in turn. The rest of a longer list is ignored.
    package static let maximumReferences = 4

    /// The servers of a Server Reference: `host`, `host:port`, `[IPv6]` or `[IPv6]:port`, separated by spaces.
    ///
    /// The text comes from a peer: entries of any other form are ignored, and so are repeated ones.
    package static func list(fromReference reference: String) -> [ServerAddress] {
        var list: [ServerAddress] = []
        for text in reference.utf8.split(separator: UInt8(ascii: " ")) {
            guard let address = Self(text), !list.contains(address) else { continue }
            list.append(address)
            if list.count == Self.maximumReferences { break }
        }
        return list
    }

    private init?(_ text: Substring.UTF8View) {
        var (host, rest) = (text, text.suffix(0))
        if text.first == UInt8(ascii: "[") {
            guard let end = text.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            rest = text[text.index(after: end)...]
            guard host.contains(UInt8(ascii: ":")) else { return nil }
        } else if let colon = text.firstIndex(of: UInt8(ascii: ":")), colon == text.lastIndex(of: UInt8(ascii: ":")) {
            (host, rest) = (text[..<colon], text[colon...])
        }
        guard !host.isEmpty, host.count <= 255, host.allSatisfy(Self.mayStandInHost), let name = String(host) else {
            return nil
        }
        self.host = name
        guard !rest.isEmpty else { return }
        guard rest.first == UInt8(ascii: ":"),
            rest.dropFirst().allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains),
            let digits = String(rest.dropFirst()), let port = UInt16(digits), port > 0
        else { return nil }
        self.port = port
    }

    /// The characters of host names, IP addresses and their zones, and no others: international names are in ASCII, too
    /// (RFC 5890), and other characters could deceive the reader of a log.
    private static func mayStandInHost(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "%"):
            true
        default: false
        }
    }
}
