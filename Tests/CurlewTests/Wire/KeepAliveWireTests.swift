import Curlew
import CurlewCore
import CurlewTesting
import CurlewTransport
import NIOCore
import Synchronization
import Testing

@Suite("Keep alive", .bounded)
struct KeepAliveWireTests {
    @Test(
        "With Server Keep Alive 1, the client pings each second, and disconnects if there is no answer [MQTT-3.1.2-23] [MQTT-3.2.2-21]"
    )
    func serverKeepAlive() async throws {
        let server = ScriptedServer(patience: .seconds(60))
        let clock = TestClock()
        let (client, connection) = try await server.connectedClient(properties: [.serverKeepAlive(1)], clock: clock) {
            $0.reconnect = .disabled
        }
        connection.answersPings = false
        for _ in 0..<3 {
            clock.advance(by: .seconds(1))
            try await connection.expect(.pingreq)
            try connection.send(.pingresp)
            try await connection.sync()
        }
        clock.advance(by: .seconds(1))
        try await connection.expect(.pingreq)
        async let end = failure { try await client.waitUntilStopped() }
        // Another ping is sent before the first one has timed out.
        try await clock.advanceToSleeper(within: .seconds(1))
        try await connection.expect(.pingreq)
        try await clock.advanceToSleeper(within: .seconds(1))
        #expect(try await end.code == .connectionClosed)
    }

    @Test(
        "Without keep alive, no ping is sent; with it, one before the interval ends [MQTT-3.1.2-22]")
    func keepAlive() async throws {
        let server = ScriptedServer(patience: .seconds(60))
        let clock = TestClock()
        let (client, connection) = try await server.connectedClient(clock: clock) { $0.connection.keepAlive = .zero }
        let (other, otherConnection) = try await server.connectedClient(clock: clock) {
            $0.connection.keepAlive = .seconds(60)
        }
        connection.answersPings = false
        otherConnection.answersPings = false
        clock.advance(by: .seconds(59))
        try await otherConnection.expect(.pingreq)
        try await connection.sync()
        _ = (client, other)
    }

    @Test("Bytes of an incomplete packet show that the server is alive")
    func partialPacket() async throws {
        let server = ScriptedServer(patience: .seconds(60))
        let clock = TestClock()
        let (client, connection) = try await server.connectedClient(clock: clock) {
            $0.connection.version = .exactly(.v5_0)
            $0.connection.keepAlive = .seconds(10)
            $0.connection.pingTimeout = .seconds(10)
        }
        connection.answersPings = false
        try await clock.advanceToSleeper(within: .seconds(9))
        try await connection.expect(.pingreq)
        connection.send(bytes: [0x62, 2, 0])
        try await clock.advanceToSleeper(within: .seconds(9))
        try await connection.expect(.pingreq)
        // By now, the first ping would have timed out.
        clock.advance(by: .seconds(5))
        connection.send(bytes: [7])
        try await connection.expect(.pubcomp(Acknowledgement(7, .packetIdentifierNotFound)))
        _ = client
    }

    @Test("A ping behind a large message does not time out until the message has been sent")
    func pingBehindLargeMessage() async throws {
        let clock = TestClock()
        let network = SlowNetwork()
        var configuration = MQTTConfiguration()
        configuration.connection.version = .exactly(.v5_0)
        configuration.connection.keepAlive = .seconds(10)
        configuration.connection.pingTimeout = .seconds(10)
        configuration.reconnect = .disabled
        configuration.connectorOverride = network
        configuration.clock = MonotonicClock(clock)
        let client = try MQTTClient(configuration)
        var writes = network.writes.makeAsyncIterator()
        try await client.connect()
        #expect(await writes.next() != nil, "CONNECT")
        try await client.publish(String(repeating: "x", count: 100_000), to: "t")
        #expect(await writes.next() ?? 0 > 100_000)

        try await clock.advanceToSleeper(within: .seconds(9))
        #expect(await writes.next() == 2, "PINGREQ")
        // Longer than the ping timeout.
        for _ in 0..<10 {
            network.takeSome()
            try await clock.advanceToSleeper(within: .seconds(10))
        }
        #expect(client.state == .connected)
        let end = Task { try await failure { try await client.waitUntilStopped() } }
        while client.state == .connected {
            _ = try? await clock.advanceToSleeper(within: .seconds(10), patience: .milliseconds(100))
        }
        #expect(try await end.value.code == .connectionClosed)
    }

    @Test("A link full of publishes does not stop the client from reading")
    func readsWhileItPublishes() async throws {
        let server = ScriptedServer()
        let (client, connection) = try await server.connectedClient { $0.queues.unsentBytes = 10_000 }
        let subscription = try await connection.subscribe(client, to: "t")
        connection.stopReading()
        let payload = String(repeating: "x", count: 50_000)
        for _ in 0..<20 { try client.enqueue(payload, to: "a") }
        var iterator = subscription.makeAsyncIterator()
        for number in 1...3 {
            try connection.publish("\(number)", to: "t")
            #expect(try await iterator.next()?.text == "\(number)")
        }
        connection.resumeReading()
        for _ in 0..<20 { #expect(try await connection.receivePublishPacket().payload.readableBytes == 50_000) }
    }

    @Test("A client stops reading from a server that does not read its answers, until the server reads again")
    func answersPileUp() async throws {
        let server = ScriptedServer()
        let (client, connection) = try await server.connectedClient { $0.queues.unsentBytes = 1000 }
        let subscription = try await connection.subscribe(client, to: "t", acknowledgement: .onReceipt)
        connection.stopReading()
        let payload = String(repeating: "x", count: 200_000)
        for _ in 0..<3 { try client.enqueue(payload, to: "a") }
        for id in UInt16(1)...2000 { try connection.send(.publish(Publish("x", "t", id: id))) }
        connection.resumeReading()
        for _ in 0..<3 { _ = try await connection.receivePublishPacket() }
        for id in UInt16(1)...2000 { try await connection.expect(.puback(Acknowledgement(id))) }
        _ = subscription
    }
}

/// A network whose link takes no more bytes after a large write. Its server accepts, and then sends nothing.
private final class SlowNetwork: Connector {
    /// The number of bytes of each write.
    let writes: AsyncStream<Int>
    private let written: AsyncStream<Int>.Continuation
    /// Whether the link is full, and how many bytes are waiting in it.
    private let state = Mutex((isFull: false, waiting: 0))

    init() {
        (self.writes, self.written) = AsyncStream.makeStream()
    }

    var isFull: Bool { self.state.withLock { $0.isFull } }

    /// Lets the server read a few bytes.
    func takeSome() { self.state.withLock { $0.waiting -= 100 } }

    func connect(
        to endpoint: Endpoint, on eventLoop: any EventLoop, handler: @escaping @Sendable (any Link) -> any LinkHandler
    ) async throws(TransportError) {
        eventLoop.execute {
            let link = SlowLink(eventLoop, self)
            let owner = handler(link)
            link.owner.value = owner
            owner.linkRead(ByteBuffer(bytes: [0x20, 3, 0, 0, 0]))
        }
    }

    private final class SlowLink: Link {
        let eventLoop: any EventLoop
        let peer = "slow.test"
        let owner: NIOLoopBoundBox<(any LinkHandler)?>
        private let network: SlowNetwork

        init(_ eventLoop: any EventLoop, _ network: SlowNetwork) {
            self.eventLoop = eventLoop
            self.network = network
            self.owner = NIOLoopBoundBox(nil, eventLoop: eventLoop)
        }

        var isWritable: Bool { !self.network.isFull }
        var unsentBytes: Int { self.network.state.withLock { $0.waiting } }
        func write(_ bytes: ByteBuffer) {
            self.network.state.withLock { state in
                if bytes.readableBytes > 10_000 { state.isFull = true }
                if state.isFull { state.waiting += bytes.readableBytes }
            }
            self.network.written.yield(bytes.readableBytes)
        }
        func setReading(_ isOn: Bool) {}
        func closeAfterWrites(within limit: Duration) { self.close() }
        func close() {
            self.eventLoop.execute {
                let owner = self.owner.value
                self.owner.value = nil
                owner?.linkClosed(nil)
            }
        }
    }
}
