import NIOCore
import Testing

@testable import CurlewTransport

@Suite("Headers of the PROXY protocol")
struct ProxyHeaderTests {
    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]

    private func parse(_ bytes: [UInt8]) -> ProxyHeader.Parsed {
        ProxyHeader.parse(ByteBuffer(bytes: bytes).readableBytesView)
    }

    @Test(
        "Version 1 is a line",
        arguments: [
            ("PROXY TCP4 192.0.2.1 10.0.0.1 56324 1883\r\n", "192.0.2.1", 56324),
            ("PROXY TCP6 2001:DB8::0:1 ::1 1 65535\r\n", "2001:db8::1", 1), ("PROXY UNKNOWN\r\n", nil, nil),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", nil, nil),
        ] as [(String, String?, Int?)])
    func text(line: String, address: String?, port: Int?) {
        let client = address.flatMap { address in port.map { (address, $0) } }
        let bytes = Array(line.utf8)
        #expect(self.parse(bytes + [1, 2]) == .header(ProxyHeader(client: client), length: bytes.count))
        for count in 0..<bytes.count { #expect(self.parse(Array(bytes.prefix(count))) == .incomplete) }
    }

    @Test("Version 2 is binary, with extensions that are skipped")
    func binary() {
        let version4 = Self.signature + [0x21, 0x11, 0, 14, 192, 0, 2, 1, 10, 0, 0, 1, 0xDC, 4, 7, 91, 9, 9]
        #expect(self.parse(version4 + [1]) == .header(ProxyHeader(client: ("192.0.2.1", 56324)), length: 30))
        let address: [UInt8] = [0x20, 1, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [1]
        let version6 = Self.signature + [0x21, 0x21, 0, 36] + address + address + [0, 7, 7, 91]
        #expect(self.parse(version6) == .header(ProxyHeader(client: ("2001:db8::1", 7)), length: 52))
        for count in 0..<version6.count { #expect(self.parse(Array(version6.prefix(count))) == .incomplete) }
        let local = Self.signature + [0x20, 0x00, 0, 0]
        #expect(self.parse(local) == .header(ProxyHeader(), length: 16))
        let unix = Self.signature + [0x21, 0x31, 0, 1, 5]
        #expect(self.parse(unix) == .header(ProxyHeader(), length: 17))
    }

    @Test(
        "Everything else is refused",
        arguments: [
            Array("GET / HTTP/1.1\r\n".utf8), [0x10, 12], Array("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n".utf8),
            Array("PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n".utf8), Array("PROXY TCP4 ::1 ::1 1 2\r\n".utf8),
            Array("PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n".utf8), Array("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n".utf8),
            Array("PROXY \(String(repeating: "x", count: 200))".utf8), Self.signature + [0x11, 0x11, 0, 12],
            Self.signature + [0x22, 0x11, 0, 12], Self.signature + [0x21, 0x11, 0xFF, 0xFF],
            Self.signature + [0x21, 0x11, 0, 3, 1, 2, 3],
        ])
    func malformed(bytes: [UInt8]) { #expect(self.parse(bytes) == .malformed) }
}
