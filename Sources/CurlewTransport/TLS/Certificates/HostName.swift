import NIOCore
import NIOSSL

/// Host names in TLS.
enum HostName {
    static func isAddress(_ host: String) -> Bool {
        // Host names contain no colon. IPv6 addresses do, also those with a zone, which `SocketAddress` does not
        // accept.
        host.utf8.contains(UInt8(ascii: ":")) || (try? SocketAddress(ipAddress: host, port: 0)) != nil
    }

    /// Whether TLS can send the name and verify a certificate against it.
    static func isUsable(_ name: String) -> Bool {
        !Self.isAddress(name) && (1...255).contains(name.utf8.count) && name.utf8.allSatisfy(\.isHostNameCharacter)
    }

    /// "example.org." and "example.org" are the same host, but certificates contain only the latter.
    static func withoutRootDot(_ name: String) -> String {
        name.utf8.last == UInt8(ascii: ".") ? String(name.dropLast()) : name
    }

    /// Whether a name in a certificate, which may begin with a wildcard label, matches `host` (RFC 6125 section 6.4.3).
    static func matches(_ pattern: String, host: String) -> Bool {
        let pattern = Self.withoutRootDot(pattern.lowercased())
        let host = Self.withoutRootDot(host.lowercased())
        guard pattern.hasPrefix("*.") else { return pattern == host }
        guard let dot = host.firstIndex(of: "."), dot != host.startIndex else { return false }
        return host[dot...] == pattern.dropFirst()
    }
}

extension UInt8 {
    fileprivate var isHostNameCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default:
            false
        }
    }
}

extension NIOSSLCertificate {
    /// The host names that the certificate is for, wildcards included.
    var hostNames: [String] {
        self._subjectAlternativeNames().lazy.filter { $0.nameType == .dnsName }
            .map { String(decoding: $0.contents, as: UTF8.self) }
    }

    /// The addresses that the certificate is for.
    var addresses: [String] {
        self._subjectAlternativeNames().lazy.filter { $0.nameType == .ipAddress }
            .compactMap { try? SocketAddress(packedIPAddress: ByteBuffer(bytes: $0.contents), port: 0).ipAddress }
    }
}
