import CurlewCore
import CurlewTransport
import LibFuzzer
import NIOCore
import NIOEmbedded
import Synchronization

@testable import CurlewBroker

/// Any bytes, in any portions, on three connections of a broker whose limits are small. Nothing may trap or hang; what the broker sends
/// is MQTT; it has no more in flight than the client allows; and what it keeps stays within its bounds.
@main
enum FuzzBroker {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments, testOneInput)
    }

    /// The input is a list of steps: a byte that chooses connection and action, one that counts, and so many bytes.
    static func run(_ input: UnsafeRawBufferPointer) {
        let broker = BrokerUnderTest()
        var rest = input[...]
        while let action = rest.popFirst() {
            let count = Int(rest.popFirst() ?? 0)
            let bytes = rest.prefix(count)
            rest = rest.dropFirst(count)
            broker.act(action, ByteBuffer(bytes: bytes))
        }
        broker.end()
    }
}

/// A broker on an event loop that runs when it is told to, so that each input always does the same.
private final class BrokerUnderTest {
    private let loop = EmbeddedEventLoop()
    private let engine: BrokerEngine
    private let worker: Worker
    private let rules: ClientRules
    private var peers: [FuzzLink?] = [nil, nil, nil]

    init() {
        var configuration = MQTTBrokerConfiguration()
        configuration.clock = MonotonicClock(StandingClock())
        configuration.limits.maximumPacketSize = 4096
        configuration.limits.maximumQueuedMessages = 20
        configuration.limits.maximumQueuedBytes = 16 << 10
        configuration.limits.maximumQueuedBytesOfAll = 32 << 10
        configuration.limits.maximumInFlightMessages = 5
        configuration.limits.receiveMaximum = 4
        configuration.limits.maximumSubscriptionsPerClient = 10
        configuration.limits.maximumRetainedMessages = 10
        configuration.limits.maximumSessions = 4
        configuration.behaviour.responseInformationPrefix = "replies/"
        self.engine = BrokerEngine(configuration, eventLoop: self.loop, workers: WorkerList())
        self.worker = Worker(onLoop: self.loop, engine: self.engine)
        self.rules = ClientRules(.tcp(), of: configuration)
    }

    func act(_ action: UInt8, _ bytes: ByteBuffer) {
        let index = Int(action & 3) % self.peers.count
        switch action >> 2 & 7 {
        case 0: self.peers[index]?.close()
        case 1: self.peers[index]?.setWritable(false)
        case 2: self.peers[index]?.setWritable(true)
        default: self.peer(index).receive(bytes)
        }
        self.run()
    }

    private func peer(_ index: Int) -> FuzzLink {
        if let peer = self.peers[index], !peer.isClosed { return peer }
        let peer = FuzzLink(self.loop)
        self.peers[index] = peer
        let connection = BrokerConnection(
            peer, rules: self.rules, certificate: nil, engine: self.engine, worker: self.worker)
        peer.owner = connection
        connection.open()
        return peer
    }

    private func run() {
        for _ in 0..<4 { self.loop.advanceTime(by: .milliseconds(1)) }
        for peer in self.peers { peer?.check() }
        for session in self.engine.sessions.all {
            session.state.withLock { state in
                assert(state.session.queuedMessages <= 20)
                assert(state.session.queuedBytes <= 16 << 10)
                assert(state.session.messagesInFlight <= 65_535)
                assert(state.subscriptions.count <= 10)
            }
        }
        assert(self.engine.retained.withLock { $0.count } <= 10)
    }

    func end() {
        for peer in self.peers { peer?.close() }
        self.run()
        assert(self.engine.connectedClients.value == 0, "a client is counted that is not there")
        self.engine.deadlines.cancelAll()
        self.run()
    }
}

/// The broker's end of a connection, which keeps what is written and reads it as the client would.
private final class FuzzLink: Link, @unchecked Sendable {
    // Used on one thread.
    let eventLoop: any EventLoop
    let peer = "fuzz"
    let isLocal = true
    var owner: BrokerConnection?
    private(set) var isClosed = false
    private(set) var isWritable = true
    private(set) var unsentBytes = 0
    private var isReading = true
    private var unread: [ByteBuffer] = []
    private var written = ByteBuffer()
    private var said = PacketInput(PacketDecoder(from: .client, version: .v5_0, maximumPacketSize: 4096))
    /// Present once the client has said which version it speaks.
    private var decoder: PacketDecoder?
    private var inFlight: Set<PacketID> = []
    /// As much as the client's first bytes say, if they are a CONNECT.
    private var receiveMaximum = 65_535

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func receive(_ bytes: ByteBuffer) {
        self.unread.append(bytes)
        self.read()
    }

    /// Follows what the client says, as far as it is MQTT.
    private func follow(_ bytes: ByteBuffer) {
        self.said.append(bytes)
        while let packet = try? self.said.next() {
            switch packet {
            case .connect(let connect):
                guard self.decoder == nil else { continue }
                self.decoder = PacketDecoder(from: .server, version: connect.version, maximumPacketSize: 1 << 20)
                let maximum: UInt16? = connect.properties.value {
                    if case .receiveMaximum(let value) = $0 { value } else { nil }
                }
                self.receiveMaximum = Int(maximum ?? .max)
            case .puback(let packet), .pubcomp(let packet): self.inFlight.remove(packet.packetID)
            case .pubrec(let packet): if packet.reasonCode.isFailure { self.inFlight.remove(packet.packetID) }
            default: continue
            }
        }
    }

    private func read() {
        while self.isReading, !self.isClosed, !self.unread.isEmpty {
            let bytes = self.unread.removeFirst()
            self.check()
            self.follow(bytes)
            if bytes.readableBytes > 0 { self.owner?.linkRead(bytes) }
            self.owner?.linkReadCompleted()
        }
    }

    func setWritable(_ isOn: Bool) {
        guard self.isWritable != isOn, !self.isClosed else { return }
        self.isWritable = isOn
        self.owner?.linkWritabilityChanged(isOn)
    }

    func write(_ bytes: ByteBuffer) {
        guard !self.isClosed else { return }
        self.written.writeImmutableBuffer(bytes)
    }

    func setReading(_ isOn: Bool) {
        self.isReading = isOn
        if isOn { self.eventLoop.execute { self.read() } }
    }

    func closeAfterWrites(within limit: Duration) { self.close() }

    func close() {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.eventLoop.execute {
            self.owner?.linkClosed(nil)
            self.owner = nil
        }
    }

    /// What was written must be MQTT, and leave the client's window as it is.
    func check() {
        guard var decoder else { return }
        while true {
            let packet: Packet?
            do {
                packet = try decoder.decode(from: &self.written)
            } catch {
                fatalError("the broker sent what is not MQTT: \(error)")
            }
            self.decoder = decoder
            switch packet {
            case .publish(let publish)?:
                if let id = publish.packetID { self.inFlight.insert(id) }
                assert(self.inFlight.count <= min(self.receiveMaximum, 5), "more is in flight than the client allows")
            case nil: return
            default: break
            }
        }
    }
}

/// A clock that stands still, and on which nobody can sleep.
private struct StandingClock: Clock {
    struct Instant: InstantProtocol {
        var offset: Duration

        func advanced(by duration: Duration) -> Self { Self(offset: self.offset + duration) }
        func duration(to other: Self) -> Duration { other.offset - self.offset }
        static func < (left: Self, right: Self) -> Bool { left.offset < right.offset }
    }

    var now: Instant { Instant(offset: .seconds(1)) }
    var minimumResolution: Duration { .nanoseconds(1) }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws { throw CancellationError() }
}

/// libFuzzer's own main, linked in but not used, looks for this name.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzBroker.run(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}
