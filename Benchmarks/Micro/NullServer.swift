import CurlewCore
import CurlewTransport
import NIOCore

/// A minimal server for benchmarks: it discards publishes, acknowledges QoS 1 and 2, grants all subscriptions, and
/// sends messages when told to. It knows nothing about topics, sessions or other clients.
final class NullServer: LinkHandler {
    private let link: any Link
    private var decoder = PacketDecoder(from: .client, version: .v5_0, maximumPacketSize: 1 << 20)
    private var partial = ByteBuffer()
    private var out = ByteBuffer()
    private let onSubscribe: @Sendable (any Link) -> Void

    init(_ link: any Link, onSubscribe: @escaping @Sendable (any Link) -> Void) {
        self.link = link
        self.onSubscribe = onSubscribe
    }

    func linkRead(_ bytes: ByteBuffer) {
        var bytes = bytes
        if self.partial.readableBytes > 0 {
            self.partial.writeBuffer(&bytes)
            swap(&self.partial, &bytes)
        }
        do {
            while let packet = try self.decoder.decode(from: &bytes) { try self.answer(packet) }
        } catch {
            self.link.close()
        }
        self.partial = ByteBuffer(bytes: bytes.readableBytesView)
    }

    private func answer(_ packet: Packet) throws {
        switch packet {
        case .connect:
            let properties = Properties([.receiveMaximum(.max), .sharedSubscriptionAvailable(true)])
            try Packet.connack(ConnAck(properties: properties)).encode(into: &self.out, version: .v5_0)
        case .publish(let publish):
            guard let id = publish.packetID else { return }
            let kind: Acknowledgement.Kind = publish.qos == .atLeastOnce ? .puback : .pubrec
            try Acknowledgement(id).encode(as: kind, into: &self.out, version: .v5_0)
        case .pubrel(let pubrel):
            try Acknowledgement(pubrel.packetID).encode(as: .pubcomp, into: &self.out, version: .v5_0)
        case .subscribe(let subscribe):
            let codes = subscribe.subscriptions.map { _ in ReasonCode.grantedQoS2 }
            try Packet.suback(SubAck(subscribe.packetID, codes)).encode(into: &self.out, version: .v5_0)
            self.onSubscribe(self.link)
        case .unsubscribe(let unsubscribe):
            let codes = unsubscribe.filters.map { _ in ReasonCode.success }
            try Packet.unsuback(UnsubAck(unsubscribe.packetID, codes)).encode(into: &self.out, version: .v5_0)
        case .pingreq: try Packet.pingresp.encode(into: &self.out, version: .v5_0)
        default: break
        }
    }

    func linkReadCompleted() {
        guard self.out.readableBytes > 0 else { return }
        self.link.write(self.out)
        self.out.clear()
    }

    func linkWritabilityChanged(_ isWritable: Bool) {}
    func linkClosed(_ error: TransportError?) {}
}

@available(*, unavailable)
extension NullServer: Sendable {}
