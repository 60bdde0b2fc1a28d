import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Synchronization
import Testing

@testable import CurlewBroker

/// Starts a broker on an in-memory network, with clients that send exactly what the test wants.
func withPeers<Result>(
    logger: Logger? = nil, _ configure: (inout MQTTBrokerConfiguration) -> Void = { _ in },
    _ body: (PeerFactory) async throws -> Result
) async throws -> Result {
    let network = InMemoryNetwork()
    let endpoint = Endpoint(host: "broker", port: 1883)
    var configuration = MQTTBrokerConfiguration(listeners: [.inMemory(network, at: endpoint)])
    configuration.systemTopicInterval = .zero
    configure(&configuration)
    let broker = MQTTBroker(configuration, logger: logger)
    try await broker.start()
    do {
        let result = try await body(PeerFactory(broker: broker, network: network, endpoint: endpoint))
        await broker.stop()
        return result
    } catch {
        await broker.stop()
        throw error
    }
}

struct PeerFactory {
    let broker: MQTTBroker
    let network: InMemoryNetwork
    let endpoint: Endpoint

    /// Opens a connection without sending anything.
    func open(version: ProtocolVersion = .v5_0) async throws -> Peer {
        let (packets, continuation) = AsyncStream<Peer.Event>.makeStream()
        let arrived = Arrived()
        let loop = EventLoops.shared.next()
        let link = OneLink()
        try await self.network.connect(to: self.endpoint, on: loop) { opened in
            link.set(opened)
            return PeerHandler(version: version, arrived: arrived, continuation: continuation)
        }
        return Peer(link: try #require(link.link), packets: packets, arrived: arrived, version: version)
    }

    /// Connects a client and checks that the broker accepts it.
    func connect(
        _ identifier: String, version: ProtocolVersion = .v5_0, _ change: (inout Connect) -> Void = { _ in }
    ) async throws -> Peer {
        let peer = try await self.open(version: version)
        var connect = Connect(version: version, keepAlive: 0, clientIdentifier: identifier)
        change(&connect)
        try await peer.send(.connect(connect))
        let ack = try await peer.receive()
        guard case .connack(let ack) = ack, ack.reasonCode == .success else {
            Issue.record("the broker answered CONNECT with \(ack)")
            throw PeerError.unexpected(ack)
        }
        peer.connAck = ack
        return peer
    }
}

enum PeerError: Error {
    case unexpected(Packet)
    case closed
}

/// A client for one test, used by a single task.
final class Peer {
    enum Event: Sendable {
        case packet(Packet)
        case closed
    }

    let link: any Link
    let version: ProtocolVersion
    var connAck = ConnAck()
    private var packets: AsyncStream<Event>.Iterator
    private let arrived: Arrived

    /// The number of packets that have arrived, including those not yet received by the test.
    var arrivedPackets: Int { self.arrived.count.load(ordering: .acquiring) }

    fileprivate init(link: any Link, packets: AsyncStream<Event>, arrived: Arrived, version: ProtocolVersion) {
        self.link = link
        self.arrived = arrived
        self.packets = packets.makeAsyncIterator()
        self.version = version
    }

    func send(_ packets: Packet...) async throws {
        var bytes = ByteBuffer()
        for packet in packets { try packet.encode(into: &bytes, version: self.version) }
        self.send(bytes)
    }

    func send(_ bytes: ByteBuffer) {
        self.link.eventLoop.execute { [link] in link.write(bytes) }
    }

    /// The next packet.
    func receive() async throws -> Packet {
        guard case .packet(let packet)? = await self.packets.next() else { throw PeerError.closed }
        return packet
    }

    func receivePublish() async throws -> Publish {
        let packet = try await self.receive()
        guard case .publish(let publish) = packet else { throw PeerError.unexpected(packet) }
        return publish
    }

    /// The broker's last packet, if any; fails if the broker does not close the connection after it.
    func receiveEnd() async throws -> Packet? {
        guard case .packet(let packet)? = await self.packets.next() else { return nil }
        guard case .packet(let more)? = await self.packets.next() else { return packet }
        throw PeerError.unexpected(more)
    }

    /// Sends PINGREQ and fails if anything but PINGRESP arrives. Everything sent before has then been processed.
    func expectNothing() async throws {
        try await self.send(.pingreq)
        let packet = try await self.receive()
        guard case .pingresp = packet else { throw PeerError.unexpected(packet) }
    }

    func subscribe(
        _ filters: String..., options: SubscriptionOptions = SubscriptionOptions(), identifier: UInt32? = nil
    ) async throws -> [ReasonCode] {
        let properties = Properties(identifier.map { [.subscriptionIdentifier($0)] } ?? [])
        let id = try #require(PacketID(1))
        try await self.send(
            .subscribe(
                Subscribe(
                    id, try filters.map { Subscribe.Subscription(try TopicFilter($0), options) }, properties: properties
                )))
        let packet = try await self.receive()
        guard case .suback(let ack) = packet else { throw PeerError.unexpected(packet) }
        #expect(ack.packetID == id)
        return ack.reasonCodes
    }

    func publish(
        _ text: String, to topic: String, qos: QoS = .atMostOnce, retain: Bool = false, dup: Bool = false,
        id: UInt16 = 1,
        properties: Properties = Properties()
    ) async throws {
        try await self.send(
            .publish(
                Publish(
                    topic: try TopicName(topic), payload: ByteBuffer(string: text), qos: qos, retain: retain, dup: dup,
                    packetID: qos == .atMostOnce ? nil : PacketID(id), properties: properties)))
    }

    /// Publishes, and waits until the broker has fully acknowledged the message.
    func deliver(
        _ text: String, to topic: String, qos: QoS = .atLeastOnce, retain: Bool = false, id: UInt16 = 1,
        properties: Properties = Properties()
    ) async throws -> ReasonCode {
        try await self.publish(text, to: topic, qos: qos, retain: retain, id: id, properties: properties)
        switch try await self.receive() {
        case .puback(let ack) where qos == .atLeastOnce: return ack.reasonCode
        case .pubrec(let ack) where qos == .exactlyOnce:
            guard !ack.reasonCode.isFailure else { return ack.reasonCode }
            try await self.send(.pubrel(Acknowledgement(ack.packetID)))
            guard case .pubcomp = try await self.receive() else { throw PeerError.closed }
            return ack.reasonCode
        case let other: throw PeerError.unexpected(other)
        }
    }

    func close() { self.link.close() }

    func setReading(_ isOn: Bool) {
        self.link.eventLoop.execute { [link] in link.setReading(isOn) }
    }
}

private final class Arrived: Sendable {
    let count = Atomic<Int>(0)
}

private final class OneLink: @unchecked Sendable {
    // Set on the event loop before `connect` returns, and only read afterwards.
    private(set) var link: (any Link)?

    func set(_ link: any Link) { self.link = link }
}

private final class PeerHandler: LinkHandler {
    private var input: PacketInput
    private let arrived: Arrived
    private let continuation: AsyncStream<Peer.Event>.Continuation

    init(version: ProtocolVersion, arrived: Arrived, continuation: AsyncStream<Peer.Event>.Continuation) {
        self.arrived = arrived
        self.input = PacketInput(PacketDecoder(from: .server, version: version, maximumPacketSize: 1 << 24))
        self.continuation = continuation
    }

    func linkRead(_ bytes: ByteBuffer) {
        self.input.append(bytes)
        do throws(DecodingError) {
            while let packet = try self.input.next() {
                self.arrived.count.wrappingAdd(1, ordering: .releasing)
                self.continuation.yield(.packet(packet))
            }
        } catch {
            Issue.record("the broker sent what is not MQTT: \(error)")
        }
    }

    func linkReadCompleted() {}

    func linkWritabilityChanged(_ isWritable: Bool) {}

    func linkClosed(_ error: TransportError?) {
        self.continuation.yield(.closed)
        self.continuation.finish()
    }
}

/// Yields, in a loop that waits for a condition; throws when the test's time limit has passed.
func letOthersRun() async throws {
    try Task.checkCancellation()
    await Task.yield()
}
