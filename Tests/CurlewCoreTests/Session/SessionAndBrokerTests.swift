import NIOCore
import Testing

@testable import CurlewCore

/// A session and a model broker, with a connection that is lost again and again at any point.
private struct Pair {
    var random: SplitMix64
    var fixture = SessionFixture { ($0.receiveMaximum, $0.highWaterMark) = (4, 60) }
    var broker = ModelBroker(window: 4)
    var toBroker: [Packet] = []
    var toClient: [Packet] = []
    /// The messages delivered to the application, in order.
    var delivered: [String] = []
    var tokens: [DeliveryToken] = []
    var waiting: [RequestID: String] = [:]
    var acknowledged: Set<String> = []

    init(seed: UInt64) {
        self.random = SplitMix64(seed: seed)
        self.connect(losingSession: true)
    }

    mutating func connect(losingSession: Bool) {
        self.fixture.lose()
        (self.toBroker, self.toClient) = ([], self.broker.connected(losingSession: losingSession))
        let window = UInt16.random(in: 1...5, using: &self.random)
        self.fixture.connect(present: !losingSession, [.receiveMaximum(window)])
        self.collect()
    }

    mutating func publish(_ number: Int) throws {
        let qos = self.random.pick([QoS.atLeastOnce, .exactlyOnce])
        let text = "\(qos.rawValue)-\(number)"
        self.waiting[try self.fixture.publish(text, qos)] = text
        self.collect()
    }

    mutating func collect() {
        for completion in self.fixture.completions() {
            guard let text = self.waiting.removeValue(forKey: completion.request) else { continue }
            self.acknowledged.insert(text)
        }
    }

    /// Sends what the session has written.
    mutating func flush() {
        self.toBroker += self.fixture.written()
        self.fixture.pump()
        self.collect()
    }

    mutating func brokerReads() {
        guard !self.toBroker.isEmpty else { return }
        self.toClient += self.broker.received(self.toBroker.removeFirst())
    }

    mutating func clientReads() {
        guard !self.toClient.isEmpty else { return }
        let packet = self.toClient.removeFirst()
        switch self.fixture.receive(packet) {
        case .violation(let code, let message): Issue.record("\(packet.summary): \(code), \(message)")
        case .message(let publish, let subscribers, let token):
            self.delivered.append(String(buffer: publish.payload))
            require(subscribers.count == 1, "nobody gets \(packet.summary)")
            if let token { self.tokens.append(token) }
        default: break
        }
        self.collect()
    }

    mutating func consume() {
        guard !self.tokens.isEmpty else { return }
        self.fixture.consume(self.tokens.remove(at: .random(in: self.tokens.indices, using: &self.random)))
    }

    /// Runs until nothing is left to do.
    mutating func settle() {
        for _ in 0..<100_000 {
            self.flush()
            if self.toBroker.isEmpty, self.toClient.isEmpty, self.tokens.isEmpty { return }
            self.brokerReads()
            self.clientReads()
            self.consume()
        }
        Issue.record("it does not come to rest")
    }

    static func number(_ text: String) -> Int { Int(text.dropFirst(2)) ?? -1 }

    /// Whether first arrivals are in order, for each QoS.
    static func isInOrder(_ texts: [String]) -> Bool {
        ["1-", "2-"].allSatisfy { qos in
            var known: Set<String> = []
            let numbers = texts.filter { $0.hasPrefix(qos) && known.insert($0).inserted }.map(Self.number)
            return numbers == numbers.sorted()
        }
    }

    static func repeated(_ texts: [String]) -> Set<String> {
        Set(Dictionary(grouping: texts) { $0 }.filter { $0.value.count > 1 }.keys)
    }
}

@Suite("Session and broker, with the connection lost at any point")
struct SessionAndBrokerTests {
    @Test(
        """
        Both ways: QoS 2 arrives exactly once, QoS 1 at least once, in order, and all is acknowledged [MQTT-4.3.2-3] \
        [MQTT-4.3.3-10] [MQTT-4.4.0-1] [MQTT-4.6.0-1]
        """, arguments: 0..<60 as Range<UInt64>)
    func delivery(seed: UInt64) throws {
        var pair = Pair(seed: seed)
        try pair.fixture.subscribe("in", 1)
        pair.settle()
        var incoming: [String] = []
        var outgoing: [String] = []
        var losses = 0
        for number in 0..<1_500 {
            switch Int.random(in: 0..<20, using: &pair.random) {
            case 0..<2:
                try pair.publish(number)
                outgoing.append(pair.waiting[pair.fixture.lastRequest] ?? "")
            case 2..<4:
                let qos = pair.random.pick([QoS.atLeastOnce, .exactlyOnce])
                incoming.append("\(qos.rawValue)-\(number)")
                pair.toClient += pair.broker.publish("\(qos.rawValue)-\(number)", qos)
            case 4..<7: pair.flush()
            case 7..<11: pair.brokerReads()
            case 11..<15: pair.clientReads()
            case 15..<19: pair.consume()
            default:
                pair.connect(losingSession: false)
                losses += 1
            }
        }
        pair.settle()
        #expect(losses > 20 && outgoing.count > 50 && incoming.count > 50)
        #expect(pair.waiting.isEmpty && pair.acknowledged == Set(outgoing))
        #expect(pair.broker.isIdle && pair.fixture.session.isDrained && pair.fixture.session.incoming.remembered == 0)
        for (sent, arrived) in [(outgoing, pair.broker.published), (incoming, pair.delivered)] {
            #expect(Set(arrived) == Set(sent))
            #expect(Pair.repeated(arrived).allSatisfy { $0.hasPrefix("1-") })
            #expect(Pair.isInOrder(arrived))
        }
    }

    @Test(
        "If the broker loses the session, nothing accepted is lost, and filters are subscribed again [MQTT-3.2.2-5]",
        arguments: 0..<40 as Range<UInt64>)
    func sessionLost(seed: UInt64) throws {
        var pair = Pair(seed: seed)
        var outgoing: Set<String> = []
        var wanted: [UInt64: Set<String>] = [:]
        for number in 0..<1_500 {
            switch Int.random(in: 0..<20, using: &pair.random) {
            case 0..<2:
                try pair.publish(number)
                outgoing.insert(pair.waiting[pair.fixture.lastRequest] ?? "")
            case 2:
                let subscriber = UInt64.random(in: 1...4, using: &pair.random)
                let filter = pair.random.pick(["a", "b", "c/#"])
                try pair.fixture.subscribe(filter, subscriber)
                wanted[subscriber, default: []].insert(filter)
            case 3:
                let subscriber = UInt64.random(in: 1...4, using: &pair.random)
                pair.fixture.unsubscribe(subscriber)
                wanted[subscriber] = nil
            case 4..<7: pair.flush()
            case 7..<13: pair.brokerReads()
            case 13..<19: pair.clientReads()
            default: pair.connect(losingSession: pair.random.pick([true, false, false]))
            }
        }
        pair.settle()
        #expect(pair.waiting.isEmpty && pair.acknowledged == outgoing)
        #expect(Set(pair.broker.published) == outgoing)
        #expect(pair.broker.filters == Set(wanted.values.joined()))
        #expect(pair.fixture.session.isDrained && pair.fixture.session.subscriptions.count == pair.broker.filters.count)
    }
}
