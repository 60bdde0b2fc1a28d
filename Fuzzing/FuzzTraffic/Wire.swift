import CurlewCore
import NIOCore

@testable import FuzzSupport

/// One connection of a client: packets on their way in both directions, and the answers that the broker owes.
final class Wire: FuzzLinkWitness {
    /// Unique among all connections.
    let number: Int
    let client: Int
    let version: ProtocolVersion
    /// The maximum number of messages that the broker may have in flight.
    let window: Int
    /// Topics by the aliases that the broker has introduced.
    var aliases: IncomingTopicAliases
    private(set) lazy var link = self.broker.connect(self)
    private let broker: FuzzedBroker
    private unowned let model: Model

    private var outbox = ByteBuffer()
    /// Packets that the broker has written and the client has not read.
    private(set) var inbox: [Packet] = []
    private var fromClient: PacketInput
    private var fromBroker: PacketInput
    /// Whether nothing gets through in either direction. Anything on its way is lost with the connection.
    var isStalled = false
    /// Whether the client has read CONNACK.
    var isAccepted = false

    /// The session, while it belongs to this connection.
    var session: Session?
    /// Whether the broker may close the connection, and whether it must send Session taken over.
    var mayClose = false
    var isTakenOver = false
    /// Whether CONNACK has been written.
    private(set) var hasBegun = false
    /// The answers that the broker owes, in order, each with a closure for the moment when it is sent.
    private(set) var answers: [(packet: Packet, isTold: () -> Void)] = []
    /// The number of PUBRELs due for PUBRECs.
    var releases: [PacketID: Int] = [:]

    init(_ number: Int, client: Int, _ connect: Connect, _ broker: FuzzedBroker, _ model: Model) {
        self.number = number
        self.client = client
        self.version = connect.version
        self.broker = broker
        self.model = model
        let maximum = connect.properties.value { if case .receiveMaximum(let value) = $0 { value } else { nil } }
        self.window = min(Int(maximum ?? .max), Model.maximumInFlight)
        let aliases = connect.properties.value { if case .topicAliasMaximum(let value) = $0 { value } else { nil } }
        self.aliases = IncomingTopicAliases(maximum: aliases ?? 0)
        self.fromClient = PacketInput(
            PacketDecoder(from: .client, version: connect.version, maximumPacketSize: 1 << 16))
        self.fromBroker = PacketInput(
            PacketDecoder(from: .server, version: connect.version, maximumPacketSize: 1 << 16))
    }

    // MARK: The client's end

    /// Puts a packet on its way to the broker.
    func send(_ packet: Packet) {
        do {
            try packet.encode(into: &self.outbox, version: self.version)
        } catch {
            violation("the client cannot send \(packet): \(error)")
        }
    }

    /// Delivers the packets on their way to the broker. Returns whether there were any.
    func deliver() -> Bool {
        guard self.outbox.readableBytes > 0, !self.link.isClosed else { return false }
        let bytes = exchange(&self.outbox, with: ByteBuffer())
        self.link.receive(bytes)
        return true
    }

    func takeInbox() -> [Packet] { exchange(&self.inbox, with: []) }

    /// Loses the connection.
    func lose() {
        self.link.lose()
        self.model.lost(self)
    }

    // MARK: The broker's end

    func brokerWillRead(_ bytes: ByteBuffer) {
        self.fromClient.append(bytes)
        while let packet = try? self.fromClient.next() {
            Trace.line("\(self.client).\(self.number) > \(packet.summary)")
            self.model.received(packet, on: self)
        }
    }

    func brokerWrote(_ bytes: ByteBuffer) {
        self.fromBroker.append(bytes)
        while let packet = self.next() {
            Trace.line("\(self.client).\(self.number) < \(packet.summary)")
            self.model.wrote(packet, on: self)
            self.inbox.append(packet)
        }
    }

    private func next() -> Packet? {
        do {
            return try self.fromBroker.next()
        } catch {
            violation("the broker sent what is not MQTT: \(error)")
        }
    }

    func brokerClosed() {
        Trace.line("\(self.client).\(self.number) closed")
        expect(self.mayClose, "the broker has closed a connection of a client that has done nothing wrong")
    }

    // MARK: Answers

    /// Notes that the broker must send this packet, after the answers already due.
    func expectAnswer(_ packet: Packet, isTold: @escaping () -> Void = {}) {
        self.answers.append((packet.essence(in: self.version), isTold))
    }

    /// Checks an answer of the broker.
    func answered(_ packet: Packet) {
        guard let expected = self.answers.first else { violation("\(packet.summary) answers nothing") }
        let essence = packet.essence(in: self.version)
        expect(
            essence == expected.packet, "\(packet.summary) came where \(expected.packet.summary) had to come")
        self.answers.removeFirst()
        if case .connack = packet { self.hasBegun = true }
        expected.isTold()
    }
}

extension Packet {
    /// The packet without what the model does not predict: properties, and reason codes that the version does not have.
    fileprivate func essence(in version: ProtocolVersion) -> Packet {
        func plain(_ packet: Acknowledgement) -> Acknowledgement {
            Acknowledgement(packet.packetID, reasonCode: version == .v5_0 ? packet.reasonCode : .success)
        }
        switch self {
        case .connack(let packet):
            return .connack(ConnAck(sessionPresent: packet.sessionPresent, reasonCode: packet.reasonCode))
        case .puback(let packet): return .puback(plain(packet))
        case .pubrec(let packet): return .pubrec(plain(packet))
        case .pubcomp(let packet): return .pubcomp(plain(packet))
        case .unsuback(let packet):
            return .unsuback(UnsubAck(packet.packetID, version == .v5_0 ? packet.reasonCodes : []))
        default: return self
        }
    }
}
