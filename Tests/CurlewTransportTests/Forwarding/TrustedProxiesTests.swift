import NIOCore
import Testing

@testable import CurlewTransport

@Suite("Clients behind proxies of a listener", .timeLimit(.minutes(1)))
struct TrustedProxiesTests {
    private static func proxies(_ ranges: String..., usesProxyProtocol: Bool = false) throws -> TrustedProxies {
        TrustedProxies(
            ranges: try ranges.map { try #require(AddressRange($0)) }, usesProxyProtocol: usesProxyProtocol)
    }

    @Test(
        "X-Forwarded-For is believed as far as trusted proxies have written it",
        arguments: [
            ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"), ("10.0.0.1", ["6.6.6.6, 203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", ["203.0.113.7, 10.0.0.9"], "203.0.113.7"),
            ("10.0.0.1", ["1.1.1.1", "203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", ["[2001:db8::1]:99"], "2001:db8::1"), ("10.0.0.1", ["203.0.113.7:99"], "203.0.113.7"),
            ("10.0.0.1", ["unknown"], nil), ("10.0.0.1", [], nil), ("10.0.0.1", ["203.0.113.7, evil"], nil),
            ("9.9.9.9", ["203.0.113.7"], nil),
        ] as [(String, [String], String?)])
    func forwardedFor(proxy: String, fields: [String], client: String?) throws {
        #expect(try Self.proxies("10.0.0.0/8").client(forwardedFor: fields, by: proxy) == client)
    }

    /// Sends bytes to a listener, and returns the link that it accepts.
    private func withLink(
        _ proxies: TrustedProxies, webSocket: WebSocketServerSettings? = nil, sending text: String,
        _ body: (Probe) async throws -> Void
    ) async throws {
        let accepted = Accepted()
        let listener = try await SocketListener.bind(webSocket: webSocket, proxies: proxies) { accepted.accept($0) }
        let client = try await SocketConnector().probe(Endpoint(host: "127.0.0.1", port: listener.port))
        try await client.write(text)
        try await body(try await accepted.next())
        client.link.close()
        await listener.close()
    }

    @Test("A link has the address that the PROXY protocol states, and what follows is its first byte")
    func proxyProtocol() async throws {
        let proxies = try Self.proxies("127.0.0.1", usesProxyProtocol: true)
        try await self.withLink(proxies, sending: "PROXY TCP4 192.0.2.1 10.0.0.1 56324 1883\r\nhello") { far in
            #expect(far.link.peer == "192.0.2.1:56324" && !far.link.isLocal)
            #expect(await far.read(5) == "hello")
        }
        try await self.withLink(proxies, sending: "PROXY UNKNOWN\r\n") { far in
            #expect(far.link.peer.hasPrefix("127.0.0.1:") && far.link.isLocal)
        }
    }

    @Test("A link over WebSocket has the address that X-Forwarded-For states")
    func webSocket() async throws {
        let request = WebSocketPeer.request.replacing(
            "Host: localhost", with: "Host: localhost\r\nX-Forwarded-For: 203.0.113.7\r\nOrigin: https://example.com")
        try await self.withLink(try Self.proxies("127.0.0.1"), webSocket: .init(), sending: request) { far in
            #expect(far.link.peer == "203.0.113.7" && !far.link.isLocal)
        }
    }

    @Test("Behind the PROXY protocol, a client cannot choose its address with X-Forwarded-For")
    func both() async throws {
        let request = WebSocketPeer.request.replacing(
            "Host: localhost", with: "Host: localhost\r\nX-Forwarded-For: 127.0.0.1")
        try await self.withLink(
            try Self.proxies("127.0.0.1", usesProxyProtocol: true), webSocket: .init(),
            sending: "PROXY TCP4 192.0.2.1 10.0.0.1 56324 1883\r\n" + request
        ) { far in
            #expect(far.link.peer == "192.0.2.1:56324" && !far.link.isLocal)
        }
    }

    @Test("Hosts that are no trusted proxies, and connections without a header, are closed")
    func refused() async throws {
        for (range, text) in [("10.0.0.0/8", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"), ("127.0.0.1", "hello, world\r\n")] {
            let listener = try await SocketListener.bind(
                proxies: Self.proxies(range, usesProxyProtocol: true)
            ) { Probe($0) }
            let client = try await SocketConnector().probe(Endpoint(host: "127.0.0.1", port: listener.port))
            try await client.write(text)
            #expect(try await client.end().count == 1)
            await listener.close()
        }
    }
}
