import NIOWebSocket
import Testing

@testable import CurlewTransport

@Suite("Rules for received WebSocket frames")
struct WebSocketReadingTests {
    private func frame(
        _ opcode: WebSocketOpcode, isFinal: Bool = true, isMasked: Bool = true, hasReservedBits: Bool = false
    ) -> WebSocketReading.Frame {
        .init(opcode: opcode, isFinal: isFinal, isMasked: isMasked, hasReservedBits: hasReservedBits)
    }

    @Test("A message may have several frames, with control frames in between")
    func fragments() {
        var reading = WebSocketReading(.server)
        #expect(reading.received(self.frame(.binary, isFinal: false)) == .data)
        #expect(reading.received(self.frame(.ping)) == .ping)
        #expect(reading.received(self.frame(.continuation, isFinal: false)) == .data)
        #expect(reading.received(self.frame(.pong)) == .ignore)
        #expect(reading.received(self.frame(.continuation)) == .data)
        #expect(reading.received(self.frame(.binary)) == .data)
    }

    @Test("A limit for frames above the largest that the decoder supports is lowered to that")
    func largestLimit() {
        // The decoder itself would trap.
        #expect(WebSocketFrames(maximumSize: .max).heldBytes == 0)
    }

    @Test("A continuation needs a beginning, and a beginning the end of the last message")
    func wrongFragments() {
        var without = WebSocketReading(.server)
        #expect(without.received(self.frame(.continuation)) == .violation(.fragments))
        var reading = WebSocketReading(.server)
        #expect(reading.received(self.frame(.binary, isFinal: false)) == .data)
        #expect(reading.received(self.frame(.binary)) == .violation(.fragments))
    }

    @Test("Clients mask their frames, and servers do not (RFC 6455 section 5.1)")
    func masking() {
        var server = WebSocketReading(.server)
        #expect(server.received(self.frame(.binary, isMasked: false)) == .violation(.masking))
        var client = WebSocketReading(.client)
        #expect(client.received(self.frame(.binary, isMasked: false)) == .data)
        #expect(client.received(self.frame(.binary, isMasked: true)) == .violation(.masking))
    }

    @Test("Text, reserved opcodes and reserved bits are violations [MQTT-6.0.0-1]")
    func reserved() throws {
        let unknown = try #require(WebSocketOpcode(encodedWebSocketOpcode: 3))
        for (frame, violation) in [
            (self.frame(.text), .text), (self.frame(unknown), .reserved),
            (self.frame(.binary, hasReservedBits: true), .reserved),
        ] as [(WebSocketReading.Frame, WebSocketReading.Violation)] {
            var reading = WebSocketReading(.server)
            #expect(reading.received(frame) == .violation(violation))
            // Nothing is read after a violation.
            #expect(reading.received(self.frame(.binary)) == .ignore)
        }
    }

    @Test("Nothing counts after the close")
    func closed() {
        var reading = WebSocketReading(.server)
        #expect(reading.received(self.frame(.connectionClose)) == .close)
        #expect(reading.received(self.frame(.binary)) == .ignore)
    }
}
