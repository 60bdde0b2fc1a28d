import CurlewTransport
import NIOCore
import Testing

@Suite("Links over sockets", .timeLimit(.minutes(1)))
struct SocketLinkTests {
    /// The transports below a link; all must behave alike.
    enum Carrier: CaseIterable {
        case tcp, tls, webSocket, secureWebSocket, unix

        private var isSecure: Bool { self == .tls || self == .secureWebSocket }

        private var isWebSocket: Bool { self == .webSocket || self == .secureWebSocket }

        /// More than fits into the buffers of both ends. The debug build takes its time to mask bytes.
        var large: Int { self.isWebSocket ? 8 << 20 : 64 << 20 }

        func connector() throws -> SocketConnector {
            try SocketConnector(timeout: .seconds(50), tls: self.isSecure ? Fixture.client() : nil)
        }

        /// Runs a listener for the duration of `body`.
        func withListener(_ accepted: Accepted, _ body: (Endpoint) async throws -> Void) async throws {
            let file = SocketFile(path: "/tmp/curlew-\(UInt64.random(in: 0 ... .max)).sock")
            let listener = try await SocketListener.bind(
                to: self == .unix ? .socketFile(file) : .host("127.0.0.1", port: 0),
                tls: self.isSecure ? Fixture.server() : nil, webSocket: self.isWebSocket ? .init() : nil
            ) { accepted.accept($0) }
            let endpoint =
                self == .unix
                ? Endpoint(socketFile: file.path)
                : Endpoint(
                    host: "127.0.0.1", port: listener.port, security: self.isSecure ? .tls : .plain,
                    webSocket: self.isWebSocket ? "/mqtt" : nil)
            do { try await body(endpoint) } catch {
                await listener.close()
                throw error
            }
            await listener.close()
        }
    }

    /// Runs `body` with both ends of a link.
    private func withPair(
        _ carrier: Carrier, accepted: Accepted = Accepted(), _ body: (_ near: Probe, _ far: Probe) async throws -> Void
    ) async throws {
        try await carrier.withListener(accepted) { endpoint in
            let near = try await carrier.connector().probe(endpoint)
            let far = try await accepted.next()
            try await body(near, far)
            near.link.close()
            far.link.close()
        }
    }

    @Test("Bytes arrive in both directions [MQTT-7.1.2-1]", arguments: Carrier.allCases)
    func echo(carrier: Carrier) async throws {
        try await self.withPair(carrier, accepted: Accepted(echoes: true)) { near, far in
            try await near.write("curlew")
            #expect(await near.read(6) == "curlew")
        }
    }

    @Test(
        "drain delivers what has arrived although reading is off", arguments: Carrier.allCases
    )
    func drain(carrier: Carrier) async throws {
        try await self.withPair(carrier) { near, far in
            try await far.onLoop { $0.setReading(false) }
            // More than fits into one read.
            let text = String(repeating: "curlew ", count: 5000)
            try await near.write(text)
            #expect(await self.drain(far, until: text.utf8.count) == text)
            try await near.write("later")
            try await far.onLoop { $0.setReading(true) }
            #expect(await far.read(text.utf8.count + 5).hasSuffix("later"))
        }
    }

    @Test("drain delivers what arrived before the peer closed", arguments: Carrier.allCases)
    func drainToEnd(carrier: Carrier) async throws {
        try await self.withPair(carrier) { near, far in
            try await far.onLoop { $0.setReading(false) }
            try await near.write("bye")
            near.link.close()
            #expect(await self.drain(far, until: 3) == "bye")
        }
    }

    /// Drains a link repeatedly until `count` bytes have come, since they may take a moment from one socket to the
    /// other.
    private func drain(_ probe: Probe, until count: Int) async -> String {
        var text = ""
        while text.utf8.count < count {
            await withCheckedContinuation { continuation in
                probe.link.eventLoop.execute {
                    probe.link.drain(atMost: 1 << 20, within: .seconds(5)) { continuation.resume() }
                }
            }
            text += probe.takeRead()
        }
        return text
    }

    @Test("The addresses of a host name are tried until one answers")
    func hostName() async throws {
        try await withListener(accepted: Accepted(echoes: true)) { port, _ in
            let near = try await SocketConnector().probe(Endpoint(host: "localhost", port: port))
            try await near.write("hello")
            #expect(await near.read(5) == "hello")
            #expect(near.link.peer == "localhost:\(port)")
            near.link.close()
        }
    }

    private static func hasIPv6() async -> Bool {
        guard let listener = try? await SocketListener.bind(to: .host("::1", port: 0), accept: { Probe($0) }) else {
            return false
        }
        await listener.close()
        return true
    }

    @Test("IPv6 works", .enabled("this machine has no IPv6") { await Self.hasIPv6() })
    func version6() async throws {
        try await withListener(host: "::1", accepted: Accepted(echoes: true)) { port, _ in
            let near = try await SocketConnector().probe(Endpoint(host: "::1", port: port))
            try await near.write("hello")
            #expect(await near.read(5) == "hello")
            #expect(near.link.peer == "[::1]:\(port)")
            near.link.close()
        }
    }

    @Test("Each read is followed by its completion")
    func completion() async throws {
        try await self.withPair(.tcp) { near, far in
            try await near.write("x")
            guard case .read? = await far.nextEvent(), case .readCompleted? = await far.nextEvent() else {
                Issue.record("expected a read and then its completion")
                return
            }
        }
    }

    @Test("Closing a link closes both ends once and without an error", arguments: Carrier.allCases)
    func close(carrier: Carrier) async throws {
        try await self.withPair(carrier) { near, far in
            near.link.close()
            near.link.close()
            for end in [try await near.end(), try await far.end()] {
                #expect(end.error == nil)
                #expect(end.count == 1)
            }
        }
    }

    @Test("A close by the peer closes both ends once and without an error", arguments: Carrier.allCases)
    func peerCloses(carrier: Carrier) async throws {
        try await self.withPair(carrier) { near, far in
            far.link.close()
            for end in [try await near.end(), try await far.end()] {
                #expect(end.error == nil)
                #expect(end.count == 1)
            }
        }
    }

    @Test("A reset connection is reported as an error, once")
    func reset() async throws {
        let accepted = Accepted { $0.setReading(false) }
        try await self.withPair(.tcp, accepted: accepted) { near, far in
            // Unread data at the peer makes its kernel reset the connection instead of closing it.
            try await near.write("unread")
            far.link.close()
            let end = try await near.end()
            #expect(end.error?.code == .connectionLost)
            #expect(end.count == 1)
        }
    }

    @Test("Closing after writes delivers everything that was written", arguments: Carrier.allCases)
    func closeAfterWrites(carrier: Carrier) async throws {
        try await self.withPair(carrier) { near, far in
            let size = carrier.large / 8
            try await near.onLoop { link in
                link.write(ByteBuffer(repeating: 7, count: size))
                link.closeAfterWrites(within: .seconds(50))
                // After the close, so it is dropped.
                link.write(ByteBuffer(string: "more"))
            }
            let (farEnd, nearEnd) = (try await far.end(), try await near.end())
            #expect(farEnd.bytesBefore == size)
            #expect(farEnd.error == nil)
            #expect(nearEnd.error == nil)
            #expect(nearEnd.count == 1)
        }
    }

    @Test("Closing after writes drops what the peer still sends", arguments: Carrier.allCases)
    func closeAfterWritesDropsReads(carrier: Carrier) async throws {
        try await self.withPair(carrier, accepted: Accepted(echoes: true)) { near, far in
            try await near.onLoop { link in
                link.write(ByteBuffer(string: "echo me"))
                link.closeAfterWrites(within: .seconds(50))
            }
            let end = try await near.end()
            #expect(end.bytesBefore == 0)
            #expect(end.count == 1)
        }
    }

    @Test("Closing after writes gives up on a peer that does not read", arguments: Carrier.allCases)
    func closeAfterWritesIsBounded(carrier: Carrier) async throws {
        let accepted = Accepted { $0.setReading(false) }
        try await self.withPair(carrier, accepted: accepted) { near, far in
            try await near.onLoop { link in
                link.write(ByteBuffer(repeating: 7, count: carrier.large))
                link.closeAfterWrites(within: .milliseconds(20))
            }
            let end = try await near.end()
            #expect(end.error == nil)
            #expect(end.count == 1)
        }
    }

    @Test(
        "A link whose peer does not read stops being writable, and becomes writable again", arguments: Carrier.allCases)
    func backPressure(carrier: Carrier) async throws {
        let accepted = Accepted { $0.setReading(false) }
        try await self.withPair(carrier, accepted: accepted) { near, far in
            let size = carrier.large
            let wasWritable = try await near.onLoop { link in
                let before = link.isWritable
                link.write(ByteBuffer(repeating: 7, count: size))
                return before
            }
            #expect(wasWritable)
            await near.waitForWritability(false)
            #expect(try await near.onLoop { $0.isWritable } == false)
            try await far.onLoop { $0.setReading(true) }
            await near.waitForWritability(true)
            #expect(try await near.onLoop { $0.isWritable })
            #expect(await far.read(size).utf8.count == size)
        }
    }

    @Test("Everything that arrives while reading is off is read once it is on", arguments: Carrier.allCases)
    func readingOff(carrier: Carrier) async throws {
        try await self.withPair(carrier) { near, far in
            try await near.onLoop { $0.setReading(false) }
            let size = 32 << 20
            try await far.write(ByteBuffer(repeating: 7, count: size))
            // By now all buffers between the two ends are full.
            await far.waitForWritability(false)
            try await near.onLoop { $0.setReading(true) }
            #expect(await near.read(size).utf8.count == size)
        }
    }

    @Test("A busy link reads 64 KiB at once")
    func largeReads() async throws {
        let accepted = Accepted { $0.setReading(false) }
        try await self.withPair(.tcp, accepted: accepted) { near, far in
            let size = 4 << 20
            try await near.write(ByteBuffer(repeating: 7, count: size))
            try await far.onLoop { $0.setReading(true) }
            var (total, largest) = (0, 0)
            while total < size, let event = await far.nextEvent() {
                guard case .read(let bytes) = event else { continue }
                total += bytes.readableBytes
                largest = max(largest, bytes.readableBytes)
            }
            #expect(largest == 64 << 10)
        }
    }
}
