import NIOWebSocket
import Testing

@testable import CurlewTransport

@Suite("Rules for received WebSocket frames")
struct WebSocketReadingTests {
    private func frame(_ opcode: Int, isFinal: Bool = true, isMasked: Bool = true, _ reserved: Bool = false)
        -> WebSocketReading.Frame
    {
        .init(
            opcode: .init(encodedWebSocketOpcode: UInt8(opcode))!, isFinal: isFinal, isMasked: isMasked,
            hasReservedBits: reserved)
    }

    @Test("A message may have several frames, with control frames in between")
    func fragments() {
        var reading = WebSocketReading(.server)
        #expect(reading.received(self.frame(2, isFinal: false)) == .data)
        #expect(reading.received(self.frame(9)) == .ping)
        #expect(reading.received(self.frame(0, isFinal: false)) == .data)
        #expect(reading.received(self.frame(10)) == .ignore)
        #expect(reading.received(self.frame(0)) == .data)
        #expect(reading.received(self.frame(2)) == .data)
    }

    @Test("A continuation needs a beginning, and a beginning the end of the last message")
    func wrongFragments() {
        var reading = WebSocketReading(.server)
        #expect(reading.received(self.frame(0)) == .violation(.fragments))
        #expect(reading.received(self.frame(2, isFinal: false)) == .data)
        #expect(reading.received(self.frame(2)) == .violation(.fragments))
    }

    @Test("Clients mask their frames, and servers do not (RFC 6455 section 5.1)")
    func masking() {
        var server = WebSocketReading(.server)
        #expect(server.received(self.frame(2, isMasked: false)) == .violation(.masking))
        var client = WebSocketReading(.client)
        #expect(client.received(self.frame(2, isMasked: true)) == .violation(.masking))
        #expect(client.received(self.frame(2, isMasked: false)) == .data)
    }

    @Test("Text, reserved opcodes and reserved bits are violations [MQTT-6.0.0-1]")
    func reserved() {
        var reading = WebSocketReading(.server)
        #expect(reading.received(self.frame(1)) == .violation(.text))
        #expect(reading.received(self.frame(3)) == .violation(.reserved))
        #expect(reading.received(self.frame(2, true, true)) == .violation(.reserved))
    }

    private func frame(_ opcode: Int, _ isMasked: Bool, _ reserved: Bool) -> WebSocketReading.Frame {
        self.frame(opcode, isFinal: true, isMasked: isMasked, reserved)
    }

    @Test("Nothing counts after the close")
    func closed() {
        var reading = WebSocketReading(.server)
        #expect(reading.received(self.frame(8)) == .close)
        #expect(reading.received(self.frame(2)) == .ignore)
    }
}
