import CurlewTransport
import NIOCore
import Synchronization

/// A link's owner that records its events in order, and lets a test wait for them.
final class Probe: LinkHandler, Sendable {
    enum Event: Sendable {
        case read(ByteBuffer)
        case readCompleted
        case writability(Bool)
        case closed(TransportError?)
    }

    let link: any Link
    private let echoes: Bool
    private let events: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation
    private let closeCount = Mutex(0)
    /// What was read but not yet taken by `takeRead()`.
    private let unread = Mutex("")

    init(_ link: any Link, echoes: Bool = false) {
        self.link = link
        self.echoes = echoes
        (self.events, self.continuation) = AsyncStream.makeStream()
    }

    func linkRead(_ bytes: ByteBuffer) {
        self.unread.withLock { $0 += String(buffer: bytes) }
        self.continuation.yield(.read(bytes))
        if self.echoes { self.link.write(bytes) }
    }

    func linkReadCompleted() { self.continuation.yield(.readCompleted) }

    func linkWritabilityChanged(_ isWritable: Bool) { self.continuation.yield(.writability(isWritable)) }

    func linkClosed(_ error: TransportError?) {
        self.closeCount.withLock { $0 += 1 }
        self.continuation.yield(.closed(error))
    }

    // MARK: What a test does with a probe

    func write(_ text: String) async throws { try await self.write(ByteBuffer(string: text)) }

    func write(_ bytes: ByteBuffer) async throws { try await self.onLoop { $0.write(bytes) } }

    /// Runs `body` on the link's event loop.
    @discardableResult
    func onLoop<Result: Sendable>(_ body: @escaping @Sendable (any Link) -> Result) async throws -> Result {
        try await self.link.eventLoop.submit { [link] in body(link) }.get()
    }

    /// What was read since the last call, without waiting.
    func takeRead() -> String {
        self.unread.withLock { text in
            defer { text = "" }
            return text
        }
    }

    func nextEvent() async -> Event? {
        var iterator = self.events.makeAsyncIterator()
        return await iterator.next()
    }

    /// Waits for `count` bytes in total, and ignores other events. Returns fewer bytes if the link closes first.
    func read(_ count: Int) async -> String {
        var bytes = ByteBuffer()
        while bytes.readableBytes < count, let event = await self.nextEvent() {
            switch event {
            case .read(let more): bytes.writeImmutableBuffer(more)
            case .closed: return String(buffer: bytes)
            default: continue
            }
        }
        return String(buffer: bytes)
    }

    func waitForWritability(_ isWritable: Bool) async {
        while let event = await self.nextEvent() {
            if case .writability(isWritable) = event { return }
        }
    }

    struct End {
        var error: TransportError?
        /// The number of bytes read between the test's last wait and the close.
        var bytesBefore = 0
        /// How often the link reported its close; must be 1.
        var count = 0
    }

    /// Waits for the close, and then for everything queued on the event loop.
    func end() async throws -> End {
        var end = End()
        while let event = await self.nextEvent() {
            if case .read(let bytes) = event { end.bytesBefore += bytes.readableBytes }
            if case .closed(let error) = event {
                end.error = error
                break
            }
        }
        for _ in 0..<3 { try await self.link.eventLoop.submit {}.get() }
        end.count = self.closeCount.withLock { $0 }
        return end
    }
}

/// The links that a listener has accepted, in order.
final class Accepted: Sendable {
    private let probes: AsyncStream<Probe>
    private let continuation: AsyncStream<Probe>.Continuation
    private let prepare: @Sendable (any Link) -> Void
    private let echoes: Bool

    init(echoes: Bool = false, prepare: @escaping @Sendable (any Link) -> Void = { _ in }) {
        (self.probes, self.continuation) = AsyncStream.makeStream()
        self.prepare = prepare
        self.echoes = echoes
    }

    func accept(_ link: any Link) -> any LinkHandler {
        let probe = Probe(link, echoes: self.echoes)
        self.prepare(link)
        self.continuation.yield(probe)
        return probe
    }

    func next() async throws -> Probe {
        for await probe in self.probes { return probe }
        throw CancellationError()
    }
}

extension Connector {
    func probe(_ endpoint: Endpoint, on eventLoop: any EventLoop = EventLoops.shared.next()) async throws -> Probe {
        let made = Mutex<Probe?>(nil)
        try await self.connect(to: endpoint, on: eventLoop) { link in
            let probe = Probe(link)
            made.withLock { $0 = probe }
            return probe
        }
        guard let probe = made.withLock({ $0 }) else { throw CancellationError() }
        return probe
    }

    /// Returns the error of an attempt that must fail.
    func failure(connectingTo endpoint: Endpoint) async throws -> TransportError {
        do {
            // If only the peer rejects the handshake, our own handshake succeeds before the link fails.
            let end = try await self.probe(endpoint).end()
            return end.error ?? TransportError(.connectionLost, "closed without an error")
        } catch let error as TransportError {
            return error
        }
    }
}

/// Runs a listener on a free port for the duration of `body`.
func withListener<Result>(
    host: String = "127.0.0.1", tls: TLSServerSettings? = nil, accepted: Accepted = Accepted(),
    _ body: (_ port: Int, Accepted) async throws -> Result
) async throws -> Result {
    let listener = try await SocketListener.bind(to: .host(host, port: 0), tls: tls) { accepted.accept($0) }
    do {
        let result = try await body(listener.port, accepted)
        await listener.close()
        return result
    } catch {
        await listener.close()
        throw error
    }
}
