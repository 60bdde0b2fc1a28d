import NIOCore

@testable import CurlewTransport

/// The header of the PROXY protocol and what follows, read by a listener.
struct ProxyHeaders: Role {
    private let settings: UInt8

    init(_ settings: UInt8) { self.settings = settings }

    var frames: WebSocketReading.Role? { self.settings & 1 == 0 ? nil : .server }
    var behavior: Owner.Behavior { self.settings & 2 == 0 ? .listen : .echo }
    let mostHeld = maximumHeadSize
    let isListener = true

    private static let signature: [UInt8] = Array("\r\n\r\n\0\r\nQUIT\n".utf8)
    /// The longest header of version 2.
    private static let longestHeader = 16 + 2048

    func begin(_ end: EndUnderTest) throws {
        try end.pipeline.addHandler(ProxyHeaderHandler())
        try end.addListenersLink(awaitsProxyHeader: true, self.frames == nil ? nil : ListenerWebSocket.side())
        try end.connect()
    }

    func opening(for end: EndUnderTest) -> ByteBuffer {
        switch self.settings >> 2 & 3 {
        case 0: ByteBuffer()
        case 1: ByteBuffer(string: "PROXY TCP")
        case 2: ByteBuffer(bytes: Self.signature)
        default: ByteBuffer(string: "PROXY TCP4 203.0.113.1 10.0.0.2 50000 1883\r\n")
        }
    }

    func mustDecide(after bytes: ByteBufferView) -> Bool {
        let isHeader = [Self.signature, Array("PROXY ".utf8)].contains { bytes.starts(with: $0.prefix(bytes.count)) }
        guard isHeader else { return true }
        return (self.sizeOfHeader(in: bytes) ?? 0) > Self.longestHeader
            || self.frames == nil && bytes.count >= Self.longestHeader
    }

    func sizeOfHandshake(in bytes: ByteBufferView) -> Int? {
        guard let size = self.sizeOfHeader(in: bytes), self.frames != nil else { return self.sizeOfHeader(in: bytes) }
        return bytes.dropFirst(size).sizeOfHead.map { size + $0 }
    }

    private func sizeOfHeader(in bytes: ByteBufferView) -> Int? {
        guard bytes.starts(with: Self.signature) else {
            return bytes.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 - bytes.startIndex }
        }
        let length = bytes.dropFirst(14).prefix(2)
        return length.count < 2 ? nil : length.reduce(0) { $0 << 8 | Int($1) } + 16
    }
}
