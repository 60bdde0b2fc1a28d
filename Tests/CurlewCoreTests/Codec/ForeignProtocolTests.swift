import NIOCore
import Testing

@testable import CurlewCore

@Suite("Recognizing other protocols")
struct ForeignProtocolTests {
    private func answer(_ text: String) -> ForeignProtocol? { ForeignProtocol(answer: ByteBuffer(string: text)) }

    private func request(_ text: String) -> ForeignProtocol? { ForeignProtocol(request: ByteBuffer(string: text)) }

    @Test("The protocol of a server's answer is recognized")
    func answers() {
        #expect(ForeignProtocol(answer: ByteBuffer(bytes: [0x15, 3, 1, 0, 2, 2, 70])) == .tls)
        #expect(self.answer("HTTP/1.1 400 Bad Request\r\n\r\n") == .http)
        #expect(self.answer("SSH-2.0-OpenSSH_9.2") == .ssh)
        #expect(self.answer("AMQP\u{0}\u{0}\u{9}\u{1}") == .amqp)
        #expect(self.answer("220 mail.example.com ESMTP") == .text)
        #expect(self.answer("-ERR unknown command") == .text)
        #expect(self.answer("<html><body>") == .http && self.answer("<!DOCTYPE html>") == .http)
        #expect(self.answer("J\u{0}\u{0}\u{0}\u{A}8.0.36") == .unknown && self.answer("xyz") == .unknown)
        #expect(self.answer("") == nil)
        // Too few bytes, or MQTT.
        for first: UInt8 in [0x30, 0x40, 0x90, 0xD0] {
            #expect(ForeignProtocol(answer: ByteBuffer(bytes: [first])) == nil)
        }
        for first: UInt8 in [0x20, 0xF0] { #expect(ForeignProtocol(answer: ByteBuffer(bytes: [first, 3, 0])) == nil) }
    }

    @Test("The protocol of a client's first bytes is recognized")
    func requests() {
        #expect(ForeignProtocol(request: ByteBuffer(bytes: [0x16, 3, 1, 2, 0, 1])) == .tls)
        for method in ["GET", "POST", "HEAD", "OPTIONS", "CONNECT"] {
            #expect(self.request("\(method) / HTTP/1.1\r\nHost: a\r\n\r\n") == .http)
        }
        #expect(self.request("PRI * HTTP/2.0\r\n\r\n") == .http)
        #expect(self.request("GET /mqtt HTTP/1.1\r\nUPGRADE: WebSocket\r\n\r\n") == .webSocket)
        #expect(ForeignProtocol(request: ByteBuffer(bytes: [0x10, 20, 0, 4])) == nil)
    }
}
