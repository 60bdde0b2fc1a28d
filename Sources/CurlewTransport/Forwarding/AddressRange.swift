#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A range of IP addresses, such as `10.0.0.0/8` or `::1`.
package struct AddressRange: Hashable, Sendable {
    private let address: [UInt8]
    private let prefix: Int

    /// Parses an address, or an address and the length of its prefix; `nil` if the text is neither.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let address = Self.bytes(of: String(parts[0])) else { return nil }
        self.address = address
        guard parts.count == 2 else {
            self.prefix = address.count * 8
            return
        }
        guard parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let prefix = Int(parts[1]),
            prefix <= address.count * 8
        else { return nil }
        self.prefix = prefix
    }

    /// The bytes of an address; an IPv4 address in IPv6 form has four. `nil` if the text is not an address.
    package static func bytes(of text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &bytes) == 1 { return Array(bytes.prefix(4)) }
        guard inet_pton(AF_INET6, text, &bytes) == 1 else { return nil }
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        return bytes.starts(with: mapped) ? Array(bytes.suffix(4)) : bytes
    }

    /// The text of an address with four or sixteen bytes.
    package static func text(of bytes: [UInt8]) -> String? {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard bytes.count == 4 || bytes.count == 16,
            inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count)) != nil
        else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    package func contains(_ address: [UInt8]) -> Bool {
        guard address.count == self.address.count else { return false }
        let whole = self.prefix / 8
        guard address.prefix(whole) == self.address.prefix(whole) else { return false }
        let rest = self.prefix % 8
        guard rest > 0 else { return true }
        return address[whole] >> (8 - rest) == self.address[whole] >> (8 - rest)
    }
}
