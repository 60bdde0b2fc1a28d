import NIOCore
import NIOSSL

/// What TLS needs to know of host names.
enum HostName {
    static func isAddress(_ host: String) -> Bool {
        // A colon is in no host name, but in IPv6 addresses, also in those with a zone, which the parser does not take.
        host.utf8.contains(UInt8(ascii: ":")) || (try? SocketAddress(ipAddress: host, port: 0)) != nil
    }

    /// Whether the name can be sent and verified.
    static func isUsable(_ name: String) -> Bool {
        !Self.isAddress(name) && (1...255).contains(name.utf8.count) && name.utf8.allSatisfy(\.isHostNameCharacter)
    }

    /// "example.org." and "example.org" are one host, but a certificate names the latter.
    static func withoutRootDot(_ name: String) -> String {
        name.utf8.last == UInt8(ascii: ".") ? String(name.dropLast()) : name
    }

    /// Whether a name in a certificate, which may begin with a wildcard label, stands for `host` (RFC 6125, section 6.4.3).
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
