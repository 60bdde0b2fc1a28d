import CurlewCore

/// A proxy through which a client connects, and the hosts that it connects to directly.
///
/// ```swift
/// configuration.proxy = try ProxySettings(url: "socks5h://user:password@proxy.example.com:1080")
/// ```
public struct ProxySettings: Sendable, Hashable, CustomStringConvertible {
    /// The protocol of a proxy.
    public struct Kind: Sendable, Hashable, CustomStringConvertible {
        /// The scheme of the proxy's URL.
        public let description: String

        /// HTTP with the method CONNECT (RFC 9110 section 9.3.6).
        public static let http = Self(description: "http")
        /// SOCKS 5 (RFC 1928), where the client resolves host names.
        public static let socks5 = Self(description: "socks5")
        /// SOCKS 5 (RFC 1928), where the proxy resolves host names.
        public static let socks5h = Self(description: "socks5h")
    }

    /// The protocol of the proxy.
    public var kind: Kind
    /// The proxy's host name or address; an IPv6 address has no brackets.
    public var host: String
    /// The proxy's port.
    public var port: Int
    /// The user name for the proxy. Default: none.
    public var username: String?
    /// The password for the proxy. Default: none. No description shows it.
    public var password: String? {
        get { self.secret?.value }
        set { self.secret = newValue.map { Redacted($0) } }
    }
    private var secret: Redacted<String>?
    /// The hosts to connect to without the proxy: names, which include their subdomains, addresses, address ranges such
    /// as `10.0.0.0/8`, or `*` for all. Default: none.
    public var excludedHosts: [String] = []

    /// Creates settings for a proxy.
    ///
    /// - Parameters:
    ///   - kind: The protocol of the proxy.
    ///   - host: The proxy's host name or address.
    ///   - port: The proxy's port. Default: 1080, as in curl; many HTTP proxies use 3128 or 8080.
    public init(_ kind: Kind, host: String, port: Int = 1080) {
        self.kind = kind
        self.host = host
        self.port = port
    }

    /// The proxy as a URL without user name and password.
    public var description: String { "\(self.kind)://\(self.address)" }

    /// `host:port`, as in a URL.
    var address: String { hostInURL(self.host, port: self.port) }
}

extension ProxySettings {
    /// Reads a proxy from a URL such as `http://proxy:3128` or `socks5h://user:password@proxy`; `socks` means
    /// `socks5h`. Without a scheme, it is an HTTP proxy; without a port, 1080. User name and password are
    /// percent-decoded.
    ///
    /// - Throws: ``TransportError`` with the code `.invalidConfiguration`. The message never quotes a password.
    public init(url: String) throws(TransportError) {
        let (scheme, rest) = Self.split(url)
        let kind: Kind
        switch scheme {
        case "http": kind = .http
        case "socks5": kind = .socks5
        case "socks5h", "socks": kind = .socks5h
        case "https": throw Self.error("begins with https://, but TLS to a proxy is not supported; use http://")
        case "socks4", "socks4a": throw Self.error("is for SOCKS 4, which is not supported; use socks5://")
        default: throw Self.error("must begin with http://, socks5:// or socks5h://")
        }
        let authority = rest.hasSuffix("/") ? rest.dropLast() : rest
        guard !authority.contains(where: { "/?#".contains($0) }) else {
            throw Self.error(
                "contains a path, query or fragment; leave it out, and percent-encode '/', '?' and '#' in a password")
        }
        let parts = authority.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count <= 2 else {
            throw Self.error("contains an '@' in its user name or password; percent-encode it as %40")
        }
        var host = parts[parts.count - 1]
        var port = 1080
        // An IPv6 address has colons of its own.
        if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") {
            guard let number = UInt16(host[host.index(after: colon)...]), number > 0 else {
                throw Self.error("must have a port from 1 to 65535, and an IPv6 address in brackets")
            }
            port = Int(number)
            host = host[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw Self.error("must have a port from 1 to 65535, and an IPv6 address in brackets")
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Self.error("names no host")
        }
        self.init(kind, host: String(host), port: port)
        guard parts.count == 2 else { return }
        let user = parts[0].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        self.username = try Self.decoded(user[0])
        if user.count == 2 { self.password = try Self.decoded(user[1]) }
    }

    private static func split(_ url: String) -> (scheme: String, rest: Substring) {
        guard let colon = url.firstRange(of: "://") else { return ("http", url[...]) }
        return (url[..<colon.lowerBound].lowercased(), url[colon.upperBound...])
    }

    private static func decoded(_ text: Substring) throws(TransportError) -> String {
        guard let bytes = String(text).percentDecodedBytes else {
            throw Self.error("has a '%' without two hexadecimal digits; write %25 for a '%'")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Self.error("has a user name or password that is not UTF-8 after percent-decoding")
        }
        return text
    }

    private static func error(_ predicate: String) -> TransportError {
        TransportError(.invalidConfiguration, "The URL of the proxy \(predicate).")
    }

    /// Checks what the protocol of the proxy cannot express.
    func validate() throws(TransportError) {
        guard (1...65_535).contains(self.port), !self.host.isEmpty, !self.host.utf8.contains(0) else {
            throw TransportError(
                .invalidConfiguration, "The proxy \(self.address) is not a host and a port from 1 to 65535.")
        }
        if self.kind == .http {
            guard self.username?.utf8.contains(UInt8(ascii: ":")) != true else {
                throw TransportError(
                    .invalidConfiguration, "The user name for an HTTP proxy must not contain ':'.")
            }
        } else if let username {
            guard (1...255).contains(username.utf8.count), (self.password ?? "").utf8.count <= 255 else {
                throw TransportError(
                    .invalidConfiguration,
                    "The user name for a SOCKS proxy must be 1 to 255 bytes long, and the password at most 255.")
            }
        }
    }

    /// In lower case, without the brackets of an IPv6 address and the dot of a complete name.
    private static func comparable(_ host: String) -> String {
        var host = host.lowercased()
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        if host.hasSuffix("."), host.utf8.count > 1 { host.removeLast() }
        return host
    }

    /// Whether a host is reached without the proxy.
    func isException(_ host: String) -> Bool {
        let host = Self.comparable(host)
        return self.excludedHosts.contains { entry in
            var entry = Self.comparable(entry)
            if entry == "*" { return true }
            if let range = AddressRange(entry), let address = AddressRange.bytes(of: host) {
                return range.contains(address)
            }
            if entry.hasPrefix("*.") { entry.removeFirst(2) } else if entry.hasPrefix(".") { entry.removeFirst() }
            return !entry.isEmpty && (host == entry || host.hasSuffix("." + entry))
        }
    }
}
