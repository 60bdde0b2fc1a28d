import CurlewCore
import DequeModule

/// Packets of a publisher that waits for its receivers (``PublishHold``).
struct WaitingPackets {
    fileprivate struct Waiting {
        let packet: Packet
        /// Its size on the wire.
        let size: Int
        /// The unused storage that its payload keeps alive.
        let slack: Int
    }

    private var packets = Deque<Waiting>()
    /// Their size on the wire.
    private var size = 0
    private var slack = 0

    /// The memory of a packet besides its bytes: its place in the queue, and its buffers.
    private static let overhead = 256

    var isEmpty: Bool { self.packets.isEmpty }

    /// Whether reading should pause.
    var isFull: Bool { self.size >= 64 << 10 || self.packets.count >= 1000 }

    /// Their approximate memory.
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
    /// The packet with its payload in its own storage. Otherwise each of many small packets would keep a whole read
    /// alive.
    fileprivate var withoutUnusedStorage: Packet {
        guard case .publish(var publish) = self else { return self }
        publish.payload = publish.payload.withoutUnusedStorage
        return .publish(publish)
    }

    /// Whether it may be processed before earlier messages of the client. The receivers that the client waits for may
    /// in turn wait for its acknowledgements.
    var overtakesMessages: Bool {
        switch self {
        case .puback, .pubrec, .pubcomp, .pingreq: true
        default: false
        }
    }
}
