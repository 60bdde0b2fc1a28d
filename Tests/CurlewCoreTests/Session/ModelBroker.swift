import NIOCore

@testable import CurlewCore

/// The smallest correct broker for a single client, to test the session against.
///
/// It takes over a QoS 2 message on its PUBLISH, resends after each connection, and keeps its messages in order.
struct ModelBroker {
    private struct Outgoing {
        let id: PacketID
        let text: String
        let qos: QoS
        var isReleased = false
        var isOnWire = true
    }

    // MARK: Session state

    private var received: Set<PacketID> = []
    private var outgoing: [Outgoing] = []
    private var queue: [(text: String, qos: QoS)] = []
    private var subscriptions: [String: [UInt32]] = [:]
    private var nextID: UInt16 = 1

    /// The client's messages in order of arrival, with repetitions at QoS 1.
    private(set) var published: [String] = []

    var isIdle: Bool { self.outgoing.isEmpty && self.queue.isEmpty && self.received.isEmpty }

    /// The client's filters.
    var filters: Set<String> { Set(self.subscriptions.keys) }

    /// The maximum number of unacknowledged messages on the wire: the client's Receive Maximum.
    let window: Int

    init(window: Int) { self.window = window }

    /// The client connects. Returns what the broker sends at once.
    mutating func connected(losingSession: Bool) -> [Packet] {
        if losingSession {
            (self.received, self.outgoing, self.queue, self.subscriptions) = ([], [], [], [:])
        }
        var packets: [Packet] = []
        for index in self.outgoing.indices {
            self.outgoing[index].isOnWire = self.outgoing[index].isReleased
            if self.outgoing[index].isReleased { packets.append(.pubrel(Acknowledgement(self.outgoing[index].id))) }
        }
        return packets + self.send()
    }

    /// Another client publishes to the client's subscription.
    mutating func publish(_ text: String, _ qos: QoS) -> [Packet] {
        self.queue.append((text, qos))
        return self.send()
    }

    private mutating func send() -> [Packet] {
        var packets: [Packet] = []
        for index in self.outgoing.indices where !self.outgoing[index].isOnWire {
            guard self.outgoing.count(where: { $0.isOnWire }) < self.window else { return packets }
            self.outgoing[index].isOnWire = true
            packets.append(self.packet(self.outgoing[index], dup: true))
        }
        while let (text, qos) = self.queue.first, self.outgoing.count < self.window {
            self.queue.removeFirst()
            var number = self.nextID
            while self.outgoing.contains(where: { $0.id.rawValue == number }) { number = number % 20 + 1 }
            self.nextID = number % 20 + 1
            let message = Outgoing(id: CurlewCoreTests.id(number), text: text, qos: qos)
            self.outgoing.append(message)
            packets.append(self.packet(message, dup: false))
        }
        return packets
    }

    private func packet(_ message: Outgoing, dup: Bool) -> Packet {
        .publish(.incoming(message.text, "in", message.qos, message.id.rawValue, dup: dup, identifiers: []))
    }

    /// Processes a packet of the client. Returns what the broker sends.
    mutating func received(_ packet: Packet) -> [Packet] {
        switch packet {
        case .publish(let packet):
            let text = String(buffer: packet.payload)
            guard let id = packet.packetID else {
                self.published.append(text)
                return []
            }
            guard packet.qos == .exactlyOnce else {
                self.published.append(text)
                return [.puback(Acknowledgement(id))]
            }
            if self.received.insert(id).inserted { self.published.append(text) }
            return [.pubrec(Acknowledgement(id))]
        case .pubrel(let packet):
            self.received.remove(packet.packetID)
            return [.pubcomp(Acknowledgement(packet.packetID))]
        case .puback(let packet), .pubcomp(let packet):
            self.outgoing.removeAll { $0.id == packet.packetID }
            return self.send()
        case .pubrec(let packet):
            guard let index = self.outgoing.firstIndex(where: { $0.id == packet.packetID }) else { return [] }
            self.outgoing[index].isReleased = true
            return [.pubrel(Acknowledgement(packet.packetID))]
        case .subscribe(let packet):
            let identifiers = packet.properties.subscriptionIdentifiers
            for subscription in packet.subscriptions { self.subscriptions[subscription.filter.string] = identifiers }
            let codes = packet.subscriptions.map { _ in ReasonCode.grantedQoS2 }
            return [.suback(SubAck(packet.packetID, codes))]
        case .unsubscribe(let packet):
            for filter in packet.filters { self.subscriptions[filter.string] = nil }
            return [.unsuback(UnsubAck(packet.packetID, packet.filters.map { _ in .success }))]
        default: return []
        }
    }
}
