import CurlewCore
import DequeModule

/// Packets of a publisher that waits for its receivers (``PublishHold``), until it goes on.
struct WaitingPackets {
    private var packets = Deque<(packet: Packet, size: Int)>()
    /// What they took on the wire.
    private(set) var byteCount = 0

    var isEmpty: Bool { self.packets.isEmpty }

    /// Whether nothing more should be read.
    var isFull: Bool { self.byteCount >= 64 << 10 || self.packets.count >= 1000 }

    mutating func append(_ packet: Packet, size: Int) {
        self.packets.append((packet, size))
        self.byteCount += size
    }

    mutating func popFirst() -> Packet? {
        guard let (packet, size) = self.packets.popFirst() else { return nil }
        self.byteCount -= size
        return packet
    }

    mutating func removeAll() { self = WaitingPackets() }
}

extension Packet {
    /// Whether it may be processed before messages that the client has published earlier. Those whom the client waits for may in turn wait for
    /// its acknowledgements.
    var overtakesMessages: Bool {
        switch self {
        case .puback, .pubrec, .pubcomp, .pingreq: true
        default: false
        }
    }
}
