import Testing

@testable import CurlewCore

@Suite("Random incoming messages at QoS 1 and 2")
struct IncomingQoSPropertyTests {
    private struct Run {
        var random: SplitMix64
        var machine = IncomingQoS()
        /// The acknowledgements still due on this connection, in order.
        var expected: [(kind: Acknowledgement.Kind, id: PacketID)] = []
        /// QoS 2 exchanges as the server sees them: whether it has received the PUBREC.
        var exchanges: [PacketID: Bool] = [:]
        var inFlight: Set<PacketID> = []
        /// QoS 2 messages delivered to the application, until PUBCOMP.
        var handed: Set<PacketID> = []
        var tokens: [DeliveryToken] = []
        var acknowledged = 0

        init(seed: UInt64) { self.random = SplitMix64(seed: seed) }

        mutating func publish() {
            let id = PacketID(UInt16.random(in: 1...15, using: &self.random)) ?? CurlewCoreTests.id(1)
            let qos = self.random.pick([QoS.atLeastOnce, .exactlyOnce])
            // A server uses no identifier twice; a QoS 2 duplicate on the same connection must be tolerated.
            let isAgain = self.exchanges[id] != nil
            guard isAgain ? qos == .exactlyOnce : !self.inFlight.contains(id) else { return }
            let receivers = Int.random(in: 0...3, using: &self.random)
            let result = self.machine.receivedPublish(id, qos: qos, dup: isAgain, receivers: receivers)
            guard self.inFlight.contains(id) || self.inFlight.count < 6 else {
                require(result == .receiveMaximumExceeded, "Receive Maximum is not kept")
                return
            }
            self.inFlight.insert(id)
            switch result {
            case .new(let token):
                require(qos == .atLeastOnce || self.handed.insert(id).inserted, "\(id) is handed on twice")
                self.tokens += Array(repeating: token, count: receivers)
            case .duplicate: require(self.handed.contains(id), "\(id) is new")
            case .receiveMaximumExceeded: Issue.record("there was room for \(id)")
            }
            if qos == .exactlyOnce {
                self.exchanges[id] = self.exchanges[id] ?? false
                if !self.expected.contains(where: { $0 == (.pubrec, id) }) { self.expected.append((.pubrec, id)) }
            } else {
                self.expected.append((.puback, id))
            }
        }

        mutating func acknowledge() {
            while let (kind, packet) = self.machine.nextAcknowledgement() {
                guard let next = self.expected.first, next == (kind, packet.packetID) else {
                    Issue.record("\(kind) \(packet.packetID) out of turn, expected \(self.expected.prefix(1))")
                    return
                }
                self.expected.removeFirst()
                self.acknowledged += 1
                if kind == .puback {
                    self.inFlight.remove(packet.packetID)
                } else {
                    self.exchanges[packet.packetID] = true
                }
            }
        }

        mutating func release() {
            let ready = self.exchanges.filter { exchange in
                exchange.value && !self.expected.contains { $0 == (.pubrec, exchange.key) }
            }
            guard let id = ready.keys.sorted().randomElement(using: &self.random) else { return }
            require(self.machine.receivedPubrel(id) == .complete(.success), "PUBREL \(id) is not answered")
            self.exchanges[id] = nil
            self.inFlight.remove(id)
            self.handed.remove(id)
        }

        /// PUBRECs that were being sent may or may not have arrived.
        mutating func reconnect() {
            self.machine.connectionLost()
            while Bool.random(using: &self.random) { self.consume() }
            self.machine.connected(.present, version: .v5_0, receiveMaximum: 6)
            (self.expected, self.inFlight) = ([], [])
        }

        mutating func consume() {
            guard !self.tokens.isEmpty else { return }
            let token = self.tokens.remove(at: .random(in: self.tokens.indices, using: &self.random))
            self.machine.consumed(token, reasonCode: .success)
        }
    }

    @Test(
        "Acknowledgements are sent in order of arrival, and QoS 2 messages are delivered once [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-4.3.3-10]",
        arguments: 0..<60 as Range<UInt64>)
    func order(seed: UInt64) {
        var run = Run(seed: seed)
        run.reconnect()
        for _ in 0..<3_000 {
            switch Int.random(in: 0..<40, using: &run.random) {
            case 0..<14: run.publish()
            case 14..<32: run.consume()
            case 32..<39: run.release()
            default: run.reconnect()
            }
            run.acknowledge()
            require(run.machine.unacknowledged <= 6, "more waits than may be in flight")
        }
        while !run.tokens.isEmpty { run.consume() }
        run.acknowledge()
        #expect(run.expected.isEmpty && run.machine.unacknowledged == 0)
        #expect(run.acknowledged > 200)
    }
}
