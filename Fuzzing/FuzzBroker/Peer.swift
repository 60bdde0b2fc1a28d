import CurlewCore
import NIOCore

@testable import FuzzSupport

/// Whoever is at the other end of a connection: follows what it sends, as far as that is MQTT, and reads what the broker sends as a client would.
final class Peer: FuzzLinkWitness {
    private(set) lazy var link = self.broker.connect(self)
    private let broker: FuzzedBroker
    private var said = PacketInput(PacketDecoder(from: .client, version: .v5_0, maximumPacketSize: 4096))
    /// Present once the client has said which version it speaks.
    private var heard: PacketInput?
    private var inFlight: Set<PacketID> = []
    /// As much as the client's first bytes say, if they are a CONNECT.
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

    /// What is written must be MQTT, and leave the client's window as it is.
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
