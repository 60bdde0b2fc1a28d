import CurlewTransport
import NIOCore
import Synchronization
import Testing

@Suite("Links of the in-memory network", .timeLimit(.minutes(1)))
struct InMemoryNetworkTests {
    private static let endpoint = Endpoint(host: "broker", port: 1883)

    /// Makes both ends of a link, each on its own event loop.
    private func makePair(
        capacity: Int = 1000, accepted: Accepted = Accepted()
    ) async throws -> (near: Probe, far: Probe) {
        let network = InMemoryNetwork(capacity: capacity)
        network.listen(at: Self.endpoint, on: EventLoops.shared.next()) { accepted.accept($0) }
        let near = try await network.probe(Self.endpoint)
        return (near, try await accepted.next())
    }

    @Test("Bytes arrive in both directions")
    func echo() async throws {
        let (near, _) = try await self.makePair(accepted: Accepted(echoes: true))
        try await near.write("curlew")
        #expect(await near.read(6) == "curlew")
        #expect(near.link.peer == "broker:1883")
    }

    @Test("Each write arrives as one read, followed by its completion")
    func portions() async throws {
        let (near, far) = try await self.makePair()
        try await near.onLoop { link in
            link.write(ByteBuffer(string: "one"))
            link.write(ByteBuffer(string: "two"))
        }
        for expected in ["one", "two"] {
            guard case .read(let bytes)? = await far.nextEvent(), case .readCompleted? = await far.nextEvent() else {
                Issue.record("expected a read and then its completion")
                return
            }
            #expect(String(buffer: bytes) == expected)
        }
    }

    @Test("What the listener writes as soon as it accepts arrives")
    func greeting() async throws {
        let (near, _) = try await self.makePair(accepted: Accepted { $0.write(ByteBuffer(string: "welcome")) })
        #expect(await near.read(7) == "welcome")
    }

    @Test("A link is not writable while more than its capacity is unread, and becomes writable again")
    func backPressure() async throws {
        let (near, far) = try await self.makePair(accepted: Accepted { $0.setReading(false) })
        try await near.write(ByteBuffer(repeating: 7, count: 1000))
        #expect(try await near.onLoop { $0.isWritable })
        try await near.write("1")
        await near.waitForWritability(false)
        #expect(try await near.onLoop { $0.isWritable } == false)
        try await far.onLoop { $0.setReading(true) }
        await near.waitForWritability(true)
        #expect(await far.read(1001).utf8.count == 1001)
    }

    @Test("Writes that arrive while reading is off are read with one completion when it is on again")
    func readingOff() async throws {
        let (near, far) = try await self.makePair(accepted: Accepted { $0.setReading(false) })
        for text in ["a", "b", "c"] { try await near.write(text) }
        try await far.onLoop { $0.setReading(true) }
        var events: [String] = []
        while events.count < 4, let event = await far.nextEvent() {
            switch event {
            case .read(let bytes): events.append(String(buffer: bytes))
            case .readCompleted: events.append("completed")
            default: events.append("unexpected")
            }
        }
        #expect(events == ["a", "b", "c", "completed"])
    }

    @Test("Closing one end closes both exactly once, after delivering what was written", arguments: [true, false])
    func close(byNearEnd: Bool) async throws {
        let (near, far) = try await self.makePair()
        let (closing, other) = byNearEnd ? (near, far) : (far, near)
        try await closing.onLoop { link in
            link.write(ByteBuffer(string: "last words"))
            link.close()
            link.close()
        }
        let otherEnd = try await other.end()
        #expect(otherEnd.bytesBefore == 10)
        for end in [otherEnd, try await closing.end()] {
            #expect(end.error == nil)
            #expect(end.count == 1)
        }
    }

    @Test("Closing after writes waits for the peer to read")
    func closeAfterWrites() async throws {
        let (near, far) = try await self.makePair(accepted: Accepted { $0.setReading(false) })
        try await near.onLoop { link in
            link.write(ByteBuffer(repeating: 7, count: 5000))
            link.closeAfterWrites(within: .seconds(50))
        }
        try await far.onLoop { $0.setReading(true) }
        #expect(try await far.end().bytesBefore == 5000)
        let end = try await near.end()
        #expect(end.error == nil)
        #expect(end.count == 1)
    }

    @Test("Closing after writes gives up on a peer that does not read")
    func closeAfterWritesIsBounded() async throws {
        let (near, _) = try await self.makePair(accepted: Accepted { $0.setReading(false) })
        try await near.onLoop { link in
            link.write(ByteBuffer(repeating: 7, count: 5000))
            link.closeAfterWrites(within: .milliseconds(1))
        }
        #expect(try await near.end().count == 1)
    }

    @Test("A link that fails reports the error to both ends")
    func failure() async throws {
        let (near, far) = try await self.makePair()
        let link = try #require(near.link as? InMemoryLink)
        link.fail(TransportError(.connectionLost, "The cable was cut."))
        for end in [try await near.end(), try await far.end()] {
            #expect(end.error?.message == "The cable was cut.")
            #expect(end.count == 1)
        }
    }

    @Test("Connecting is refused if nothing listens, or nothing listens any more")
    func refused() async throws {
        let network = InMemoryNetwork()
        #expect(try await network.failure(connectingTo: Self.endpoint).code == .connectionRefused)
        let accepted = Accepted()
        network.listen(at: Self.endpoint, on: EventLoops.shared.next()) { accepted.accept($0) }
        _ = try await network.probe(Self.endpoint)
        network.stopListening(at: Self.endpoint)
        #expect(try await network.failure(connectingTo: Self.endpoint).code == .connectionRefused)
    }

    @Test("An attempt that is never answered times out")
    func timeout() async throws {
        let network = InMemoryNetwork(timeout: .milliseconds(1))
        network.ignoreConnections(to: Self.endpoint)
        let error = try await network.failure(connectingTo: Self.endpoint)
        #expect(error.code == .timedOut)
        #expect(error.message.contains("broker:1883"))
    }

    @Test("Cancelling the task ends the attempt")
    func cancellation() async throws {
        let network = InMemoryNetwork(timeout: .seconds(50))
        network.ignoreConnections(to: Self.endpoint)
        let attempt = Task { try await network.failure(connectingTo: Self.endpoint) }
        attempt.cancel()
        #expect(try await attempt.value.code == .cancelled)
    }
}
