import NIOCore
import Testing

@testable import CurlewTransport

@Suite("WebSockets of a listener", .timeLimit(.minutes(1)))
struct WebSocketListenerTests {
    /// Runs a listener, and connects to it without a WebSocket.
    private func withClient(
        _ settings: WebSocketServerSettings = WebSocketServerSettings(), echoes: Bool = true,
        _ body: (_ client: Probe, Accepted) async throws -> Void
    ) async throws {
        let accepted = Accepted(echoes: echoes)
        let listener = try await SocketListener.bind(webSocket: settings) { accepted.accept($0) }
        do {
            let client = try await SocketConnector().probe(Endpoint(host: "127.0.0.1", port: listener.port))
            try await body(client, accepted)
            client.link.close()
        } catch {
            await listener.close()
            throw error
        }
        await listener.close()
    }

    /// Opens a WebSocket, sends bytes, and returns everything that the listener answers until it closes.
    private func answer(to bytes: [UInt8], maximumFrameSize: Int = 1 << 20) async throws -> [UInt8] {
        var settings = WebSocketServerSettings()
        settings.maximumFrameSize = maximumFrameSize
        var answer: [UInt8] = []
        try await self.withClient(settings) { client, _ in
            try await client.write(WebSocketPeer.request)
            _ = await client.readHead()
            try await client.write(ByteBuffer(bytes: bytes))
            while let event = await client.nextEvent() {
                if case .read(let more) = event { answer += Array(more.readableBytesView) }
                if case .closed = event { break }
            }
        }
        return answer
    }

    private static func close(_ code: UInt16) -> [UInt8] { [0x88, 2, UInt8(code >> 8), UInt8(code & 0xFF)] }

    @Test("The handshake is answered, with the subprotocol [MQTT-6.0.0-4]")
    func handshake() async throws {
        try await self.withClient { client, accepted in
            try await client.write(WebSocketPeer.request)
            let head = await client.readHead()
            #expect(head.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
            let fields = head.lowercased()
            #expect(fields.contains("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"))
            #expect(fields.contains("\r\nsec-websocket-protocol: mqtt\r\n"))
            _ = try await accepted.next()
        }
    }

    @Test(
        "A request that opens no WebSocket gets a short answer",
        arguments: [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "426 Upgrade Required", "Connect with an MQTT client"),
            ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "426 Upgrade Required", ""),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "426 Upgrade Required", "MQTT"),
            (WebSocketPeer.request.replacing("/mqtt", with: "/other"), "404 Not Found", "no WebSocket at this path"),
            (
                WebSocketPeer.request.replacing("Protocol: mqtt", with: "Protocol: chat"), "400 Bad Request",
                "Ask for the WebSocket subprotocol 'mqtt'"
            ),
            (
                WebSocketPeer.request.replacing("Version: 13", with: "Version: 8"), "400 Bad Request",
                "not a valid WebSocket handshake"
            ),
            (
                WebSocketPeer.request.replacing(
                    "Host: localhost", with: "Host: localhost\r\nOrigin: http://evil.example"),
                "403 Forbidden", "Pages of this origin may not connect"
            ),
            // The parser of HTTP must not see what follows, whether or not it takes the request for an upgrade.
            (
                WebSocketPeer.request.replacing("Connection: Upgrade\r\n", with: "")
                    + "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                "400 Bad Request", "not a valid WebSocket handshake"
            ),
            (
                WebSocketPeer.request.replacing("Host: localhost", with: "Host: localhost\r\nContent-Length: 9"),
                "400 Bad Request", "not a valid WebSocket handshake"
            ),
            (
                WebSocketPeer.request.replacing(
                    "Upgrade: websocket", with: "Upgrade: \(String(repeating: "a,", count: 7000))"),
                "426 Upgrade Required", "MQTT"
            ),
            (
                WebSocketPeer.request.replacing("Upgrade: websocket", with: "Upgrade: h2c")
                    + String(repeating: "x", count: 300_000),
                "426 Upgrade Required", "MQTT"
            ),
            (
                "GET / HTTP/1.1\r\nA:" + String(repeating: " ", count: 300_000), "431 Request Header Fields Too Large",
                ""
            ),
            ("\u{10}\u{0C}\u{00}\u{04}MQTT\u{05}", "400 Bad Request", "malformed or too large"),
            // The parser of HTTP would wait for more after these.
            ("\r\n" + WebSocketPeer.request, "400 Bad Request", "malformed or too large"),
            ("\r\n\r\n\u{00}\r\nQUIT\n", "400 Bad Request", "malformed or too large"),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400 Bad Request", "malformed or too large"),
            (
                "GET /mqtt HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 20_000))\r\n\r\n",
                "431 Request Header Fields Too Large", ""
            ),
        ])
    func refusals(request: String, status: String, fragment: String) async throws {
        var settings = WebSocketServerSettings()
        settings.paths = ["/mqtt"]
        try await self.withClient(settings) { client, _ in
            try await client.write(request)
            var text = ""
            while let event = await client.nextEvent() {
                if case .read(let bytes) = event { text += String(buffer: bytes) }
                if case .closed = event { break }
            }
            #expect(text.hasPrefix("HTTP/1.1 \(status)\r\n"), "\(text)")
            #expect(text.contains(fragment), "\(text)")
        }
    }

    @Test("Bytes may be spread over frames and reads in any way [MQTT-6.0.0-2]")
    func spread() async throws {
        let bytes =
            WebSocketPeer.frame(0x02, Array("cur".utf8)) + WebSocketPeer.frame(0x89, Array("ping".utf8))
            + WebSocketPeer.frame(0x00, []) + WebSocketPeer.frame(0x80, Array("lew".utf8))
        try await self.withClient(echoes: false) { client, accepted in
            for byte in Array(WebSocketPeer.request.utf8) + bytes {
                try await client.write(ByteBuffer(bytes: [byte]))
            }
            let far = try await accepted.next()
            #expect(await far.read(6) == "curlew")
            var text = ""
            while !text.contains("ping") { text += await client.read(1) }
            #expect(text.hasPrefix("HTTP/1.1 101") && text.hasSuffix("ping"))
        }
    }

    @Test("Frames that follow the request at once are not lost")
    func early() async throws {
        try await self.withClient(echoes: false) { client, accepted in
            var bytes = ByteBuffer(string: WebSocketPeer.request)
            bytes.writeBytes(WebSocketPeer.frame(0x82, Array("early".utf8)))
            try await client.write(bytes)
            #expect(try await accepted.next().read(5) == "early")
        }
    }

    @Test(
        "A frame that breaks the rules ends the WebSocket with the right code",
        arguments: [
            (WebSocketPeer.frame(0x82, [1], isMasked: false), 1002), (WebSocketPeer.frame(0x81, [0x61]), 1003),
            (WebSocketPeer.frame(0x80, [1]), 1002), (WebSocketPeer.frame(0x83, [1]), 1002),
            (WebSocketPeer.frame(0xC2, [1]), 1002), (WebSocketPeer.frame(0x09, [1]), 1002),
            (WebSocketPeer.frame(0x89, Array(repeating: 1, count: 126)), 1002),
            (WebSocketPeer.frame(0x82, [], length: 1 << 63), 1009),
            (WebSocketPeer.frame(0x82, [], length: .max), 1009), (WebSocketPeer.frame(0x82, [], length: 2000), 1009),
        ] as [([UInt8], UInt16)])
    func violations(frame: [UInt8], code: UInt16) async throws {
        #expect(try await self.answer(to: frame, maximumFrameSize: 1000) == Self.close(code))
    }

    @Test("A tab after Connection is no trap")
    func tab() async throws {
        try await self.withClient { client, accepted in
            let request = WebSocketPeer.request.replacing("Connection: Upgrade", with: "Connection: Upgrade\t")
            var bytes = ByteBuffer(string: request)
            bytes.writeBytes(WebSocketPeer.frame(0x82, Array("GET / HTTP/1.1\r\n\r\n".utf8)))
            try await client.write(bytes)
            #expect(await client.readHead().hasPrefix("HTTP/1.1 101"))
            #expect(try await accepted.next().read(18) == "GET / HTTP/1.1\r\n\r\n")
        }
    }

    @Test("Nothing is read after a violation, and of many pings the latest is answered")
    func afterViolation() async throws {
        let violations = WebSocketPeer.frame(0x81, [0x61]) + WebSocketPeer.frame(0x82, Array("lost".utf8))
        try await self.withClient(echoes: false) { client, accepted in
            try await client.write(WebSocketPeer.request)
            _ = await client.readHead()
            let far = try await accepted.next()
            try await client.write(ByteBuffer(bytes: violations + violations))
            let end = try await far.end()
            #expect(end.bytesBefore == 0 && end.count == 1 && end.error != nil)
        }
        let pings = (0..<200).flatMap { WebSocketPeer.frame(0x89, [UInt8($0)]) }
        let answer = try await self.answer(to: pings + WebSocketPeer.frame(0x88, [0x03, 0xE8]))
        // In a single read, it is one pong; the close may come before it.
        #expect(answer.count <= 3 * 20 + 4 && answer.suffix(4) == Self.close(1000)[...])
    }

    @Test("Lengths that are longer than needed are understood")
    func longLengths() async throws {
        try await self.withClient(echoes: false) { client, accepted in
            try await client.write(WebSocketPeer.request)
            _ = await client.readHead()
            let far = try await accepted.next()
            let frame: [UInt8] = [0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 65, 66]
            for _ in 1...3 {
                try await client.write(ByteBuffer(bytes: frame))
                #expect(await far.read(2) == "AB")
                #expect(try await far.onLoop { $0.heldBytes } == 0)
            }
        }
    }

    @Test("A ping is answered with its data, and a close with its code")
    func control() async throws {
        try await self.withClient(echoes: false) { client, _ in
            try await client.write(WebSocketPeer.request)
            _ = await client.readHead()
            try await client.write(ByteBuffer(bytes: WebSocketPeer.frame(0x89, [0x41, 0x42])))
            #expect(Array(await client.read(4).unicodeScalars.suffix(2)) == ["A", "B"])
        }
        #expect(try await self.answer(to: WebSocketPeer.frame(0x88, [0x03, 0xE9, 0x78])) == Self.close(1001))
    }

    @Test("The bytes of an incomplete frame are counted until it is complete")
    func held() async throws {
        try await self.withClient(echoes: false) { client, accepted in
            try await client.write(WebSocketPeer.request)
            _ = await client.readHead()
            let frame = WebSocketPeer.frame(0x82, Array(repeating: 7, count: 50_000))
            try await client.write(ByteBuffer(bytes: frame.dropLast()))
            let far = try await accepted.next()
            while try await far.onLoop({ $0.heldBytes }) < 49_999 { await Task.yield() }
            try await client.write(ByteBuffer(bytes: frame.suffix(1)))
            _ = await far.read(50_000)
            #expect(try await far.onLoop { $0.heldBytes } == 0)
        }
    }

    @Test(
        "Pages of other origins cannot use a browser on this machine",
        arguments: [
            (nil, true), ("http://localhost", true), ("http://localhost:8080", true), ("https://127.0.0.1", true),
            ("http://[::1]:3000", true), ("http://app.localhost", true), ("http://evil.example", false),
            ("null", false), ("http://localhost.evil.example", false), ("http://127.evil.example", false),
            ("file://", false), ("", false),
        ] as [(String?, Bool)])
    func origins(origin: String?, isPermitted: Bool) {
        #expect(WebSocketOrigins.automatic.permit(origin, isLocal: true) == isPermitted)
        #expect(WebSocketOrigins.automatic.permit(origin, isLocal: false))
        #expect(WebSocketOrigins.any.permit(origin, isLocal: true))
        let only = WebSocketOrigins.only(["http://evil.example"])
        #expect(only.permit(origin, isLocal: true) == (origin == nil || origin == "http://evil.example"))
    }

    @Test(
        "Origins are compared in the form in which browsers send them, and what is none can be recognized",
        arguments: [
            ("https://Example.com", "https://example.com"), ("https://example.com:443", "https://example.com"),
            ("http://example.com:80", "http://example.com"), ("http://example.com:443", "http://example.com:443"),
            ("http://[::1]:3000", "http://[::1]:3000"), ("NULL", "null"), ("example.com", nil), ("*", nil), ("", nil),
            ("https://example.com/", nil), ("https://*.example.com", nil), ("https://u@h", nil), ("://h", nil),
            ("https://", nil), ("https://a b", nil),
        ] as [(String, String?)])
    func originForms(text: String, normalized: String?) {
        #expect(WebSocketOrigins.normalized(text) == normalized)
    }
}
