import CurlewTransport
import NIOCore
import Synchronization
import Testing

/// A budget with a fixed number of bytes.
private final class Budget: HandshakeBudget {
    private let maximum: Int
    private let bytes = Mutex(0)

    init(_ maximum: Int) { self.maximum = maximum }

    var taken: Int { self.bytes.withLock { $0 } }

    func take(_ byteCount: Int) -> Bool {
        self.bytes.withLock { bytes in
            guard bytes + byteCount <= self.maximum else { return false }
            bytes += byteCount
            return true
        }
    }

    func giveBack(_ byteCount: Int) { self.bytes.withLock { $0 -= byteCount } }
}

@Suite("Memory for TLS handshakes", .timeLimit(.minutes(2)))
struct HandshakeBudgetTests {
    @Test("A handshake takes memory while it lasts, and is refused if there is none")
    func bound() async throws {
        let budget = Budget(60 << 10)
        let accepted = Accepted(echoes: true)
        let listener = try await SocketListener.bind(tls: Fixture.server(), handshakes: budget) { accepted.accept($0) }
        // Clients that send nothing: there is room for only one handshake.
        let endpoint = Endpoint(host: "localhost", port: listener.port)
        let silent = try await SocketConnector().probe(endpoint)
        while budget.taken == 0 { await Task.yield() }
        let refused = try await SocketConnector().probe(endpoint)
        var isClosed = false
        while !isClosed, let event = await refused.nextEvent() { if case .closed = event { isClosed = true } }
        #expect(isClosed)
        silent.link.close()
        while budget.taken > 0 { await Task.yield() }
        let secure = try await SocketConnector(tls: Fixture.client())
            .probe(Endpoint(host: "localhost", port: listener.port, security: .tls))
        try await secure.write("hello")
        #expect(await secure.read(5) == "hello")
        #expect(budget.taken == 0)
        secure.link.close()
        await listener.close()
    }
}
