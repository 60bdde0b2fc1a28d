import CurlewCore
import DequeModule

/// Packets of a publisher that waits for its receivers (``PublishHold``), until it goes on.
struct WaitingPackets {
    fileprivate struct Waiting {
        let packet: Packet
        /// What it took on the wire.
        let size: Int
        /// What its payload keeps alive besides.
        let slack: Int
    }

    private var packets = Deque<Waiting>()
    /// What they took on the wire.
    private var size = 0
    private var slack = 0

    /// A packet with its place in the queue and the heads of its buffers.
    private static let overhead = 256

    var isEmpty: Bool { self.packets.isEmpty }

    /// Whether nothing more should be read.
    var isFull: Bool { self.size >= 64 << 10 || self.packets.count >= 1000 }

    /// What they take in memory, roughly.
    var byteCount: Int { self.size + self.slack + self.packets.count * Self.overhead }

    mutating func append(_ packet: Packet, size: Int) {
        let waiting = Waiting(packet: packet.withoutUnusedStorage, size: size)
        self.packets.append(waiting)
        self.size += waiting.size
        self.slack += waiting.slack
    }

    mutating func popFirst() -> Packet? {
        guard let first = self.packets.popFirst() else { return nil }
        self.size -= first.size
        self.slack -= first.slack
        return first.packet
    }
}

extension WaitingPackets.Waiting {
    fileprivate init(packet: Packet, size: Int) {
        self.packet = packet
        self.size = size
        if case .publish(let publish) = packet {
            self.slack = max(0, publish.payload.storageCapacity - publish.payload.readableBytes)
        } else {
            self.slack = 0
        }
    }
}

extension Packet {
    /// The packet, with its payload in storage of its own: many small ones would each keep a whole read alive.
    fileprivate var withoutUnusedStorage: Packet {
        guard case .publish(var publish) = self else { return self }
        publish.payload = publish.payload.withoutUnusedStorage
        return .publish(publish)
    }

    /// Whether it may be processed before messages that the client has published earlier. Those whom the client waits for may in turn wait for
    /// its acknowledgements.
    var overtakesMessages: Bool {
        switch self {
        case .puback, .pubrec, .pubcomp, .pingreq: true
        default: false
        }
    }
}
