import NIOCore
import Testing

@testable import CurlewTransport

@Suite("Connecting through a proxy", .timeLimit(.minutes(1)))
struct ProxyConnectTests {
    private static let broker = Endpoint(host: "broker.invalid", port: 1883)

    /// Plays a proxy that sends an answer to each thing that it receives, and returns what the client reports.
    private func failure(_ kind: ProxySettings.Kind, answers: [[UInt8]], username: String? = nil) async throws
        -> TransportError
    {
        try await withListener { port, accepted in
            var proxy = ProxySettings(kind, host: "127.0.0.1", port: port)
            proxy.username = username
            let failure = Task { [proxy] in
                try await SocketConnector(timeout: .seconds(30), proxy: proxy).failure(connectingTo: Self.broker)
            }
            let far = try await accepted.next()
            for answer in answers {
                _ = await far.read(1)
                try await far.write(ByteBuffer(bytes: answer))
            }
            if answers.isEmpty { far.link.close() }
            return try await failure.value
        }
    }

    @Test(
        "Failures of an HTTP proxy and of the server are told apart",
        arguments: [
            ("407 Proxy Authentication Required", nil, "proxyFailed", "requires a user name and a password (HTTP 407"),
            ("407 Proxy Authentication Required", "me", "proxyFailed", "rejected the user name or the password"),
            (
                "403 Filtered", nil, "proxyFailed",
                "does not permit connections to broker.invalid:1883 (HTTP 403 Forbidden)"
            ),
            ("502 Bad Gateway", nil, "hostUnreachable", "could not connect to broker.invalid:1883 (HTTP 502"),
            ("100 Continue\r\n\r\nHTTP/1.1 502 Bad Gateway", nil, "hostUnreachable", "could not connect to"),
            ("101 Switching Protocols", nil, "proxyFailed", "did not connect to broker.invalid:1883 (HTTP 101"),
            ("500 Oops", nil, "hostUnreachable", "could not connect to broker.invalid:1883 (HTTP 500"),
            ("404 Not Found", nil, "proxyFailed", "did not connect to broker.invalid:1883 (HTTP 404 Not Found)"),
        ] as [(String, String?, String, String)])
    func http(status: String, username: String?, code: String, fragment: String) async throws {
        let answer = Array("HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n".utf8)
        let error = try await self.failure(.http, answers: [answer], username: username)
        #expect(error.code.rawValue == code)
        #expect(error.message.contains(fragment), "\(error)")
    }

    @Test(
        "Failures of a SOCKS proxy and of the server are told apart",
        arguments: [
            ([[5, 0xFF]], "proxyFailed", "requires a user name and a password"),
            (
                [[5, 0], [5, 2, 0, 1, 0, 0, 0, 0, 0, 0]], "proxyFailed",
                "does not permit connections to broker.invalid:1883"
            ),
            (
                [[5, 0], [5, 4, 0, 1, 0, 0, 0, 0, 0, 0]], "hostUnreachable",
                "could not reach broker.invalid:1883"
            ),
            (
                [[5, 0], [5, 5, 0, 1, 0, 0, 0, 0, 0, 0]], "connectionRefused",
                "reached broker.invalid:1883, which refused the connection"
            ),
            ([[5, 0], [5, 1, 0, 1, 0, 0, 0, 0, 0, 0]], "proxyFailed", "(SOCKS reply 1)"),
            ([Array("HTTP/1.1 400 Bad Request\r\n".utf8)], "proxyFailed", "does not speak SOCKS 5"),
            ([], "proxyFailed", "closed the connection"),
        ] as [([[UInt8]], String, String)])
    func socks(answers: [[UInt8]], code: String, fragment: String) async throws {
        let error = try await self.failure(.socks5h, answers: answers)
        #expect(error.code.rawValue == code)
        #expect(error.message.contains(fragment), "\(error)")
    }

    @Test("A proxy that cannot be reached or speaks another protocol is reported as such")
    func unreachable() async throws {
        let listener = try await SocketListener.bind { Probe($0) }
        await listener.close()
        let closed = ProxySettings(.http, host: "127.0.0.1", port: listener.port)
        let error = try await SocketConnector(proxy: closed).failure(connectingTo: Self.broker)
        #expect(error.code == .proxyFailed)
        #expect(error.message.hasPrefix("The proxy 127.0.0.1:\(listener.port) refused the connection;"), "\(error)")
        let other = try await self.failure(.http, answers: [Array("SSH-2.0-OpenSSH\r\n\r\n".utf8)])
        #expect(other.message.contains("does not speak HTTP"), "\(other)")
        let name = Endpoint(host: "no-such-host.invalid", port: 1)
        let unresolved = try await SocketConnector(proxy: ProxySettings(.socks5, host: "127.0.0.1"))
            .failure(connectingTo: name)
        #expect(unresolved.code == .hostNotFound && unresolved.message.contains("socks5h://"), "\(unresolved)")
    }

    @Test("The request names the server, and contains the credentials of the proxy")
    func request() async throws {
        let text = try await withListener { port, accepted in
            var proxy = ProxySettings(.http, host: "127.0.0.1", port: port)
            (proxy.username, proxy.password) = ("u", "p")
            let connecting = Task { [proxy] in
                try await SocketConnector(proxy: proxy).failure(connectingTo: Endpoint(host: "::2", port: 8883))
            }
            let far = try await accepted.next()
            let text = await far.readHead()
            far.link.close()
            _ = try await connecting.value
            return text
        }
        #expect(text.hasPrefix("CONNECT [::2]:8883 HTTP/1.1\r\n"))
        #expect(text.contains("\r\nHost: [::2]:8883\r\n") && text.contains("\r\nProxy-Authorization: Basic dTpw\r\n"))
    }

    @Test("Once the proxy is connected, the bytes are the server's", arguments: [ProxySettings.Kind.http, .socks5h])
    func connected(kind: ProxySettings.Kind) async throws {
        try await withListener { port, accepted in
            let connecting = Task {
                try await SocketConnector(proxy: ProxySettings(kind, host: "127.0.0.1", port: port)).probe(Self.broker)
            }
            let far = try await accepted.next()
            if kind == .http {
                _ = await far.readHead()
                try await far.write("HTTP/1.1 103 Early Hints\r\n\r\n")
                try await far.write("HTTP/1.1 200 Connection established\r\nContent-Length: 100\r\n\r\n")
            } else {
                _ = await far.read(3)
                try await far.write(ByteBuffer(bytes: [5, 0]))
                _ = await far.read(1)
                try await far.write(ByteBuffer(bytes: [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
            }
            let near = try await connecting.value
            try await near.write("hello")
            #expect(await far.read(5) == "hello")
            try await far.write("HTTP/1.1 is not parsed any more")
            #expect(await near.read(31) == "HTTP/1.1 is not parsed any more")
            near.link.close()
        }
    }

    @Test("Exceptions are reached without the proxy")
    func excludedHosts() async throws {
        try await withListener(accepted: Accepted(echoes: true)) { port, _ in
            var proxy = ProxySettings(.http, host: "127.0.0.1", port: 1)
            proxy.excludedHosts = ["127.0.0.0/8"]
            let near = try await SocketConnector(proxy: proxy).probe(Endpoint(host: "127.0.0.1", port: port))
            try await near.write("direct")
            #expect(await near.read(6) == "direct")
            near.link.close()
        }
    }
}
