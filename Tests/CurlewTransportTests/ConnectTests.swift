import CurlewTransport
import NIOCore
import Testing

@Suite("Connecting", .timeLimit(.minutes(1)))
struct ConnectTests {
    @Test("Connecting to a port without a listener is refused", arguments: ["127.0.0.1", "localhost"])
    func refused(host: String) async throws {
        let port = try await withListener { port, _ in port }
        let error = try await SocketConnector().failure(connectingTo: Endpoint(host: host, port: port))
        #expect(error.code == .connectionRefused)
        #expect(error.message.hasPrefix("\(host):\(port) refused the connection"))
    }

    @Test("An unknown host name is reported by name")
    func unknownHost() async throws {
        let connector = try SocketConnector(timeout: .seconds(50))
        let error = try await connector.failure(connectingTo: Endpoint(host: "no-such-host.invalid", port: 1883))
        #expect(error.code == .hostNotFound)
        #expect(error.message.contains("no-such-host.invalid"))
    }

    @Test("An endpoint with an invalid port is refused before any traffic", arguments: [0, -1, 65_536])
    func badPort(port: Int) async throws {
        let error = try await SocketConnector().failure(connectingTo: Endpoint(host: "localhost", port: port))
        #expect(error.code == .invalidConfiguration)
    }

    @Test("TLS without TLS settings is refused before any traffic")
    func noTLSSettings() async throws {
        let error = try await SocketConnector().failure(
            connectingTo: Endpoint(host: "localhost", port: 8883, security: .tls))
        #expect(error.code == .invalidConfiguration)
    }

    @Test("A peer that never answers the TLS handshake times out")
    func handshakeTimeout() async throws {
        try await withListener { port, _ in
            let connector = try SocketConnector(timeout: .milliseconds(50), tls: Fixture.client())
            let error = try await connector.failure(
                connectingTo: Endpoint(host: "127.0.0.1", port: port, security: .tls))
            #expect(error.code == .timedOut)
            #expect(error.message.contains("127.0.0.1:\(port)"))
        }
    }

    @Test("Cancelling the task ends the attempt and closes the connection")
    func cancellation() async throws {
        try await withListener { port, accepted in
            let connector = try SocketConnector(timeout: .seconds(50), tls: Fixture.client())
            let attempt = Task {
                try await connector.failure(connectingTo: Endpoint(host: "127.0.0.1", port: port, security: .tls))
            }
            // TCP is connected, but the handshake never completes.
            let far = try await accepted.next()
            attempt.cancel()
            #expect(try await attempt.value.code == .cancelled)
            #expect(try await far.end().count == 1)
        }
    }

    @Test("If one address does not answer, the next one is tried long before the timeout (RFC 8305)")
    func silentAddress() async throws {
        try await withListener { port, accepted in
            let silent = try SilentListener()
            let alone = Endpoint(
                host: try #require(silent.address.ipAddress), port: try #require(silent.address.port))
            let impatient = try SocketConnector(timeout: .milliseconds(50))
            #expect(try await impatient.failure(connectingTo: alone).code == .timedOut)
            let resolver = FixedResolver(
                ipv6: [silent.address], ipv4: [try SocketAddress(ipAddress: "127.0.0.1", port: port)])
            // Longer than the time limit of the test.
            let connector = try SocketConnector(timeout: .seconds(600), resolver: resolver)
            let near = try await connector.probe(Endpoint(host: "two.example", port: port))
            try await near.write("hello")
            #expect(await (try accepted.next()).read(5) == "hello")
            #expect(resolver.names == ["two.example"])
            near.link.close()
        }
    }

    @Test("A task that is already cancelled does not connect")
    func cancelledBefore() async throws {
        try await withListener { port, _ in
            let connector = try SocketConnector()
            let attempt = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await connector.failure(connectingTo: Endpoint(host: "127.0.0.1", port: port))
            }
            #expect(try await attempt.value.code == .cancelled)
        }
    }

    @Test("An endpoint's description reads like a URL's authority")
    func description() {
        #expect("\(Endpoint(host: "broker.example", port: 1883))" == "broker.example:1883")
        #expect("\(Endpoint(host: "fe80::1", port: 1883))" == "[fe80::1]:1883")
    }
}
