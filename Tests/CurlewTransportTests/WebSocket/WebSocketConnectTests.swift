import NIOCore
import Synchronization
import Testing

@testable import CurlewTransport

@Suite("WebSockets of a client", .timeLimit(.minutes(1)))
struct WebSocketConnectTests {
    /// Answers a handshake with bytes, and closes the connection.
    private func failure(
        answering answer: String, closes: Bool = true, timeout: Duration = .seconds(30),
        security: Endpoint.Security = .plain
    ) async throws -> TransportError {
        try await withListener { port, accepted in
            let failure = Task {
                try await SocketConnector(timeout: timeout, tls: security == .tls ? Fixture.client() : nil)
                    .failure(
                        connectingTo: Endpoint(
                            host: "127.0.0.1", port: port, security: security, webSocket: "/mqtt?token=x"))
            }
            let far = try await accepted.next()
            _ = await far.read(1)
            if !answer.isEmpty { try await far.write(answer) }
            if closes { try await far.onLoop { $0.closeAfterWrites(within: .seconds(20)) } }
            return try await failure.value
        }
    }

    @Test(
        "A refused handshake is explained, with the HTTP status",
        arguments: [
            (
                "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "webSocketUnauthorized",
                "HTTP 401 Unauthorized"
            ),
            ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "webSocketUnauthorized", "HTTP 403 Forbidden"),
            (
                "HTTP/1.1 301 Moved\r\nLocation: https://u:secret@a.example/mqtt?secret=1\r\nContent-Length: 0\r\n\r\n",
                "webSocketRefused", "redirects the WebSocket (HTTP 301) to https://a.example;"
            ),
            (
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "webSocketRefused",
                "no WebSocket at /mqtt (HTTP 404"
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                    + "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "webSocketRefused",
                "no WebSocket at /mqtt (HTTP 404"
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "webSocketRefused",
                "did not open a WebSocket (HTTP 200 OK)"
            ),
            (
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
                "notWebSocket", "sent an invalid answer to the WebSocket handshake"
            ),
            ("\u{20}\u{02}\u{00}\u{00}", "notWebSocket", "it speaks MQTT without WebSocket; connect with mqtt://"),
            (
                "\u{15}\u{03}\u{03}\u{00}\u{02}\u{02}\u{28}", "notWebSocket",
                "this port expects TLS; connect with wss://"
            ),
            ("SSH-2.0-OpenSSH_9\r\n", "notWebSocket", "it speaks SSH"),
            ("", "notWebSocket", "closed the connection without answering the WebSocket handshake"),
        ])
    func refusals(answer: String, code: String, fragment: String) async throws {
        let error = try await self.failure(answering: answer)
        #expect(error.code.rawValue == code, "\(error)")
        #expect(error.message.contains(fragment), "\(error)")
        #expect(!error.message.contains("secret") && !error.message.contains("token"))
    }

    @Test("A server that does not choose the subprotocol has no MQTT [MQTT-6.0.0-4]", arguments: ["", "chat"])
    func subprotocol(chosen: String) async throws {
        let error = try await withListener { port, accepted in
            async let failure = SocketConnector().failure(
                connectingTo: Endpoint(host: "127.0.0.1", port: port, webSocket: "/chat"))
            let far = try await accepted.next()
            let request = await far.readHead()
            let accept = try await WebSocketPeer.accept(request)
            try await far.write(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Accept: \(accept)\r\n"
                    + (chosen.isEmpty ? "" : "Sec-WebSocket-Protocol: \(chosen)\r\n") + "\r\n")
            return try await failure
        }
        #expect(error.code == .notWebSocket)
        #expect(error.message.contains("did not choose the subprotocol 'mqtt'"), "\(error)")
    }

    @Test("A server that opens the WebSocket and leaves at once ends the link, once")
    func leavesAtOnce() async throws {
        try await withListener { port, accepted in
            let connecting = Task {
                try await SocketConnector().failure(
                    connectingTo: Endpoint(host: "127.0.0.1", port: port, webSocket: "/mqtt"))
            }
            let far = try await accepted.next()
            let accept = try await WebSocketPeer.accept(await far.readHead())
            try await far.write(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Accept: \(accept)\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
            far.link.close()
            _ = try await connecting.value
        }
    }

    @Test(
        "A server that sends an endless head, or endlessly many interim responses, is refused",
        arguments: [
            "HTTP/1.1 200 OK\r\nA:" + String(repeating: " ", count: 300_000),
            String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 1000),
        ])
    func endless(answer: String) async throws {
        // Without a close, only the limit ends the handshake.
        let error = try await self.failure(answering: answer, closes: false)
        #expect(error.code == .notWebSocket)
    }

    @Test("A server that does not answer is told apart from one that cannot be reached")
    func timeout() async throws {
        let error = try await self.failure(answering: "", closes: false, timeout: .seconds(15))
        #expect(error.code == .timedOut)
        #expect(error.message.contains("did not answer the WebSocket handshake within"), "\(error)")
    }

    @Test("The request has the path, the subprotocol and the given header fields [MQTT-6.0.0-3]")
    func request() async throws {
        var settings = WebSocketSettings()
        settings.headers = [.init(name: "Cookie", value: "session=1"), .bearerAuthorization("abc")]
        let count = Mutex(0)
        settings.prepareRequest = { request in
            let number = count.withLock { count in
                count += 1
                return count
            }
            request.target += "?attempt=\(number)"
            request.headers.append(.basicAuthorization(username: "u", password: "p"))
        }
        settings.signRequest = { $0.target += "&signed=\($0.headers.count)" }
        for attempt in 1...2 {
            let request = try await withListener { port, accepted in
                let connecting = Task { [settings] in
                    try await SocketConnector(webSocket: settings).failure(
                        connectingTo: Endpoint(host: "127.0.0.1", port: port, webSocket: "/a"))
                }
                let far = try await accepted.next()
                let request = await far.readHead()
                far.link.close()
                _ = try await connecting.value
                return request.replacing("127.0.0.1:\(port)", with: "host")
            }
            #expect(request.hasPrefix("GET /a?attempt=\(attempt)&signed=3 HTTP/1.1\r\n"))
            for field in [
                "Host: host", "Cookie: session=1", "Authorization: Bearer abc", "Authorization: Basic dTpw",
                "Sec-WebSocket-Protocol: mqtt",
                "Sec-WebSocket-Version: 13", "Connection: Upgrade", "Upgrade: websocket",
            ] { #expect(request.contains("\r\n\(field)\r\n"), "\(field) in \(request)") }
        }
    }

    @Test(
        "A request that cannot be sent is refused before connecting",
        arguments: [
            ("mqtt", [("A", "b")], "begin with a '/'"), ("/a b", [], "percent-encoded"),
            ("/a", [("Up grade", "b")], "not a valid name of a header field"),
            ("/a", [("Upgrade", "b")], "set by the client itself"), ("/a", [("X", "a\r\nY: b")], "control character"),
        ] as [(String, [(String, String)], String)])
    func invalid(path: String, headers: [(String, String)], fragment: String) async throws {
        var settings = WebSocketSettings()
        settings.headers = headers.map { .init(name: $0.0, value: $0.1) }
        let error = try await SocketConnector(webSocket: settings)
            .failure(connectingTo: Endpoint(host: "127.0.0.1", port: 1, webSocket: path))
        #expect(error.code == .invalidConfiguration)
        #expect(error.message.contains(fragment), "\(error)")
    }

    @Test("An error while preparing the request is the reason of the failure, and waiting for it has an end")
    func preparation() async throws {
        struct NoToken: Error {}
        var settings = WebSocketSettings()
        settings.prepareRequest = { _ in throw NoToken() }
        let endpoint = Endpoint(host: "127.0.0.1", port: 1, webSocket: "/a")
        let error = try await SocketConnector(webSocket: settings).failure(connectingTo: endpoint)
        #expect(error.cause is NoToken)
        settings.prepareRequest = { _ in throw TransportError(.proxyFailed, "The token is not there yet.") }
        let given = try await SocketConnector(webSocket: settings).failure(connectingTo: endpoint)
        #expect(given.code == .proxyFailed && given.message == "The token is not there yet.")
        settings.prepareRequest = { _ in try await Task.sleep(for: .seconds(3600)) }
        let late = try await SocketConnector(timeout: .milliseconds(50), webSocket: settings)
            .failure(connectingTo: endpoint)
        #expect(late.code == .timedOut)
    }

    @Test("No description shows the value of a header field")
    func redacted() {
        let header = WebSocketSettings.Header.bearerAuthorization("secret")
        for text in ["\(header)", String(reflecting: header), "\(header.customMirrorText)"] {
            #expect(!text.contains("secret"), "\(text)")
        }
    }
}

extension WebSocketSettings.Header {
    fileprivate var customMirrorText: String {
        var text = ""
        dump(self, to: &text)
        return text
    }
}
