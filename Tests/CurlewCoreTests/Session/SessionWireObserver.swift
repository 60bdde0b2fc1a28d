import NIOCore
import Testing

@testable import CurlewCore

/// Like `#expect`, but for loops of many thousand steps: it costs nothing while the condition holds.
func require(
    _ isTrue: Bool, _ what: @autoclosure () -> String, sourceLocation: SourceLocation = #_sourceLocation
) {
    if !isTrue { Issue.record("\(what())", sourceLocation: sourceLocation) }
}

/// Observes the packets between a session and its server, and records each violation of the standard by the session.
///
/// The payload of each message is the number of its request; the numbers rise.
struct SessionWireObserver {
    private enum Exchange {
        case publish(number: UInt64, QoS, isOnWire: Bool)
        case release(isOnWire: Bool)
        case subscribe(filters: Int)
        case unsubscribe(filters: Int)
    }

    private var exchanges: [PacketID: Exchange] = [:]
    /// Packets sent on this connection and not fully acknowledged.
    private var unacknowledged: Set<PacketID> = []
    /// QoS 1 messages that the server has answered with PUBREC; the session sends PUBREL for them.
    private var releasedEarly: Set<PacketID> = []
    private var receiveMaximum = 0
    /// The number of the last QoS 1 or 2 message on this connection.
    private var lastNumber: UInt64 = 0
    private var lastAtMostOnce: UInt64 = 0
    /// How many messages were sent and resent, so that tests can check that they cover something.
    private(set) var count = (sent: 0, again: 0)

    mutating func connected(sessionPresent: Bool, receiveMaximum: UInt16) {
        if !sessionPresent { self.exchanges = [:] }
        self.receiveMaximum = Int(receiveMaximum)
        self.lastNumber = 0
    }

    mutating func connectionLost() {
        self.unacknowledged = []
        self.releasedEarly = []
        for (id, exchange) in self.exchanges {
            switch exchange {
            case .publish(let number, let qos, _): self.exchanges[id] = .publish(number: number, qos, isOnWire: false)
            case .release: self.exchanges[id] = .release(isOnWire: false)
            case .subscribe, .unsubscribe: self.exchanges[id] = nil
            }
        }
    }

    // MARK: Packets from the session

    mutating func sent(_ packets: [Packet]) {
        for packet in packets { self.sent(packet) }
    }

    private mutating func sent(_ packet: Packet) {
        switch packet {
        case .publish(let packet): self.sent(packet)
        case .subscribe(let packet): self.begin(packet.packetID, .subscribe(filters: packet.subscriptions.count))
        case .unsubscribe(let packet): self.begin(packet.packetID, .unsubscribe(filters: packet.filters.count))
        case .pubrel(let packet):
            if case .release? = self.exchanges[packet.packetID] {
                self.exchanges[packet.packetID] = .release(isOnWire: true)
                return
            }
            if self.releasedEarly.remove(packet.packetID) != nil { return }
            require(packet.reasonCode == .packetIdentifierNotFound, "PUBREL \(packet.packetID) without PUBREC")
        default: break
        }
    }

    private mutating func begin(_ id: PacketID, _ exchange: Exchange) {
        require(self.exchanges[id] == nil, "identifier \(id) is in use")
        self.exchanges[id] = exchange
    }

    private mutating func sent(_ packet: Publish) {
        let number = UInt64(String(buffer: packet.payload)) ?? 0
        guard let id = packet.packetID else {
            require(number > self.lastAtMostOnce, "QoS 0 out of order")
            self.lastAtMostOnce = number
            return
        }
        require(number > self.lastNumber, "message \(number) after \(self.lastNumber)")
        self.lastNumber = number
        if packet.dup {
            guard case .publish(number, packet.qos, isOnWire: false)? = self.exchanges[id] else {
                Issue.record("DUP of what is not to be sent again: \(packet)")
                return
            }
            self.count.again += 1
        } else {
            require(self.exchanges[id] == nil, "identifier \(id) is in use")
        }
        self.count.sent += 1
        self.exchanges[id] = .publish(number: number, packet.qos, isOnWire: true)
        self.unacknowledged.insert(id)
        require(self.unacknowledged.count <= self.receiveMaximum, "Receive Maximum exceeded")
    }

    // MARK: Packets from the server

    mutating func received(_ packet: Packet) {
        switch packet {
        case .puback(let packet):
            // An acknowledgement of the wrong QoS, or an early one, counts only for packets sent on this connection.
            if case .publish(_, .exactlyOnce, isOnWire: false)? = self.exchanges[packet.packetID] { return }
            self.end(packet.packetID)
        case .pubcomp(let packet):
            if case .publish(_, _, isOnWire: false)? = self.exchanges[packet.packetID] { return }
            self.end(packet.packetID)
        case .pubrec(let packet):
            switch self.exchanges[packet.packetID] {
            case .publish(_, .atLeastOnce, isOnWire: true)?:
                self.end(packet.packetID)
                if !packet.reasonCode.isFailure { self.releasedEarly.insert(packet.packetID) }
            case .publish(_, .exactlyOnce, _)?:
                if packet.reasonCode.isFailure {
                    self.end(packet.packetID)
                } else {
                    self.exchanges[packet.packetID] = .release(isOnWire: false)
                }
            default: break
            }
        case .suback(let packet): self.end(packet.packetID)
        case .unsuback(let packet): self.end(packet.packetID)
        default: break
        }
    }

    private mutating func end(_ id: PacketID) {
        self.exchanges[id] = nil
        self.unacknowledged.remove(id)
    }

    /// A packet that a correct server could send next.
    func answer(_ random: inout SplitMix64) -> Packet? {
        guard let (id, exchange) = self.exchanges.min(by: { $0.key < $1.key }) else { return nil }
        let chosen = Bool.random(using: &random) ? (id, exchange) : self.exchanges.randomElement(using: &random)
        guard let (id, exchange) = chosen.map({ ($0.0, $0.1) }) else { return nil }
        let code = random.pick([ReasonCode.success, .success, .success, .noMatchingSubscribers, .quotaExceeded])
        switch exchange {
        case .publish(_, .atLeastOnce, isOnWire: true): return .puback(Acknowledgement(id, reasonCode: code))
        case .publish(_, .exactlyOnce, isOnWire: true): return .pubrec(Acknowledgement(id, reasonCode: code))
        case .release: return .pubcomp(Acknowledgement(id))
        case .publish: return nil
        // A wrong answer ends the connection, which must be tested too.
        case .subscribe, .unsubscribe:
            return random.pick([
                Packet.suback(SubAck(id, [code])), .suback(SubAck(id, [.grantedQoS1])), .unsuback(UnsubAck(id, [code])),
            ])
        }
    }

    /// The answer to the first unanswered packet on this connection; `nil` if there is none.
    func rightAnswer() -> Packet? {
        for (id, exchange) in self.exchanges.sorted(by: { $0.key < $1.key }) {
            switch exchange {
            case .publish(_, .atLeastOnce, isOnWire: true): return .puback(Acknowledgement(id))
            case .publish(_, .exactlyOnce, isOnWire: true): return .pubrec(Acknowledgement(id))
            case .release(isOnWire: true): return .pubcomp(Acknowledgement(id))
            case .subscribe(let count): return .suback(SubAck(id, Array(repeating: .success, count: count)))
            case .unsubscribe(let count): return .unsuback(UnsubAck(id, Array(repeating: .success, count: count)))
            case .publish, .release: break
            }
        }
        return nil
    }
}
