import CurlewCore
import CurlewTransport
import Logging
import NIOCore
import Synchronization

extension BrokerEngine {
    /// Who publishes a message.
    struct Publisher {
        let client: MQTTBrokerClient
        let session: HostedSession
    }

    /// What became of a message.
    enum Published {
        case routed(Routing)
        /// A filter has refused it.
        case rejected(ReasonCode)
    }

    /// Where a message went.
    struct Routing {
        /// How many have received it, or will.
        var receivers = 0
        /// How many would have received it, but their queues, or the memory of the broker, are full.
        var refusals = 0
        /// Whether it was to be retained, and there was no room for it.
        var isRetainedRefused = false
        /// Those for whom the publisher must wait before it goes on.
        var holders: [ObjectIdentifier] = []
        /// When none of them is worth waiting for any more.
        var heldUntil = Timestamp.start

        /// Whether the message is lost for everybody who should have received it.
        var isRefused: Bool { self.receivers == 0 && (self.refusals > 0 || self.isRetainedRefused) }
    }

    /// Delivers a message to everybody who has subscribed to it, and keeps it if it is to be retained; on the worker's loop.
    ///
    /// - Parameters:
    ///   - held: Who waits if the receivers cannot keep up; `nil` for a publisher that cannot wait.
    ///   - change: What is stored together with those whom the message waits for: neither is true without the other. It is not stored if the
    ///     message is refused.
    func publish(
        _ packet: consuming Publish, topic: TopicName, from publisher: Publisher?, isSystem: Bool = false,
        holding held: (any HeldPublisher)? = nil, with change: MQTTBrokerChange? = nil, on worker: Worker,
        now: Timestamp
    ) -> Published {
        var topic = topic
        if !self.configuration.publishFilters.isEmpty, !isSystem {
            switch self.filter(packet, topic: topic, from: publisher?.client) {
            case .success(let message):
                topic = message.topic
                packet.payload = message.payload
                packet.qos = message.qos
                packet.retain = message.retain
                packet.properties = message.properties
            case .failure(let rejected): return .rejected(rejected.reasonCode)
            }
        }
        var publication = Publication(packet, topic: topic, now: now)
        publication.number = self.messageNumber
        // A message at QoS 0 may be lost: nobody waits for it.
        let held = publication.qos > .atMostOnce ? held : nil
        guard let change else {
            return .routed(self.passOn(&publication, from: publisher, holding: held, on: worker, now: now))
        }
        return self.group(on: worker) {
            let routing = self.passOn(&publication, from: publisher, holding: held, on: worker, now: now)
            if !routing.isRefused { self.record(change, on: worker) }
            return .routed(routing)
        }
    }

    private func passOn(
        _ publication: inout Publication, from publisher: Publisher?, holding held: (any HeldPublisher)?,
        on worker: Worker, now: Timestamp
    ) -> Routing {
        var routing = Routing()
        if publication.retain {
            routing.isRetainedRefused = !self.retain(&publication, from: publisher?.client, on: worker)
        }
        self.route(&publication, from: publisher?.session, holding: held, on: worker, now: now, &routing)
        if routing.isRefused { worker.counters.publishesRefused.count() }
        return routing
    }

    /// Gives a message to all whose subscriptions match.
    private func route(
        _ publication: inout Publication, from publisher: HostedSession?, holding held: (any HeldPublisher)?,
        on worker: Worker, now: Timestamp, _ routing: inout Routing
    ) {
        let entry = self.route(of: publication.topic, on: worker)
        guard !entry.route.isEmpty else { return }
        let upgrades = self.configuration.behaviour.upgradesOutgoingQoS
        publication.hasSeveralReceivers = entry.route.targets.count > 1
        for target in entry.route.targets {
            let isOwn = if case .session(let session) = target.subscriber { session === publisher } else { false }
            guard
                let terms = target.terms(
                    publishedAt: publication.qos, retain: publication.retain, isOwn: isOwn, upgrades: upgrades)
            else { continue }
            let delivery = self.deliver(&publication, terms, to: target.subscriber, holding: held, on: worker, now: now)
            self.count(delivery, of: publication.topic, for: target.subscriber, on: worker, &routing)
        }
        for group in entry.route.groups where !group.members.isEmpty {
            entry.turn &+= 1
            self.deliver(&publication, to: group, turn: entry.turn, holding: held, on: worker, now: now, &routing)
        }
        worker.onLoop.work += routing.receivers
    }

    /// Gives a message to one of those who share a subscription: in turn to those who are connected, and if none is, to one who is away. Where
    /// it finds no room, the next one gets it.
    func deliver(
        _ publication: inout Publication, to group: SubscriptionIndex<Subscriber>.Group, turn: Int,
        holding held: (any HeldPublisher)? = nil, on worker: Worker, now: Timestamp, _ routing: inout Routing
    ) {
        let count = group.members.count
        let first = Int(UInt(bitPattern: turn) % UInt(count))
        // So many absent members are passed over; beyond that, one of them has to do.
        let probes = min(count, Self.mostProbes)
        let connected = (0..<probes).first { offset in
            guard case .session(let session) = group.members[(first + offset) % count].subscriber else { return true }
            return session.isConnected.load(ordering: .relaxed)
        }
        var refused: (delivery: HostedSession.Delivery, member: Subscriber)?
        var refusals = 0
        for offset in 0..<count where refusals < Self.mostRefusals {
            let member = group.members[(first + (connected ?? 0) + offset) % count]
            let terms = group.terms(
                member.grant, publishedAt: publication.qos, retain: publication.retain,
                upgrades: self.configuration.behaviour.upgradesOutgoingQoS)
            // A member whose session has just ended does not take it: then the next one gets it.
            guard
                let delivery = self.deliver(
                    &publication, terms, to: member.subscriber, holding: held, on: worker, now: now)
            else { continue }
            guard delivery.outcome.isRefused else {
                return self.count(delivery, of: publication.topic, for: member.subscriber, on: worker, &routing)
            }
            refusals += 1
            if refused == nil { refused = (delivery, member.subscriber) }
        }
        if let refused {
            self.count(refused.delivery, of: publication.topic, for: refused.member, on: worker, &routing)
        }
    }

    private static let mostProbes = 1024
    /// So many full members are asked; beyond that, the message is refused.
    private static let mostRefusals = 16

    /// Returns `nil` if there is no such subscriber any more.
    private func deliver(
        _ publication: inout Publication, _ terms: DeliveryTerms, to subscriber: Subscriber,
        holding held: (any HeldPublisher)?, on worker: Worker, now: Timestamp
    ) -> HostedSession.Delivery? {
        switch subscriber {
        case .session(let session):
            guard
                let delivery = session.deliver(&publication, terms, from: held, now: now, engine: self)
            else { return nil }
            if delivery.change > 0, terms.qos > .atMostOnce { worker.onLoop.note(delivery.change) }
            if let toFlush = delivery.toFlush { worker.flushSoon(toFlush) }
            return delivery
        case .local(let local):
            // The program may be what takes the messages: it must not wait for itself.
            let held = held is ProgramHold ? nil : held
            return local.deliver(publication.message(self.budget), terms, from: held, now: now, engine: self)
        }
    }

    private func count(
        _ delivery: HostedSession.Delivery?, of topic: TopicName, for subscriber: Subscriber, on worker: Worker,
        _ routing: inout Routing
    ) {
        guard let delivery else { return }
        if delivery.outcome.isRefused { routing.refusals += 1 } else { routing.receivers += 1 }
        let holder: ObjectIdentifier
        let name: String
        switch subscriber {
        case .session(let session):
            holder = ObjectIdentifier(session)
            name = session.clientIdentifier
        case .local(let local):
            holder = ObjectIdentifier(local)
            name = ""
        }
        if let until = delivery.heldUntil {
            routing.holders.append(holder)
            routing.heldUntil = max(routing.heldUntil, until)
        }
        self.count(delivery.outcome, of: topic, for: name, on: worker)
    }

    /// Counts and reports what became of a message.
    func count(
        _ delivered: BrokerSession.Delivered, of topic: TopicName, for clientIdentifier: String, on worker: Worker
    ) {
        switch delivered {
        case .written: worker.counters.publishesSent.count()
        case .queued, .notKept: break
        case .queuedInPlaceOf(let count, let isTaken):
            for _ in 0..<(isTaken ? count : count + 1) {
                self.dropped(topic, .queueFull, for: clientIdentifier, on: worker)
            }
        case .queueFull: self.dropped(topic, .queueFull, for: clientIdentifier, on: worker)
        case .tooLarge: self.dropped(topic, .tooLarge, for: clientIdentifier, on: worker)
        }
    }

    func dropped(_ topic: TopicName, _ reason: MQTTDropReason, for clientIdentifier: String, on worker: Worker) {
        worker.counters.publishesDropped.count()
        self.events.tell(.dropped, .dropped(clientIdentifier: clientIdentifier, topic, reason))
    }

    // MARK: Before routing

    private struct Rejected: Error {
        let reasonCode: ReasonCode
    }

    private func filter(
        _ packet: borrowing Publish, topic: TopicName, from client: MQTTBrokerClient?
    ) -> Result<MQTTBrokerMessage, Rejected> {
        var message = MQTTBrokerMessage(
            topic: topic, payload: packet.payload, qos: packet.qos, retain: packet.retain, properties: packet.properties
        )
        for filter in self.configuration.publishFilters {
            switch filter.willPublish(message, from: client) {
            case .pass: continue
            case .replace(let other): message = other
            case .reject(let code): return .failure(Rejected(reasonCode: code))
            }
        }
        return .success(message)
    }

    /// Removes retained messages whose time is over. They are looked for in a copy, for that takes a while.
    func removeExpiredMessages(now: Timestamp) {
        let expired = self.retained.withLock { $0 }.expired(now: now)
        guard !expired.isEmpty else { return }
        // A few at a time: whoever publishes or subscribes waits for the lock.
        for first in stride(from: 0, to: expired.count, by: Self.expiredAtOnce) {
            let some = Array(expired[first..<min(first + Self.expiredAtOnce, expired.count)])
            self.retained.withLock { retained in
                let removed = retained.remove(some)
                self.countRetained(-removed.count)
                _ = self.journal?.append(removed.map { .retainedRemoved($0.topic) })
            }
            for message in some { self.events.tell(.retained, .retained(message.topic, isSet: false)) }
        }
    }

    /// So many more messages are retained: counts what each takes besides itself.
    func countRetained(_ count: Int) { self.budget.changed(by: count * Self.retainedOverhead) }

    private static let retainedOverhead = 384
    private static let expiredAtOnce = 256

    /// Keeps a message for those who subscribe later, or removes what was kept [MQTT-3.3.1-5] [MQTT-3.3.1-6].
    ///
    /// - Returns: Whether there was room for it.
    private func retain(
        _ publication: inout Publication, from client: MQTTBrokerClient?, on worker: Worker
    ) -> Bool {
        guard self.configuration.behaviour.retainAvailable else { return true }
        let message = publication.message(self.budget)
        let source = client.map { RetainedMessages.Source(clientIdentifier: $0.identifier, username: $0.username) }
        let outcome = self.retained.withLock { retained in
            let before = retained.count
            // Half of the memory is left for what waits and who is there, whoever retains how much.
            let hasRoom = retained.byteCount < self.budget.shares.limit / 2
            let outcome = retained.store(message, from: source) { hasRoom ? self.budget.room(holding: $0) : 0 }
            self.countRetained(retained.count - before)
            switch outcome {
            case _ where message.topic.isReserved: break
            case .set:
                self.record(
                    .retained(
                        MQTTBrokerSnapshot.Retained(
                            self.stored(message), clientIdentifier: client?.identifier, username: client?.username)),
                    on: worker)
            case .removed(true), .full: self.record(.retainedRemoved(message.topic), on: worker)
            case .removed(false): break
            }
            return outcome
        }
        switch outcome {
        case .set: self.events.tell(.retained, .retained(message.topic, isSet: true))
        case .removed(true): self.events.tell(.retained, .retained(message.topic, isSet: false))
        case .removed(false): break
        case .full:
            self.clientLog.write(
                .retainedFull, self.clientLog.isDetailed ? ["topic": "\(message.topic.string.printable)"] : [:])
        }
        return outcome != .full
    }
}
