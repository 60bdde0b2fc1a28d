import CurlewBroker
import CurlewCore

// The broker has died, and a new one restores what its store has kept.
extension Model {
    /// The time of day at which the clock began.
    static let epoch = Duration.seconds(1_000_000_000)

    /// Whatever clients were told must be stored; anything else may or may not be. From now on, the model follows the
    /// store.
    func restore(_ snapshot: MQTTBrokerSnapshot) {
        for session in self.sessions.values { self.checkKept(session, snapshot) }
        for client in self.forgotten {
            expect(
                snapshot.sessions[ExactText(Names.clientIdentifier(client))] == nil,
                "client \(client) was told that nothing is kept of it, and something is")
        }
        self.checkRetained(snapshot)
        self.checkShared(snapshot)

        for session in self.sessions.values { exchange(&session.wire, with: nil)?.session = nil }
        self.shared = []
        self.restoreRetained(snapshot)
        var sessions: [Int: Session] = [:]
        for (identifier, kept) in snapshot.sessions {
            guard let client = Names.client(identifier.string) else { violation("there is no client \(identifier)") }
            let known = self.sessions[client].flatMap { $0.isTold ? $0 : nil }
            let session = known ?? Session(client: client)
            self.restore(session, kept)
            sessions[client] = session
        }
        self.sessions = sessions
        for session in sessions.values.sorted(by: { $0.client < $1.client }) {
            let kept = snapshot.sessions[ExactText(Names.clientIdentifier(session.client))]
            self.waitForClient(of: session, since: kept?.about.disconnectedAt.map { $0 - Self.epoch } ?? self.now)
        }
        self.passTime()
    }

    // MARK: Checking the stored state

    private func checkKept(_ session: Session, _ snapshot: MQTTBrokerSnapshot) {
        let stored = snapshot.sessions[ExactText(Names.clientIdentifier(session.client))]
        if session.wire?.hasBegun == true, let about = stored?.about {
            expect(about.expiry == session.expiry, "client \(session.client) was told another session expiry")
            expect(about.willMessage == session.will?.message, "another will of client \(session.client) is kept")
        }
        guard session.isTold, session.expiry != .zero else { return }
        guard let kept = stored else { violation("the session of client \(session.client) is lost") }
        for filter in Names.filters.indices where session.isSettled(.subscription(filter)) {
            let subscription = kept.subscriptions[Names.filters[filter]].map(Session.Subscription.init)
            expect(subscription == session.subscriptions[filter], "\(Names.filters[filter].string) is kept otherwise")
        }
        for id in session.received.union(kept.received) where session.isSettled(.received(id)) {
            expect(
                session.received.contains(id) == kept.received.contains(id), "QoS 2 message \(id) is kept otherwise")
        }
        for (id, sent) in session.inFlight {
            let isKept = kept.deliveries.values.contains { delivery in
                delivery.packetID == id
                    && (delivery.messageNumber == sent.number || delivery.message == nil && sent.isReleased)
            }
            expect(isKept, "the exchange \(id) of client \(session.client) is lost")
        }
        for due in session.due where due.qos > .atMostOnce && due.routing <= self.messages[due.number].promised {
            expect(
                kept.deliveries.values.contains { $0.messageNumber == due.number },
                "message \(due.number) for client \(session.client) is lost")
        }
    }

    private func checkRetained(_ snapshot: MQTTBrokerSnapshot) {
        for (topic, retained) in self.retained where retained.routing <= self.messages[retained.number].promised {
            let kept = snapshot.retained[Names.topics[topic]]
            expect(
                kept.flatMap { Message.number($0.message.content.payload) } == retained.number,
                "the retained message \(retained.number) is lost")
        }
    }

    private func checkShared(_ snapshot: MQTTBrokerSnapshot) {
        for shared in self.shared
        where shared.isCertain && shared.routing <= self.messages[shared.number].promised {
            let members = self.sessions.values.filter { $0.subscriptions[shared.filter] != nil }
            guard members.allSatisfy({ $0.isTold && $0.expiry != .zero }) else { continue }
            let isKept = snapshot.sessions.values.contains { session in
                session.deliveries.values.contains {
                    $0.messageNumber == shared.number && $0.sharedSubscription == Names.filters[shared.filter]
                }
            }
            expect(isKept, "message \(shared.number) for those who share it is lost")
        }
    }

    // MARK: Restoring the stored state

    private func restoreRetained(_ snapshot: MQTTBrokerSnapshot) {
        self.retained = [:]
        for (name, kept) in snapshot.retained {
            guard let topic = Names.topic(name), let number = Message.number(kept.message.content.payload) else {
                violation("a retained message is kept that never was")
            }
            self.retainedVersions += 1
            self.retained[topic] = Retained(
                number: number, routing: self.messages[number].routings, version: self.retainedVersions)
        }
    }

    private func restore(_ session: Session, _ kept: MQTTBrokerSnapshot.Session) {
        session.restore(kept)
        let numbers = session.inFlight.mapValues(\.number)
        session.inFlight = [:]
        session.due = []
        for delivery in kept.deliveries.values.sorted(by: { $0.number < $1.number }) {
            let group = delivery.sharedSubscription.flatMap(Names.filter)
            let number = delivery.messageNumber
            if let id = delivery.packetID {
                session.inFlight[id] = Session.InFlight(
                    number: number ?? numbers[id] ?? nil, qos: delivery.qos, order: self.nextOrder(), group: group,
                    isReleased: number == nil)
            } else if let number {
                self.restore(number, delivery, group, to: session)
            }
        }
        session.written = session.written.filter { session.inFlight[$0.key] != nil }
        let waiting = Set(session.due.map(\.number) + session.inFlight.values.compactMap(\.number))
        let begun = Set(session.exchanges.keys.map(\.number))
        session.routed = session.routed.intersection(waiting.union(begun))
    }

    /// Restores a queued message.
    private func restore(
        _ number: Int, _ delivery: MQTTBrokerSnapshot.Delivery, _ group: Int?, to session: Session
    ) {
        let routing = self.messages[number].routings
        if let group {
            // The subscription may have been replaced since then.
            session.shared[group, default: []].append(
                Session.Subscription(
                    qos: delivery.qos, noLocal: false, retainAsPublished: delivery.retain,
                    identifier: delivery.subscriptionIdentifiers.first))
            self.shared.append(Shared(filter: group, number: number, routing: routing, isCertain: false))
        } else {
            session.due.append(
                Session.Due(
                    number: number, qos: delivery.qos, retain: delivery.retain,
                    identifiers: delivery.subscriptionIdentifiers.sorted(), routing: routing, isOrdered: false))
        }
    }
}

extension Session {
    /// Restores everything except the messages.
    fileprivate func restore(_ kept: MQTTBrokerSnapshot.Session) {
        self.expiry = kept.about.expiry
        self.will = kept.about.will.flatMap { will in
            Message.number(will.message.payload).map { ($0, will.delay) }
        }
        self.willDue = nil
        self.end = nil
        self.received = kept.received
        self.retained = []
        self.doubts = []
        self.subscriptions = [:]
        for (name, subscription) in kept.subscriptions {
            guard let filter = Names.filter(name) else { continue }
            self.subscriptions[filter] = Subscription(subscription)
            if Names.isShared(filter) { self.shared[filter, default: []].append(Subscription(subscription)) }
        }
        self.settle()
    }
}

extension Session.Subscription {
    fileprivate init(_ kept: MQTTBrokerSnapshot.Subscription) {
        self.init(
            qos: kept.qos, noLocal: kept.noLocal, retainAsPublished: kept.retainAsPublished,
            identifier: kept.identifier)
    }
}

extension MQTTBrokerSnapshot.Session.About {
    /// `nil` for never.
    fileprivate var expiry: Duration? { self.expiryInterval == .max ? nil : .seconds(Int64(self.expiryInterval)) }

    fileprivate var willMessage: Int? { self.will.flatMap { Message.number($0.message.payload) } }
}

extension MQTTBrokerSnapshot.Delivery {
    /// The number of the model's message, if the content is kept.
    fileprivate var messageNumber: Int? { self.message.flatMap { Message.number($0.content.payload) } }
}
