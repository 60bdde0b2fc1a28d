import NIOCore

@testable import CurlewTransport

/// The answers of an HTTP proxy to CONNECT, and what follows.
struct HTTPProxyAnswers: Role {
    private let settings: UInt8

    init(_ settings: UInt8) { self.settings = settings }

    var frames: WebSocketReading.Role? { self.settings & 2 == 0 ? nil : .client }
    var behavior: Owner.Behavior { self.settings & 4 == 0 ? .listen : .echo }
    let mostHeld = maximumHeadSize
    let isListener = false

    func begin(_ end: EndUnderTest) throws {
        try end.connect()
        end.beginProxyHandshake(with: ProxySettings(.http, hasLogin: self.settings & 1 == 1)) { [frames] end in
            try end.addClientsLink(frames == nil ? nil : ClientWebSocket.side())
        }
    }

    func opening(for end: EndUnderTest) -> ByteBuffer {
        switch self.settings >> 3 & 3 {
        case 0: ByteBuffer()
        case 1: ByteBuffer(string: "HTTP/1.1 200 Connection established\r\n")
        default: ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n")
        }
    }

    // With a WebSocket, there is another answer.
    func mustDecide(after bytes: ByteBufferView) -> Bool { self.frames == nil && bytes.decidesRequest }

    func sizeOfHandshake(in bytes: ByteBufferView) -> Int? {
        guard let size = bytes.sizeOfAnswer, self.frames != nil else { return bytes.sizeOfAnswer }
        return bytes.dropFirst(size).sizeOfAnswer.map { size + $0 }
    }
}

/// The answers of a SOCKS 5 proxy, and what follows.
struct SOCKSAnswers: Role {
    private let settings: UInt8

    init(_ settings: UInt8) { self.settings = settings }

    var frames: WebSocketReading.Role? { self.settings & 2 == 0 ? nil : .client }
    var behavior: Owner.Behavior { self.settings & 4 == 0 ? .listen : .echo }
    /// A WebSocket may come next.
    let mostHeld = maximumHeadSize
    let isListener = false

    private var hasLogin: Bool { self.settings & 1 == 1 }

    func begin(_ end: EndUnderTest) throws {
        try end.connect()
        end.beginProxyHandshake(with: ProxySettings(.socks5h, hasLogin: self.hasLogin)) { [frames] end in
            try end.addClientsLink(frames == nil ? nil : ClientWebSocket.side())
        }
    }

    func opening(for end: EndUnderTest) -> ByteBuffer {
        switch self.settings >> 3 & 3 {
        case 0: ByteBuffer()
        case 1: ByteBuffer(bytes: [5, 0])
        default: ByteBuffer(bytes: [5, 0, 5, 0, 0, 1, 10, 0, 0, 1, 0x1F, 0x93])
        }
    }

    /// The method, the result of the login, and the longest reply.
    private static let longestAnswers = 2 + 2 + 4 + 1 + 255 + 2

    func mustDecide(after bytes: ByteBufferView) -> Bool {
        self.frames == nil && bytes.count >= Self.longestAnswers || !bytes.starts(with: [5].prefix(bytes.count))
    }

    func sizeOfHandshake(in bytes: ByteBufferView) -> Int? {
        guard let size = self.sizeOfAnswers(in: bytes), self.frames != nil else { return self.sizeOfAnswers(in: bytes) }
        return bytes.dropFirst(size).sizeOfAnswer.map { size + $0 }
    }

    /// RFC 1928 sections 3 and 6, and RFC 1929 section 2.
    private func sizeOfAnswers(in bytes: ByteBufferView) -> Int? {
        var rest = ByteBuffer(bytes)
        guard let method = rest.readBytes(length: 2), method == [5, 0] || method == [5, 2] && self.hasLogin else {
            return nil
        }
        if method[1] == 2 { guard rest.readBytes(length: 2)?.last == 0 else { return nil } }
        guard let reply = rest.readBytes(length: 4), reply[0] == 5, reply[1] == 0 else { return nil }
        let address: Int
        switch reply[3] {
        case 1: address = 4
        case 3: address = Int(rest.readInteger(as: UInt8.self) ?? 0)
        case 4: address = 16
        default: return nil
        }
        return rest.readBytes(length: address + 2) == nil ? nil : bytes.count - rest.readableBytes
    }
}

extension ProxySettings {
    fileprivate init(_ kind: Kind, hasLogin: Bool) {
        self.init(kind, host: "proxy.example")
        if hasLogin { (self.username, self.password) = ("user", "password") }
    }
}
