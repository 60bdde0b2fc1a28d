import NIOCore

@testable import CurlewTransport

/// The other side of a WebSocket, byte by byte.
enum WebSocketPeer {
    /// The value of `Sec-WebSocket-Accept` for a request, as a listener computes it.
    static func accept(_ request: String) async throws -> String {
        let listener = try await SocketListener.bind(webSocket: WebSocketServerSettings()) { Probe($0) }
        let client = try await SocketConnector().probe(Endpoint(host: "127.0.0.1", port: listener.port))
        try await client.write(request)
        let head = await client.readHead()
        client.link.close()
        await listener.close()
        let field = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-accept: ") }
        return String(field?.dropFirst(22) ?? "")
    }

    static let request =
        "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"

    /// A frame as a client sends it, masked with 1, 2, 3, 4.
    ///
    /// - Parameters:
    ///   - first: The byte with FIN and opcode.
    ///   - length: What the header says instead of the length of `data`.
    static func frame(_ first: UInt8, _ data: [UInt8], isMasked: Bool = true, length: UInt64? = nil) -> [UInt8] {
        let mask: UInt8 = isMasked ? 0x80 : 0
        let length = length ?? UInt64(data.count)
        var bytes = [first]
        switch length {
        case 0...125: bytes.append(mask | UInt8(length))
        case 126...65_535: bytes += [mask | 126, UInt8(length >> 8), UInt8(truncatingIfNeeded: length)]
        default: bytes += [mask | 127] + (0..<8).map { UInt8(truncatingIfNeeded: length >> (56 - 8 * $0)) }
        }
        guard isMasked else { return bytes + data }
        let key: [UInt8] = [1, 2, 3, 4]
        return bytes + key + data.enumerated().map { $1 ^ key[$0 % 4] }
    }
}

extension Probe {
    /// Reads until the end of an HTTP head.
    func readHead() async -> String {
        var text = ""
        while !text.contains("\r\n\r\n") {
            let more = await self.read(1)
            if more.isEmpty { break }
            text += more
        }
        return text
    }
}
