import NIOCore
import NIOHTTP1
import NIOWebSocket

@testable import CurlewTransport

/// The answers and frames of a server, read by a client for WebSocket.
struct ClientWebSocket: Role {
    private let settings: UInt8

    init(_ settings: UInt8) { self.settings = settings }

    let frames: WebSocketReading.Role? = .client
    let mostHeld = maximumHeadSize
    let isListener = false

    var behavior: Owner.Behavior { [.listen, .echo, .close, .closeAfterWrites][Int(self.settings >> 2) & 3] }

    static func side(maximumFrameSize: Int = maximumFrameSize) -> SocketLinkHandler.WebSocketSide {
        let endpoint = EndUnderTest.endpoint
        var settings = WebSocketSettings()
        settings.maximumFrameSize = maximumFrameSize
        return .client(
            endpoint,
            .init(
                host: endpoint.host, port: 8083, isSecure: false, target: endpoint.webSocket ?? "/",
                headers: []),
            settings)
    }

    func begin(_ end: EndUnderTest) throws {
        try end.connect()
        try end.addClientsLink(Self.side())
    }

    func opening(for end: EndUnderTest) throws -> ByteBuffer {
        let fields = """
            HTTP/1.1 101 Switching Protocols\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Accept: \(try Self.answer(to: end))\r
            Sec-WebSocket-Protocol: mqtt\r

            """
        switch self.settings & 3 {
        case 0: return ByteBuffer()
        case 1: return ByteBuffer(string: fields)
        default: return ByteBuffer(string: fields + "\r\n")
        }
    }

    /// The answer to the key of the client's request (RFC 6455 section 4.2.2).
    private static func answer(to end: EndUnderTest) throws -> String {
        let name = "Sec-WebSocket-Key: "
        let line = String(buffer: end.wire.sent).split(separator: "\r\n").first { $0.hasPrefix(name) }
        guard let key = line?.dropFirst(name.count) else { fatalError("the request has no key") }
        let upgrader = NIOWebSocketServerUpgrader(
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: "/",
            headers: ["Sec-WebSocket-Key": String(key), "Sec-WebSocket-Version": "13"])
        let headers = try upgrader.buildUpgradeResponse(
            channel: end.channel, upgradeRequest: head, initialResponseHeaders: HTTPHeaders()
        ).wait()
        return headers["Sec-WebSocket-Accept"].first ?? ""
    }

    func mustDecide(after bytes: ByteBufferView) -> Bool { bytes.decidesRequest }

    func sizeOfHandshake(in bytes: ByteBufferView) -> Int? { bytes.sizeOfAnswer }
}
