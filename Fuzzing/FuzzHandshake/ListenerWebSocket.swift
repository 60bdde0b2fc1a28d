import NIOCore

@testable import CurlewTransport

/// The requests and frames of a client, read by a listener for WebSocket.
struct ListenerWebSocket: Role {
    private let settings: UInt8

    init(_ settings: UInt8) { self.settings = settings }

    let frames: WebSocketReading.Role? = .server
    let mostHeld = maximumHeadSize
    let isListener = true

    var behavior: Owner.Behavior { [.listen, .echo, .close, .closeAfterWrites][Int(self.settings >> 2) & 3] }

    /// The peer is a trusted proxy, this machine, or anybody.
    private var address: String { ["10.0.0.1", "127.0.0.1", "::1", "203.0.113.1"][Int(self.settings >> 4) & 3] }

    static func side(maximumFrameSize: Int = maximumFrameSize) -> SocketLinkHandler.WebSocketSide {
        var settings = WebSocketServerSettings()
        settings.paths = ["/", "/mqtt"]
        settings.maximumFrameSize = maximumFrameSize
        return .server(settings, TrustedProxies(ranges: AddressRange("10.0.0.0/8").map { [$0] } ?? []))
    }

    func begin(_ end: EndUnderTest) throws {
        try end.addListenersLink(Self.side())
        try end.connect(from: self.address)
    }

    func opening(for end: EndUnderTest) -> ByteBuffer {
        let fields = """
            GET /mqtt HTTP/1.1\r
            Host: broker.example\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Protocol: mqtt\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r

            """
        switch self.settings & 3 {
        case 0: return ByteBuffer()
        case 1: return ByteBuffer(string: fields)
        default: return ByteBuffer(string: fields + "\r\n")
        }
    }

    func mustDecide(after bytes: ByteBufferView) -> Bool {
        bytes.sizeOfHead != nil || bytes.count > maximumHeadSize
            || !(bytes.first.map { (0x41...0x5A).contains($0) } ?? true)
    }

    func sizeOfHandshake(in bytes: ByteBufferView) -> Int? { bytes.sizeOfHead }
}

/// The maximum size of a received frame.
let maximumFrameSize = 4096
