import NIOCore

/// The header by which a load balancer states the address of its client: the PROXY protocol, versions 1 and 2
/// (haproxy.org/download/3.0/doc/proxy-protocol.txt).
struct ProxyHeader: Equatable, Sendable {
    /// The client's address and port; `nil` if the balancer speaks for itself, for example to check whether the
    /// listener lives, or does not know the address.
    var client: (address: String, port: Int)?

    static func == (left: Self, right: Self) -> Bool {
        left.client?.address == right.client?.address && left.client?.port == right.client?.port
    }

    /// The result of parsing the first bytes of a connection.
    enum Parsed: Equatable, Sendable {
        /// The header is not complete.
        case incomplete
        /// The header, and its length in bytes.
        case header(ProxyHeader, length: Int)
        /// There is none.
        case malformed
    }

    /// The longest header of version 1; a longer one of version 2 has extensions that nobody needs.
    private static let longestText = 107
    private static let longestBinary = 16 + 2048
    private static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]

    static func parse(_ bytes: ByteBufferView) -> Parsed {
        let start = Array(bytes.prefix(16))
        if start.starts(with: Self.signature.prefix(start.count)) { return Self.parseBinary(bytes) }
        if start.starts(with: "PROXY ".utf8.prefix(start.count)) { return Self.parseText(bytes) }
        return .malformed
    }

    // MARK: Version 1

    private static func parseText(_ bytes: ByteBufferView) -> Parsed {
        let line = bytes.prefix(Self.longestText)
        guard let end = line.firstIndex(of: UInt8(ascii: "\n")) else {
            return line.count < Self.longestText ? .incomplete : .malformed
        }
        let text = String(decoding: line[..<end], as: UTF8.self)
        guard text.hasSuffix("\r") else { return .malformed }
        let length = end - line.startIndex + 1
        let words = text.dropLast().split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        if words.count >= 2, words[1] == "UNKNOWN" { return .header(ProxyHeader(), length: length) }
        guard words.count == 6, let family = ["TCP4": 4, "TCP6": 16][words[1]],
            let address = AddressRange.text(of: words[2], length: family), let port = UInt16(words[4])
        else { return .malformed }
        return .header(ProxyHeader(client: (address, Int(port))), length: length)
    }

    // MARK: Version 2

    private static func parseBinary(_ bytes: ByteBufferView) -> Parsed {
        let head = Array(bytes.prefix(16))
        guard head.count == 16 else { return .incomplete }
        let length = 16 + (Int(head[14]) << 8 | Int(head[15]))
        // Version 2 and one of the commands LOCAL and PROXY.
        guard head[12] == 0x20 || head[12] == 0x21, length <= Self.longestBinary else { return .malformed }
        guard bytes.count >= length else { return .incomplete }
        if head[12] == 0x20 { return .header(ProxyHeader(), length: length) }
        let rest = Array(bytes.dropFirst(16).prefix(length - 16))
        // TCP over IPv4 and IPv6; the addresses of other protocols mean nothing here.
        let size: Int
        switch head[13] {
        case 0x11: size = 4
        case 0x21: size = 16
        default: return .header(ProxyHeader(), length: length)
        }
        guard rest.count >= 2 * size + 4, let address = AddressRange.text(of: Array(rest.prefix(size))) else {
            return .malformed
        }
        let port = Int(rest[2 * size]) << 8 | Int(rest[2 * size + 1])
        return .header(ProxyHeader(client: (address, port)), length: length)
    }
}

extension AddressRange {
    /// An address in its usual form; `nil` if the text is not one of that many bytes.
    static func text(of text: String, length: Int) -> String? {
        guard let bytes = self.bytes(of: text), bytes.count == length || length == 16 && bytes.count == 4 else {
            return nil
        }
        return self.text(of: bytes)
    }
}
