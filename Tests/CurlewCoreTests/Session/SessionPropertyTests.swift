import NIOCore
import Testing

@testable import CurlewCore

@Suite("Random events in a session")
struct SessionPropertyTests {
    /// A session with random events, whose output is checked.
    private struct Run {
        var random: SplitMix64
        var fixture = SessionFixture {
            ($0.highWaterMark, $0.outboxCount, $0.outgoingTopicAliasMaximum) = (200, 50, 3)
            ($0.maximumInFlight, $0.receiveMaximum, $0.topicAliasMaximum) = (20, 20, 3)
        }
        var observer = SessionWireObserver()
        var isConnected = false
        var waiting: Set<RequestID> = []
        var tokens: [DeliveryToken] = []

        init(seed: UInt64) { self.random = SplitMix64(seed: seed) }

        mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &self.random) == 0 }

        /// Takes and checks what was written and completed since the last event.
        mutating func settle() {
            let completions = self.fixture.completions()
            for completion in completions {
                require(self.waiting.remove(completion.request) != nil, "\(completion) comes unexpected")
            }
            self.observer.sent(self.fixture.written())
            _ = self.fixture.session.takeLostSubscribers()
        }

        mutating func connect() {
            self.lose()
            let isPresent = Bool.random(using: &self.random)
            var properties: [Property] = []
            let receiveMaximum = UInt16.random(in: 1...6, using: &self.random)
            properties.append(.receiveMaximum(receiveMaximum))
            if self.chance(6) { properties.append(.maximumQoS(self.random.pick([.atMostOnce, .atLeastOnce]))) }
            if self.chance(6) { properties.append(.retainAvailable(false)) }
            if self.chance(6) { properties.append(.maximumPacketSize(.random(in: 5...40, using: &self.random))) }
            if self.chance(6) { properties.append(.wildcardSubscriptionAvailable(false)) }
            if self.chance(3) { properties.append(.topicAliasMaximum(2)) }
            self.observer.connected(sessionPresent: isPresent, receiveMaximum: receiveMaximum)
            self.fixture.connect(present: isPresent, properties)
            self.isConnected = true
        }

        mutating func lose() {
            self.settle()
            // The server breaks some of the connections, so that unanswered packets become suspect.
            if self.chance(2) { self.fixture.breakConnection() } else { self.fixture.lose() }
            self.observer.connectionLost()
            self.isConnected = false
        }

        /// From now on the connection stays and the server answers correctly, so that everything completes.
        mutating func comeToRest() {
            self.lose()
            self.observer.connected(sessionPresent: true, receiveMaximum: 20)
            self.fixture.connect(present: true, [.receiveMaximum(20)])
            self.isConnected = true
            for _ in 0..<1_000 {
                self.settle()
                self.fixture.pump()
                self.settle()
                if self.waiting.isEmpty && self.fixture.session.isDrained { return }
                if let answer = self.observer.rightAnswer() {
                    self.receive(answer)
                } else {
                    self.fixture.endTrial()
                    self.settle()
                    self.receive(.pingresp)
                }
                require(self.isConnected, "a right answer ends the connection")
            }
            require(false, "\(self.waiting.count) requests never complete")
        }

        /// Ends the session, after which it begins again.
        mutating func end() {
            self.lose()
            self.fixture.session.end()
            self.settle()
            require(self.waiting.isEmpty && self.fixture.session.isDrained, "something waits after the end")
        }

        mutating func publish() {
            let qos = self.random.pick([QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
            let request = self.fixture.makeRequest()
            var properties = Properties()
            if self.chance(4) { properties.messageExpiryInterval = .random(in: 0...20, using: &self.random) }
            let padding = self.chance(5) ? "/a/longer/topic/than/others" : ""
            let message = OutgoingMessage(
                topic: TopicName(unchecked: "topic\(padding)"), payload: ByteBuffer(string: "\(request.rawValue)"),
                qos: qos, retain: self.chance(8), properties: properties)
            if let submitted = self.fixture.submit(message, request, isAwaited: Bool.random(using: &self.random)),
                submitted == .accepted
            {
                self.waiting.insert(request)
            }
        }

        mutating func subscribe() {
            let filter = self.random.pick(["a", "a/+", "topic", "#", "$share/g/a"])
            let options = SubscriptionOptions(
                qos: self.random.pick([.atMostOnce, .exactlyOnce]), noLocal: self.chance(9))
            let subscriber = UInt64.random(in: 1...5, using: &self.random)
            if let request = try? self.fixture.subscribe(filter, subscriber, options) { self.waiting.insert(request) }
        }

        mutating func receive(_ packet: Packet) {
            guard self.isConnected else { return }
            let received = self.fixture.receive(packet)
            guard received.violation == nil else { return self.lose() }
            if case .message(_, let subscribers, let token?) = received {
                self.tokens += Array(repeating: token, count: max(1, subscribers.count))
            }
            self.observer.received(packet)
        }

        mutating func receiveAnything() {
            let number = UInt16.random(in: 1...12, using: &self.random)
            let code = self.random.pick([ReasonCode.success, .packetIdentifierNotFound])
            switch Int.random(in: 0..<8, using: &self.random) {
            case 0...2:
                let kind = self.random.pick(Acknowledgement.Kind.allCases)
                self.receive(.acknowledgement(kind, number, code))
            case 3: self.receive(.suback(SubAck(id(number), [code])))
            case 4: self.receive(.unsuback(UnsubAck(id(number), [code])))
            default:
                let qos = self.random.pick([QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
                self.receive(
                    .publish(
                        .incoming(
                            "m", self.random.pick(["a", "a/b", nil]), qos, qos == .atMostOnce ? nil : number,
                            alias: self.chance(4) ? UInt16.random(in: 0...4, using: &self.random) : nil)))
            }
        }

        mutating func step() {
            switch Int.random(in: 0..<100, using: &self.random) {
            case 0..<30: self.publish()
            case 30..<36: self.subscribe()
            case 36..<40:
                self.waiting.insert(self.fixture.unsubscribe(.random(in: 1...5, using: &self.random)))
            case 40..<45:
                guard let request = self.waiting.randomElement(using: &self.random) else { return }
                if self.fixture.session.cancel(request) { self.waiting.remove(request) }
            case 45..<50: self.connect()
            case 50..<52: self.lose()
            case 52: if self.chance(3) { self.end() } else { self.lose() }
            case 53..<85: if let packet = self.observer.answer(&self.random) { self.receive(packet) }
            case 85..<90: self.receiveAnything()
            case 90..<95:
                guard let token = self.tokens.randomElement(using: &self.random) else { return }
                self.fixture.consume(token, self.random.pick([.success, .success, .quotaExceeded]))
            case 95..<97: self.fixture.now = self.fixture.now + .seconds(Int.random(in: 0...10, using: &self.random))
            case 97:
                self.fixture.endTrial()
                self.settle()
                self.receive(.pingresp)
            default: if self.isConnected { self.fixture.pump() }
            }
            self.settle()
        }
    }

    @Test(
        "Requests complete once, and identifiers, window, order and DUP are right, whatever happens",
        arguments: 0..<40 as Range<UInt64>)
    func invariants(seed: UInt64) {
        var run = Run(seed: seed)
        for _ in 0..<2_000 {
            run.step()
            require(run.fixture.session.unacknowledgedCount <= 20, "Receive Maximum exceeded")
            require(run.fixture.session.incoming.remembered <= 12, "remembers more than there are identifiers")
            require(run.fixture.session.subscriptions.count <= 5, "keeps filters that nobody wants")
        }
        // After repeated broken connections, messages are sent one at a time, so fewer are resent.
        #expect(run.observer.count.sent > 20 && run.observer.count.again > 2)
        run.comeToRest()
        run.end()
    }

    // MARK: Any input from a server

    @Test(
        "Any valid packet in any state neither traps nor makes a table exceed its limit",
        arguments: ProtocolVersion.allCases,
        0..<10 as Range<UInt64>)
    func anyPackets(version: ProtocolVersion, seed: UInt64) throws {
        var packets = RandomPackets(seed: seed, version: version, sender: .server)
        var fixture = SessionFixture { ($0.receiveMaximum, $0.topicAliasMaximum) = (10, 5) }
        var accepted: Set<RequestID> = []
        for step in 0..<2_000 {
            if !fixture.session.isConnected || step.isMultiple(of: 500) {
                fixture.lose()
                fixture.connect(present: step.isMultiple(of: 3), version: version)
                for number in 0..<3 as Range<UInt64> {
                    accepted.insert(try fixture.publish("m", .exactlyOnce))
                    accepted.insert(try fixture.subscribe("a/\(number)", number))
                }
            }
            let before = fixture.unsent
            let received = fixture.receive(packets.next())
            require(fixture.unsent - before <= 400, "much is written for one packet")
            if received.violation != nil { fixture.lose() }
            for completion in fixture.completions() {
                require(accepted.remove(completion.request) != nil, "\(completion) comes unexpected")
            }
            require(version < .v5_0 || fixture.session.unacknowledgedCount <= 10, "Receive Maximum exceeded")
            require(fixture.session.subscriptions.count <= 3, "keeps filters that nobody wants")
            require(fixture.session.subscriptions.router.cachedRoutes <= 4_096, "remembers too many routes")
            _ = fixture.written()
        }
        fixture.session.end()
        for completion in fixture.completions() { #expect(accepted.remove(completion.request) != nil) }
        #expect(accepted.isEmpty)
    }

    @Test("Any bytes in any state do not trap", arguments: ProtocolVersion.allCases, 0..<10 as Range<UInt64>)
    func anyBytes(version: ProtocolVersion, seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var fixture = SessionFixture { ($0.receiveMaximum, $0.topicAliasMaximum) = (10, 5) }
        for _ in 0..<100 {
            fixture.lose()
            fixture.connect(present: Bool.random(using: &random), version: version)
            try fixture.publish("m", .exactlyOnce)
            try fixture.subscribe("a", 1)
            var packets = RandomPackets(seed: random.next(), version: version, sender: .server)
            var bytes = ByteBuffer()
            for _ in 0..<4 { try packets.next().encode(into: &bytes, version: version) }
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                let index = Int.random(in: bytes.readerIndex..<bytes.writerIndex, using: &random)
                bytes.setInteger(UInt8.random(in: 0...255, using: &random), at: index)
            }
            var decoder = PacketDecoder(from: .server, version: version, maximumPacketSize: 10_000)
            while let packet = try? decoder.decode(from: &bytes) { fixture.receive(packet) }
            _ = fixture.written()
        }
        #expect(fixture.session.inFlightCount <= 600)
    }
}
