import CurlewCore
import CurlewTransport

@testable import CurlewBroker
@testable import FuzzSupport

/// Several clients, a broker, and a model of their interaction.
final class Traffic {
    private let clock = FuzzClock()
    private let model: Model
    private let clients: [Client]
    private var store: FuzzStore?
    private var broker: FuzzedBroker
    /// Connections that their clients have given up, but that the broker has not closed yet.
    private var retired: [Wire] = []
    private var wires = 0

    init(hasStore: Bool) {
        let model = Model(self.clock, hasStore: hasStore)
        self.model = model
        self.clients = (0..<Step.clients).map { Client($0, model) }
        self.store = hasStore ? FuzzStore(MQTTMemoryStore()) : nil
        self.broker = Self.makeBroker(self.clock, self.store)
    }

    /// Makes a broker that drops nothing: its queues are longer than any input can fill.
    private static func makeBroker(_ clock: FuzzClock, _ store: FuzzStore?) -> FuzzedBroker {
        var configuration = MQTTBrokerConfiguration()
        configuration.clock = MonotonicClock(clock)
        configuration.timeOfDay = { Model.epoch + clock.now.elapsed }
        configuration.observers = [NoDrops()]
        configuration.store = store
        configuration.limits.maximumPacketSize = 4096
        configuration.limits.maximumInFlightMessages = UInt16(Model.maximumInFlight)
        configuration.limits.receiveMaximum = UInt16(Model.receiveMaximum)
        return FuzzedBroker(configuration)
    }

    // MARK: Steps

    func perform(_ step: Step) {
        Trace.line("- client \(step.client): \(step.action) \(step.argument)\(step.isHasty ? " in haste" : "")")
        let client = self.clients[step.client]
        if !step.isHasty { self.broker.run() }
        self.act(step, client)
        if !step.isHasty { return self.settle() }
        if let wire = client.wire, !wire.isStalled { _ = wire.deliver() }
    }

    private func act(_ step: Step, _ client: Client) {
        if step.action.needsConnection, client.wire == nil {
            self.connect(client, Connect(.kept, client.index))
            self.settle()
        }
        switch step.action {
        case .connect: self.connect(client, step)
        case .disconnect: client.disconnect(withWill: step.bit(0), endsSession: step.bit(1))
        case .lose: client.lose()
        case .subscribe: client.subscribe(filter: step.subscription.filter, step.subscription.options)
        case .unsubscribe: client.unsubscribe(filter: step.bits(0, 3))
        case .publish:
            for _ in 0...step.bits(5, 2) {
                client.publish(
                    topic: step.bits(0, 2), qos: QoS(rawValue: UInt8(step.bits(2, 2))) ?? .exactlyOnce,
                    retain: step.bit(4))
            }
        case .removeRetained: client.removeRetained(topic: step.bits(0, 2))
        case .answer: client.answer(Int(step.argument))
        case .answerAll: while client.wire?.isAccepted == true, !client.owed.isEmpty { client.answer(0) }
        case .refuse: client.refuse()
        case .ping: client.ping()
        case .stall: client.wire?.isStalled = true
        case .flow: client.wire?.isStalled = false
        case .block: client.wire?.link.setWritable(false)
        case .unblock: client.wire?.link.setWritable(true)
        case .wait: self.wait(step.duration)
        case .shutStore: self.store?.shut()
        case .openStore: self.store?.open()
        case .failStore: self.store?.failNext()
        case .killBroker: self.killBroker(isApplied: step.bit(0))
        }
    }

    private func connect(_ client: Client, _ step: Step) {
        var connect = step.connect
        if let will = step.will {
            let topic = Names.willTopic(of: client.index)
            let number = self.model.makeMessage(
                Message(publisher: client.index, topic: topic, qos: will.qos, retain: will.retain, isWill: true))
            connect.will = Connect.Will(
                topic: Names.topics[topic], payload: Message.payload(number), qos: will.qos, retain: will.retain)
            if connect.version == .v5_0, will.delay > 0 {
                connect.will?.properties.list = [.willDelayInterval(will.delay)]
            }
        }
        self.connect(client, connect, keepsOwed: step.bits(6, 2) == 3)
    }

    private func connect(_ client: Client, _ connect: Connect, keepsOwed: Bool = false) {
        if let old = client.wire { self.retired.append(old) }
        self.wires += 1
        client.connect(
            Wire(self.wires, client: client.index, connect, self.broker, self.model), connect, keepsOwed: keepsOwed)
    }

    private func wait(_ duration: Duration) {
        self.clock.advance(by: duration)
        self.model.passTime()
    }

    /// The broker dies at any point, and a new one continues with the content of its store.
    private func killBroker(isApplied: Bool) {
        guard let snapshot = self.store?.die(isApplied: isApplied) else { return }
        self.broker.end()
        for client in self.clients { client.forgetWire() }
        self.retired = []
        self.model.restore(snapshot)
        let store = FuzzStore(MQTTMemoryStore(snapshot))
        self.store = store
        self.broker = Self.makeBroker(self.clock, store)
        self.broker.restore(snapshot)
    }

    /// Delivers everything that is not held up.
    private func settle() {
        var isBusy = true
        while isBusy {
            self.broker.run()
            isBusy = false
            for client in self.clients {
                guard let wire = client.wire, !wire.isStalled else { continue }
                if wire.deliver() { isBusy = true }
                self.broker.run()
                for packet in wire.takeInbox() {
                    client.read(packet)
                    isBusy = true
                }
            }
        }
        self.retired.removeAll { $0.link.isClosed }
        self.model.check(self.broker.engine, isStoreIdle: self.store?.isIdle ?? true)
    }

    // MARK: The end

    /// Makes all clients reconnect and receive everything. Then all sessions end, and nothing may be left.
    func finish() {
        Trace.line("- the end")
        self.store?.open()
        self.settle()
        // A failed commit is retried after a second.
        self.wait(.seconds(2))
        self.settle()
        for client in self.clients { self.connect(client, Connect(.kept, client.index, .v5_0)) }
        self.settle()
        var rounds = 0
        while self.clients.contains(where: { !$0.owed.isEmpty || !$0.outgoing.isEmpty }) {
            rounds += 1
            expect(rounds < 10_000, "the clients are never done")
            for client in self.clients { client.answer(0) }
            self.settle()
        }
        self.model.checkIsDone(self.broker.engine)
        for client in self.clients { client.checkIsComplete() }

        for client in self.clients { self.connect(client, Connect(.new, client.index, .v5_0)) }
        self.settle()
        for client in self.clients { client.disconnect(withWill: false, endsSession: true) }
        self.settle()
        self.model.checkIsOver(self.broker.engine, self.store)
        self.broker.end()
    }
}

extension Connect {
    fileprivate enum Start {
        case new
        case kept
    }

    /// A CONNECT without a will, for a session that never expires.
    ///
    /// - Parameter version: By default, it depends on the client.
    fileprivate init(_ start: Start, _ client: Int, _ version: ProtocolVersion? = nil) {
        let version = version ?? (client % 2 == 0 ? .v5_0 : .v3_1_1)
        self.init(
            version: version, cleanStart: start == .new, keepAlive: 0,
            clientIdentifier: Names.clientIdentifier(client))
        if version == .v5_0 { self.properties.list = [.sessionExpiryInterval(.max)] }
    }
}

/// Checks that no message is dropped.
private struct NoDrops: MQTTBrokerObserver {
    var interests: MQTTBrokerEvents { .dropped }

    func observe(_ event: MQTTBrokerEvent) { violation("the broker gives up a message: \(event)") }
}
