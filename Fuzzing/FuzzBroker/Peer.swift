import CurlewCore
import NIOCore

@testable import FuzzSupport

/// The other end of a connection: follows the valid MQTT in the input, and reads the broker's packets as a client
/// would.
final class Peer: FuzzLinkWitness {
    private(set) lazy var link = self.broker.connect(self)
    private let broker: FuzzedBroker
    private var said = PacketInput(PacketDecoder(from: .client, version: .v5_0, maximumPacketSize: 4096))
    /// Set once a CONNECT has determined the protocol version.
    private var heard: PacketInput?
    private var inFlight: Set<PacketID> = []
    /// The Receive Maximum from CONNECT, if the input contains one.
    private var receiveMaximum = 65_535

    init(_ broker: FuzzedBroker) { self.broker = broker }

    func brokerWillRead(_ bytes: ByteBuffer) {
        self.said.append(bytes)
        while let packet = try? self.said.next() {
            switch packet {
            case .connect(let connect):
                guard self.heard == nil else { continue }
                self.heard = PacketInput(
                    PacketDecoder(from: .server, version: connect.version, maximumPacketSize: 1 << 20))
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

    /// The broker must write valid MQTT and keep to the client's window.
    func brokerWrote(_ bytes: ByteBuffer) {
        self.heard?.append(bytes)
        while let packet = self.next() {
            guard case .publish(let publish) = packet, let id = publish.packetID else { continue }
            self.inFlight.insert(id)
            assert(self.inFlight.count <= min(self.receiveMaximum, 5), "more is in flight than the client allows")
        }
    }

    private func next() -> Packet? {
        do {
            return try self.heard?.next()
        } catch {
            fatalError("the broker sent what is not MQTT: \(error)")
        }
    }

    func brokerClosed() {}
}
