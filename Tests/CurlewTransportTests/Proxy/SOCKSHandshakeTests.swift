import NIOCore
import Testing

@testable import CurlewTransport

@Suite("Handshake with a SOCKS proxy")
struct SOCKSHandshakeTests {
    private var bytes = ByteBuffer()

    private mutating func receive(_ handshake: inout SOCKSHandshake, _ bytes: UInt8...) -> SOCKSHandshake.Received {
        self.bytes.writeBytes(bytes)
        return handshake.received(&self.bytes)
    }

    private static let name = SOCKSHandshake.Destination.name("ab.c")
    private static let request: [UInt8] = [5, 1, 0, 3, 4] + Array("ab.c".utf8) + [0x07, 0x5B]

    @Test("Without authentication, the request follows the greeting (RFC 1928)")
    mutating func plain() {
        var handshake = SOCKSHandshake(Self.name, port: 1883, login: nil)
        #expect(handshake.greeting == [5, 1, 0])
        #expect(self.receive(&handshake, 5) == .wait)
        #expect(self.receive(&handshake, 0) == .send(Self.request))
        #expect(self.receive(&handshake, 5, 0, 0, 1, 1, 2, 3, 4, 0) == .wait)
        #expect(self.receive(&handshake, 9) == .connected && self.bytes.readableBytes == 0)
    }

    @Test("Addresses are sent as such, and bytes of the server remain")
    mutating func addresses() {
        for (address, type) in [([1, 2, 3, 4], 1), (Array(repeating: 7, count: 16), 4)] as [([UInt8], UInt8)] {
            var handshake = SOCKSHandshake(.address(address), port: 1, login: nil)
            #expect(self.receive(&handshake, 5, 0) == .send([5, 1, 0, type] + address + [0, 1]))
            #expect(self.receive(&handshake, 5, 0, 0, 3, 2, 65, 66, 0, 1, 99) == .connected)
            #expect(self.bytes.readInteger() == UInt8(99))
        }
    }

    @Test("User name and password are sent if the proxy asks for them (RFC 1929)")
    mutating func login() {
        var handshake = SOCKSHandshake(Self.name, port: 1883, login: ("me", "pw"))
        #expect(handshake.greeting == [5, 2, 0, 2])
        #expect(self.receive(&handshake, 5, 2) == .send([1, 2] + Array("me".utf8) + [2] + Array("pw".utf8)))
        #expect(self.receive(&handshake, 1, 0) == .send(Self.request))
        var refused = SOCKSHandshake(Self.name, port: 1883, login: ("me", ""))
        #expect(self.receive(&refused, 5, 2) == .send([1, 2] + Array("me".utf8) + [0]))
        #expect(self.receive(&refused, 1, 1) == .failed(.loginRefused))
    }

    @Test("Failures are told apart, and nothing follows them")
    mutating func failures() {
        for (answer, failure) in [
            ([0x48], .notSOCKS), ([5, 0xFF], .authenticationRequired), ([5, 2], .authenticationRequired),
        ] as [([UInt8], SOCKSHandshake.Failure)] {
            var handshake = SOCKSHandshake(Self.name, port: 1, login: nil)
            self.bytes.clear()
            self.bytes.writeBytes(answer)
            #expect(handshake.received(&self.bytes) == .failed(failure))
            #expect(handshake.received(&self.bytes) == .wait)
        }
        for (reply, failure) in [
            ([5, 5, 0, 1, 0], .reply(5)), ([4, 0, 0, 1, 0], .notSOCKS), ([5, 0, 0, 9, 0], .notSOCKS),
        ] as [([UInt8], SOCKSHandshake.Failure)] {
            var handshake = SOCKSHandshake(Self.name, port: 1, login: nil)
            self.bytes.clear()
            _ = self.receive(&handshake, 5, 0)
            self.bytes.writeBytes(reply)
            #expect(handshake.received(&self.bytes) == .failed(failure))
        }
    }
}
